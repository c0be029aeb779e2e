"""Hundreds of damaged files and some hostile ones in real workers: each is answered, or refused in one sentence."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
import pyvips

from augviz import presets, saved
from augviz.child import Answer
from augviz.errors import AugvizError, ImageError, StepError, WorkerCrashed, WorkerTimeout
from augviz.workers import Pool
from tests.kinds import KINDS, png

FIRST = saved.dump(presets.FIRST.pipeline)
SECONDS = 10.0
FLIPPED_EACH = 8
CUT_EACH = 12
IN_FLIGHT = 100


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder where the workers of this module would leave temporary files."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def pool(temporary: Path) -> Iterator[Pool]:
    made = Pool(render_workers=2, seconds=SECONDS, memory_bytes=4_000_000_000)
    yield made
    made.close()


def asked(pool: Pool, path: Path) -> tuple[Future[Answer], Future[Answer]]:
    """What a page asks of an image: its header, and the tutorial's pipeline on it."""
    args = {"path": str(path), "input": {}, "pipeline": FIRST, "seed": 0, "side": 64, "quality": "quick", "upto": None}
    return pool.submit("describe", args, lane="desk"), pool.submit("picture", args)


def outcome(future: Future[Answer], name: str) -> str:
    """The word "opened", "refused", "step", "crashed" or "timed out"; a bug in a worker is raised, a bad sentence fails."""
    try:
        future.result(timeout=120)
    except AugvizError as error:
        told = str(error)
        assert "\n" not in told, told
        assert "Traceback" not in told, told
        if isinstance(error, StepError):
            return "step"
        if isinstance(error, WorkerCrashed):
            return "crashed"
        if isinstance(error, WorkerTimeout):
            return "timed out"
        assert name in told, told
        assert told.endswith("."), told
        return "refused"
    return "opened"


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Some bytes at random, in the header or anywhere."""
    found = bytearray(content)
    reach = rng.choice((len(found), min(len(found), 400)))
    for _ in range(rng.choice((1, 2, 4, 16, 64))):
        found[rng.randrange(reach)] = rng.randrange(256)
    return bytes(found)


def cuts(content: bytes) -> list[int]:
    """Where a file is cut: at every kilobyte if it has few of them, else at as many places."""
    every = range(1024, len(content), 1024)
    if 0 < len(every) <= CUT_EACH:
        return list(every)
    return [len(content) * part // (CUT_EACH + 1) for part in range(1, CUT_EACH + 1)]


def mutated_files(folder: Path, rng: random.Random) -> Iterator[tuple[str, Path]]:
    """Files of every kind, damaged in the same ways at each run; with what was done to them."""
    for kind in KINDS.values():
        content = kind.make(folder).read_bytes()
        damaged = [("flipped", flipped(content, rng)) for _ in range(FLIPPED_EACH)]
        damaged += [("cut", content[:cut]) for cut in cuts(content)]
        for number, (how, made) in enumerate(damaged):
            path = folder / f"{how}-{number}-{kind.name}"
            path.write_bytes(made)
            yield how, path


def test_no_mutated_file_is_more_than_refused(pool: Pool, tmp_path: Path, temporary: Path) -> None:
    files = list(mutated_files(tmp_path, random.Random(20)))
    counts: Counter[str] = Counter(tried=len(files))
    for start in range(0, len(files), IN_FLIGHT):
        waiting = [(how, path, asked(pool, path)) for how, path in files[start : start + IN_FLIGHT]]
        for how, path, futures in waiting:
            for task, future in zip(("header", "picture"), futures, strict=True):
                counts[f"{how}: {task} {outcome(future, path.name)}"] += 1

    summary = ", ".join(f"{what} {number}" for what, number in sorted(counts.items()))
    print(summary)
    assert counts["tried"] > 1000, summary
    assert counts["cut: header opened"] <= 3, summary
    assert not [what for what in counts if "timed out" in what], summary
    assert sum(number for what, number in counts.items() if "crashed" in what) <= 3, summary
    assert list(temporary.iterdir()) == []
    whole = KINDS["baseline.jpg"].make(tmp_path)
    assert [outcome(future, whole.name) for future in asked(pool, whole)] == ["opened", "opened"]


def tiff(width: int, height: int, pages: int = 1) -> bytes:
    """A grey TIFF that claims a size, each page one strip of the same 256 bytes."""
    start = 8 + 256
    values = ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 256))
    table = struct.pack("<H", len(values)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values)
    each = len(table) + 4
    chain = [table + struct.pack("<I", start + (n + 1) * each if n < pages - 1 else 0) for n in range(pages)]
    return struct.pack("<2sHI", b"II", 42, start) + bytes(256) + b"".join(chain)


def claiming(written: bytes, place: int, size: bytes) -> bytes:
    """The file with another size written into its header."""
    return written[:place] + size + written[place + len(size) :]


def hostile() -> dict[str, bytes]:
    """Small files that claim to be huge, and files that are no images."""
    small = pyvips.Image.black(16, 16)
    jpeg, gif, avif = small.jpegsave_buffer(), small.gifsave_buffer(), small.heifsave_buffer(compression="av1")
    return {
        "claims.png": png(30_000, 30_000, 8, 2, b""),
        "claims-more.png": png(10**6, 10**6, 8, 2, b""),
        "claims.tif": tiff(30_000, 30_000),
        "claims-more.tif": tiff(10**6, 10**6),
        "claims.jpg": claiming(jpeg, jpeg.index(b"\xff\xc0") + 5, struct.pack(">HH", 65_500, 65_500)),
        "claims.avif": claiming(avif, avif.index(b"ispe") + 8, struct.pack(">II", 30_000, 30_000)),
        "claims.webp": pyvips.Image.black(4000, 4000).webpsave_buffer(lossless=True)[:100],
        "claims.gif": claiming(gif, 6, struct.pack("<HH", 65_535, 65_535))[:40],
        "text.jpg": b"not an image at all\n" * 50,
        "empty.png": b"",
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="100000" height="100000"/>',
        "page.pdf": b"%PDF-1.7\n" + bytes(500),
        "matrix.mat": b"2 2\n1 2\n3 4\n",
        "table.csv": b"1,2,3\n4,5,6\n",
        "archive.tif": b"PK\x03\x04" + bytes(500),
    }


def test_no_hostile_file_is_opened_or_leaves_anything_behind(pool: Pool, tmp_path: Path, temporary: Path) -> None:
    whole = KINDS["tiles.tif"].make(tmp_path)
    for future in asked(pool, whole):
        future.result()
    pids, before = pool.pids(), sum(size or 0 for size in pool.memory().values())

    files, outcomes = hostile(), {}
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        outcomes[name] = [outcome(future, name) for future in asked(pool, path)]

    assert outcomes == {name: ["refused", "refused"] for name in files}
    assert pool.pids() == pids  # nothing crashed
    assert list(temporary.iterdir()) == []
    assert sum(size or 0 for size in pool.memory().values()) < before + 100_000_000


def test_a_file_of_tens_of_thousands_of_pages_opens(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    path.write_bytes(tiff(16, 16, pages=20_000))

    value = pool.call("describe", {"path": str(path), "input": {}}, lane="desk").value

    assert (value["info"]["pages"], value["info"]["levels"]) == (20_000, 1)


def test_a_real_image_of_one_colour_is_no_bomb(pool: Pool, tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "blank.png"
    pyvips.Image.black(12_000, 12_000, bands=3).pngsave(str(path))

    assert path.stat().st_size < 1_000_000
    assert [outcome(future, path.name) for future in asked(pool, path)] == ["opened", "opened"]
    assert list(temporary.iterdir()) == []


def test_a_file_that_is_missing_is_refused_by_name(pool: Pool, tmp_path: Path) -> None:
    for future in asked(pool, tmp_path / "nowhere.png"):
        with pytest.raises(ImageError, match=r"^nowhere\.png: there is no such file\.$"):
            future.result()
