"""The memory calculator: bytes, units, parts, answers, the tutorial's table, and its command."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import memory
from augviz.errors import ArgumentError
from augviz.memory import GB, GIB, Measured, Plan, Source
from augviz.model import BYTES_PER_VALUE, DTYPES, Draw, DrawnLeaf, Header, ImageFacts
from tests.test_cli import failure, ok

SIDES = st.integers(1, 100_000)

SOURCES = st.builds(Source, SIDES, SIDES, st.integers(1, 64), st.booleans(), st.integers(1, 1024))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan that a user could have."""
    return Plan(
        draw(SIDES),
        draw(SIDES),
        draw(st.integers(1, 12)),
        draw(st.sampled_from(sorted(memory.BYTES))),
        batch=draw(st.integers(1, 64)),
        workers=draw(st.integers(0, 64)),
        prefetch=draw(st.integers(1, 8)),
        pinned=draw(st.booleans()),
        persistent=draw(st.booleans()),
        device_dtype=draw(st.sampled_from(memory.DEVICE_DTYPES)),
        normalise_on_device=draw(st.booleans()),
        device_tile=draw(st.integers(1, 4096)),
        start=draw(st.sampled_from(memory.STARTS)),
        threads=draw(st.integers(1, 64)),
        source=draw(st.none() | SOURCES),
    )


def by_name(plan: Plan) -> dict[str, int]:
    return {part.name: part.bytes for part in memory.parts(plan)}


# Bytes and units


@pytest.mark.parametrize("pixel_format", sorted(DTYPES))
def test_a_dtype_has_as_many_bytes_as_the_format_that_it_stands_for(pixel_format: str) -> None:
    assert memory.BYTES[DTYPES[pixel_format]] == BYTES_PER_VALUE[pixel_format]


def test_an_image_is_width_times_height_times_bands_times_bytes() -> None:
    assert memory.image_bytes(7, 5, 3, "float16") == 7 * 5 * 3 * 2


@settings(deadline=None)
@given(st.integers(0, 10**16))
def test_gb_and_gib_are_the_same_bytes(count: int) -> None:
    assert memory.gb(count) * 10**9 == pytest.approx(memory.gib(count) * 2**30)
    assert memory.gb(count) >= memory.gib(count)
    assert GB.number(count) == memory.gb(count)
    assert GIB.number(count) == memory.gib(count)


@settings(deadline=None)
@given(st.integers(-(10**16), 10**16))
def test_a_text_never_mixes_the_units(count: int) -> None:
    assert "i" not in GB.text(count)
    assert GIB.text(count).endswith((" MiB", " GiB", " B"))


@pytest.mark.parametrize(
    ("count", "decimal", "binary"),
    [
        (12_884_901_888, "12.9 GB", "12.0 GiB"),
        (62_914_560, "63 MB", "60 MiB"),
        (0, "0.0 GB", "0.0 GiB"),
        (500_000, "0.5 MB", "0.48 MiB"),
        (1_500, "1,500 B", "1,500 B"),
        (1, "1 B", "1 B"),
        (12_345_678_900_000, "12,346 GB", "11,498 GiB"),
        (9_999_960_000_000, "10,000 GB", "9,313.2 GiB"),
        (4_000_004_000_004 * 10**24, "4 × 10^27 GB", "3.73 × 10^27 GiB"),
    ],
)
def test_bytes_are_written_in_the_unit_asked_for(count: int, decimal: str, binary: str) -> None:
    assert (GB.text(count), GIB.text(count)) == (decimal, binary)


@settings(deadline=None)
@given(st.integers(0, 10**45))
def test_a_text_has_six_digits_at_most(count: int) -> None:
    for unit in (GB, GIB):
        amount = unit.text(count).split(" × ")[0]

        assert len(re.findall(r"\d", amount)) <= 6, amount
        assert "e" not in amount


# The tutorial's table

TABLE = {
    8192: ("0.2", "0.4", "0.8", "1.6"),
    16384: ("0.8", "1.6", "3.2", "6.4"),
    32768: ("3.2", "6.4", "12.9", "25.8"),
    65536: ("12.9", "25.8", "51.5", "103.1"),
}
TABLE_GIB = {8192: 0.1875, 16384: 0.75, 32768: 3.0, 65536: 12.0}


def test_the_table_is_computed_from_the_bytes_cell_by_cell() -> None:
    for row in memory.table():
        side = row[0].side

        assert tuple(f"{memory.gb(cell.bytes):.1f}" for cell in row) == TABLE[side]
        assert [cell.dtype for cell in row] == ["uint8", "float16", "float32", "float64"]
        assert [memory.gib(cell.bytes) for cell in row] == [TABLE_GIB[side] * n for n in (1, 2, 4, 8)]
        assert {cell.side for cell in row} == {side}


def test_ten_of_sixteen_cells_are_the_tutorials_and_the_note_names_the_others() -> None:
    cells = [cell for row in memory.table() for cell in row]
    differing = [cell for cell in cells if cell.differs]

    assert len(cells) == 16
    assert [(cell.side, cell.tutorial_gb) for cell in differing] == [
        (32768, 12.8),
        (32768, 25.6),
        (65536, 12.8),
        (65536, 25.6),
        (65536, 51.2),
        (65536, 102.4),
    ]
    for cell in differing:
        assert f"{cell.tutorial_gb:g}" in memory.TUTORIAL_NOTE
        smaller = memory.TUTORIAL_GB[cell.side // 2][memory.TUTORIAL_DTYPES.index(cell.dtype)]
        assert cell.tutorial_gb == pytest.approx(4 * smaller)


# Parts


@settings(deadline=None)
@given(plans())
def test_the_totals_are_the_sums_of_the_parts(plan: Plan) -> None:
    found = memory.parts(plan)

    assert sum(part.bytes for part in found) == memory.host_bytes(plan) + memory.device_bytes(plan)
    assert all(part.bytes >= 0 for part in found)
    assert all(part.name.startswith("device") == (part.where == "device") for part in found)


@settings(deadline=None)
@given(plans(), plans())
def test_every_plan_has_the_same_parts_each_with_a_formula(one: Plan, other: Plan) -> None:
    assert list(by_name(one)) == list(by_name(other))
    for part in memory.parts(one):
        assert part.title
        assert part.formula
        assert part.leaves_out.endswith(".")
        assert not re.search(r"[kMG]i?B\b", part.formula + part.leaves_out)  # bytes, for a reader of either unit


GROWING = ("width", "height", "bands", "batch", "workers", "prefetch", "threads", "device_tile")


@pytest.mark.parametrize("name", GROWING)
@settings(deadline=None)
@given(plan=plans(), more=st.integers(1, 1000))
def test_more_of_anything_never_needs_less(name: str, plan: Plan, more: int) -> None:
    larger = replace(plan, **{name: getattr(plan, name) + more})

    assert memory.host_bytes(larger) >= memory.host_bytes(plan)
    assert memory.device_bytes(larger) >= memory.device_bytes(plan)


@settings(deadline=None)
@given(plans())
def test_a_larger_dtype_never_needs_less(plan: Plan) -> None:
    sizes = [memory.host_bytes(replace(plan, dtype=dtype)) for dtype in ("uint8", "float16", "float32", "float64")]

    assert sizes == sorted(sizes)


@settings(deadline=None)
@given(plans())
def test_pinned_memory_never_needs_less(plan: Plan) -> None:
    assert memory.host_bytes(replace(plan, pinned=True)) >= memory.host_bytes(replace(plan, pinned=False))


@settings(deadline=None)
@given(plans())
def test_spawned_workers_never_need_less_than_forked_ones(plan: Plan) -> None:
    forked, spawned = replace(plan, start="fork"), replace(plan, start="spawn")

    assert memory.host_bytes(spawned) - memory.host_bytes(forked) >= plan.workers


@settings(deadline=None)
@given(plans())
def test_without_workers_prefetch_changes_nothing(plan: Plan) -> None:
    alone = replace(plan, workers=0)

    assert memory.host_bytes(alone) == memory.host_bytes(replace(alone, prefetch=alone.prefetch + 3))


@pytest.mark.parametrize(
    ("workers", "prefetch", "batches"), [(0, 2, 3), (1, 2, 4), (1, 1, 3), (2, 2, 7), (2, 1, 5), (4, 3, 17)]
)
def test_batches_are_counted_at_the_worst_moment(workers: int, prefetch: int, batches: int) -> None:
    plan = Plan(8192, 8192, workers=workers, prefetch=prefetch, batch=2)
    sizes = by_name(plan)

    assert sizes["result"] + sizes["batch"] + sizes["queue"] == batches * plan.batch_bytes


def test_a_file_that_cannot_be_read_by_regions_is_decoded_whole_in_each_worker() -> None:
    tiled = Plan(4096, 4096, workers=3, source=Source(20_000, 10_000, 3))
    whole = replace(tiled, source=Source(4000, 3000, 3, region_readable=False))  # 36 MB, and two more are kept
    to_disc = replace(tiled, source=Source(20_000, 10_000, 3, region_readable=False))

    assert by_name(tiled)["source"] == 3 * 20_000 * 512 * 3
    assert by_name(whole)["source"] == 3 * 3 * 4000 * 3000 * 3
    assert by_name(to_disc)["source"] == by_name(tiled)["source"]
    assert memory.stream_bytes(to_disc) - memory.stream_bytes(tiled) == 20_000 * (10_000 - 512) * 3


def test_the_largest_square_may_lie_beyond_where_libvips_decodes_to_disc() -> None:
    plan = Plan(1, 1, dtype="uint8", source=Source(1, 1, 3, region_readable=False))
    limit = 450_000_000

    side = memory.largest_square(plan, limit)

    def fits(side: int) -> bool:
        square = replace(plan, width=side, height=side, source=Source(side, side, 3, region_readable=False))
        return memory.fits(square, limit)

    assert side == max(side for side in range(1, 10_000) if fits(side))
    assert not all(map(fits, range(1, side)))


def test_pinned_batches_take_the_next_power_of_two() -> None:
    plan = Plan(8192, 8192, batch=1, workers=2, pinned=True)  # 805 MB a batch

    assert by_name(plan)["pinned"] == 5 * 2**30
    assert by_name(plan)["queue"] == 0


def test_the_device_holds_the_batch_and_what_it_is_converted_to() -> None:
    plan = Plan(1000, 1000, dtype="uint8", batch=2, device_dtype="float16")

    assert memory.device_bytes(plan) == 2 * 3_000_000 + 2 * 3_000_000 * 2
    assert memory.device_bytes(replace(plan, device_dtype="uint8")) == 2 * 3_000_000


def test_normalising_tile_by_tile_converts_one_tile_of_each_image() -> None:
    plan = Plan(9000, 500, dtype="uint8", batch=2, device_dtype="float16", normalise_on_device=True, device_tile=1024)

    assert memory.device_bytes(plan) == 2 * 9000 * 500 * 3 + 2 * 1024 * 500 * 3 * 2


@settings(deadline=None)
@given(plans())
def test_streaming_needs_no_more_than_some_lines_whatever_the_height(plan: Plan) -> None:
    assert memory.stream_bytes(plan) <= memory.stream_bytes(replace(plan, height=plan.height + 1000))
    if plan.height >= 256 and (plan.source is not None or plan.height >= 512):
        assert memory.stream_bytes(plan) == memory.stream_bytes(replace(plan, height=plan.height + 1000))


# Answers


@settings(deadline=None)
@given(plans(), st.integers(0, 10**13), st.integers(0, 10**12))
def test_what_is_missing_is_what_the_limit_must_grow_by(plan: Plan, host: int, device: int) -> None:
    found = memory.verdict(plan, host, device)

    assert found.fits == (found.host_bytes <= host and found.device_bytes <= device)
    assert memory.fits(plan, host + found.host_missing, device + found.device_missing)
    if found.host_missing:
        assert not memory.fits(plan, host + found.host_missing - 1, None)


def test_a_plan_that_does_not_fit_says_how_much_more_it_needs() -> None:
    plan = Plan(8192, 8192, batch=2, workers=2)
    total = memory.host_bytes(plan)

    assert memory.verdict(plan, total - 31 * 10**9 // 10).sentence() == "You need 3.1 GB more memory."
    assert memory.verdict(plan, total, 10**9).sentence() == "You need 0.6 GB more device memory."
    assert memory.verdict(plan, total - 2**30, 0).sentence(GIB) == (
        "You need 1.0 GiB more memory and 1.5 GiB more device memory."
    )
    assert memory.verdict(plan, total).sentence().startswith("It fits: ")


@settings(deadline=None)
@given(plans(), st.integers(0, 10**13), st.none() | st.integers(0, 10**12))
def test_the_largest_that_fits_fits_and_one_more_does_not(plan: Plan, host: int, device: int | None) -> None:
    side = memory.largest_square(plan, host, device)
    workers = memory.most_workers(plan, host, device)
    batch = memory.largest_batch(plan, host, device)

    def fits(changed: Plan) -> bool:
        return memory.fits(changed, host, device)

    def square(side: int) -> Plan:
        source = plan.source and replace(plan.source, width=side, height=side)
        return replace(plan, width=side, height=side, source=source)

    for found, least, most, changed in (
        (side, 1, memory.MAX_SIDE, square),
        (workers, 0, memory.MAX_COUNT, lambda count: replace(plan, workers=count)),
        (batch, 1, memory.MAX_COUNT, lambda count: replace(plan, batch=count)),
    ):
        assert fits(changed(least)) == (found is not None)
        if found is not None:
            assert fits(changed(found))
            assert found == most or not fits(changed(found + 1))


@settings(deadline=None)
@given(plans())
def test_uint8_and_the_device_save_what_the_plans_differ_by(plan: Plan) -> None:
    uint8, there, stream = memory.savings(plan)
    as_float = replace(plan, dtype="float32", normalise_on_device=False)

    for saving in (uint8, there):
        assert saving.changed is not None
        assert memory.host_bytes(as_float) - memory.host_bytes(saving.changed) == saving.host_bytes >= 0
        assert memory.device_bytes(as_float) - memory.device_bytes(saving.changed) == saving.device_bytes
    assert stream.host_bytes == memory.hold_bytes(plan) - memory.stream_bytes(plan)


def test_savings_are_sentences() -> None:
    uint8, there, stream = (saving.sentence() for saving in memory.savings(Plan(16384, 16384, batch=1)))

    assert uint8.startswith("uint8 instead of float32 saves 7.3 GB of memory")
    assert there.startswith("Normalising on the GPU, tile by tile saves 7.3 GB of memory and 2.4 GB on the device")
    assert stream.startswith("Streaming one image instead of holding it saves 3.2 GB of memory")


def test_measured_and_computed_stand_side_by_side_with_the_error() -> None:
    plan = Plan(4096, 4096)
    computed = memory.hold_bytes(plan)

    streamed, held = memory.compare(plan, Measured(hold_bytes=computed * 2))

    assert (streamed.measured, streamed.error_percent) == (None, None)
    assert (held.computed, held.measured, held.error_percent) == (computed, computed * 2, -50)


# Bad values


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width: must lie within 1 and 10000000, got 0."),
        ({"height": -1}, "height: must lie within 1 and 10000000, got -1."),
        ({"height": 10**30}, "height: must lie within 1 and 10000000, got a number of more than 15 digits."),
        ({"bands": 0}, "bands: must lie within 1 and 10000, got 0."),
        ({"batch": -2}, "batch: must lie within 1 and 1000000, got -2."),
        ({"workers": -1}, "workers: must lie within 0 and 1000000, got -1."),
        ({"prefetch": 0}, "prefetch: must lie within 1 and 1000000, got 0."),
        ({"device_tile": 0}, "device tile: must lie within 1 and 10000000, got 0."),
        ({"threads": 0}, "threads: must lie within 1 and 1000000, got 0."),
        ({"dtype": "float8"}, r"dtype: must be one of uint8, .*, got 'float8'\."),
        ({"device_dtype": "int8"}, "device dtype: must be one of float32, float16, bfloat16, uint8, got 'int8'."),
        ({"start": "thread"}, "start: must be one of fork, spawn, got 'thread'."),
    ],
)
def test_an_impossible_plan_is_one_sentence(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{message}$"):
        replace(Plan(8, 8), **changes)


# Images and pipelines

FACTS = ImageFacts(
    "slide",
    "slide.tif",
    Header(600, 400, 3, "uchar"),
    1,
    1,
    ((600, 400),),
    1,
    (512, 128),
    True,
    None,
    None,
    1,
    "tiffload",
)


def test_a_chain_has_the_source_and_one_row_for_each_step_switched_on() -> None:
    source, turned = Header(600, 400, 3, "uchar"), Header(700, 700, 3, "uchar")
    leaves = (
        DrawnLeaf("0", "Rotate", 1, True, True, {}, source, turned),
        DrawnLeaf("1", "Blur", 2, False, False, {}, turned, turned),
        DrawnLeaf("2", "Normalize", 3, True, True, {}, turned, Header(700, 700, 3, "float")),
    )

    rows = memory.chain(Draw(0, source, leaves, Header(700, 700, 3, "float"), False))

    assert [(row.title, row.width, row.height, row.dtype, row.bytes) for row in rows] == [
        ("Source", 600, 400, "uint8", 720_000),
        ("Rotate", 700, 700, "uint8", 1_470_000),
        ("Normalize", 700, 700, "float32", 5_880_000),
    ]


def test_the_plan_of_an_image_knows_its_source() -> None:
    result = Header(700, 700, 3, "float")

    assert memory.for_image(FACTS) == Plan(600, 400, 3, "uint8", source=Source(600, 400, 3, True, 128))
    assert memory.for_draw(FACTS, Draw(0, FACTS.header, (), result, True)) == Plan(
        700, 700, 3, "float32", source=Source(600, 400, 3, True, 128)
    )


def test_arithmetic_needs_no_pixels() -> None:
    code = (
        "import sys; from augviz import memory; memory.parts(memory.Plan(8, 8)); "
        "print(sorted({'pyvips', 'albumentationsxl', 'cv2', 'torch', 'numpy'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# The command


def test_the_command_prints_the_contracts_keys() -> None:
    printed = json.loads(
        ok(
            "memory", "8192x4096x3", "--dtype", "float32", "--batch", 2, "--workers", 4, "--prefetch", 3, "--pinned",
            "--device-dtype", "float16", "--threads", 8, "--start", "spawn", "--json",
        )
    )  # fmt: skip
    plan = Plan(8192, 4096, 3, "float32", 2, 4, 3, pinned=True, device_dtype="float16", threads=8, start="spawn")

    assert list(printed) == ["image_bytes", "host_bytes", "device_bytes", "parts"]
    assert printed["image_bytes"] == 8192 * 4096 * 3 * 4
    assert printed["host_bytes"] == memory.host_bytes(plan)
    assert printed["device_bytes"] == memory.device_bytes(plan)
    assert printed["parts"] == by_name(plan)
    assert sum(printed["parts"].values()) == printed["host_bytes"] + printed["device_bytes"]


def test_the_command_is_readable_without_json() -> None:
    printed = ok("memory", "8192x8192x3", "--workers", 1, "--threads", 2)

    assert "One image                      0.8 GB  8192 x 8192 x 3 float32\n" in printed
    assert "Total, host                    3.3 GB\n" in printed
    assert "GiB" not in printed
    assert "0.8 GiB" in ok("memory", "8192x8192x3", "--unit", "GiB")


def test_the_command_takes_what_a_pipeline_gives(tmp_path: Path) -> None:
    import pyvips

    image, pipeline = tmp_path / "image.png", tmp_path / "pipeline.json"
    pyvips.Image.black(640, 480, bands=3).pngsave(str(image))
    steps = [
        {"transform": "Resize", "args": {"height": 1000, "width": 2000}},
        {"transform": "ToDtype", "args": TO_FLOAT},
    ]
    pipeline.write_text(json.dumps({"format": 1, "steps": steps}))

    alone = json.loads(ok("memory", "--image", image, "--json"))
    after = json.loads(ok("memory", "--image", image, "--pipeline", pipeline, "--json"))

    assert alone["image_bytes"] == 640 * 480 * 3
    assert alone["parts"]["source"] == 640 * 480 * 3
    assert after["image_bytes"] == 2000 * 1000 * 3 * 4
    assert "Resize" in ok("memory", "--image", image, "--pipeline", pipeline)


TO_FLOAT = {"dtype": "float", "scale": True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0x5x3",), "width: must lie within 1 and 10000000, got 0."),
        (("10x10",), "memory: the size must be WIDTHxHEIGHTxBANDS, such as 8192x8192x3, got '10x10'."),
        (("axbxc",), "got 'axbxc'."),
        (("9" * 5000 + "x1x1",), f"got '{'9' * 40}...'."),
        (("1000000000000x1x1",), "width: must lie within 1 and 10000000, got 1000000000000."),
        (("٣x٣x٣",), "got '٣x٣x٣'."),
        (("8x8x3", "--dtype", "float8"), "got 'float8'."),
        (("8x8x3", "--batch", -1), "batch: must lie within 1 and 1000000, got -1."),
        (("8x8x3", "--batch", "9" * 5000), f"must be a whole number, got '{'9' * 40}...'"),
        (("8x8x3", "--threads", 0), "threads: must lie within 1 and 1000000, got 0."),
        (("8x8x3", "--device-dtype", "double"), "got 'double'."),
        ((), "memory: either WIDTHxHEIGHTxBANDS or --image must be given."),
        (("8x8x3", "--image", "a.png"), "memory: either WIDTHxHEIGHTxBANDS or --image must be given."),
        (("8x8x3", "--pipeline", "a.json"), "--pipeline: --image must be given"),
        (("--image", "a.png", "--dtype", "uint8"), "--dtype: must be left out with --image"),
        (("--image", "nowhere.png"), "nowhere.png"),
    ],
)
def test_a_bad_request_is_one_sentence(arguments: tuple[object, ...], message: str) -> None:
    assert message in failure("memory", *arguments)


def test_plans_are_values() -> None:
    plan = Plan(8, 8)

    assert hash(plan) == hash(Plan(8, 8))
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.width = 9  # type: ignore[misc]
