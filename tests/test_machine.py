"""What is found out about a machine's memory, from small trees of the files that Linux shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from augviz import machine
from augviz.machine import Machine, detect

KIB, GIB = 2**10, 2**30


def no_sysconf(name: str) -> int:
    raise AssertionError("asked though /proc tells")


def tree(folder: Path, files: dict[str, str]) -> tuple[Path, Path]:
    """Write files below `proc` and `cgroup`; returns both folders."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "proc", folder / "cgroup"


def meminfo(total: int = 64 * GIB, available: int | None = 50 * GIB) -> str:
    rows = [f"MemTotal:       {total // KIB} kB", "MemFree:        1 kB", "HugePages_Total:       0"]
    if available is not None:
        rows.insert(2, f"MemAvailable:   {available // KIB} kB")
    return "\n".join(rows) + "\n"


def found(folder: Path, **files: str) -> Machine:
    return detect(*tree(folder, {"proc/meminfo": meminfo(), **files}), no_sysconf)


def text(count: int) -> str:
    return f"{count / GIB:g} GiB"


def test_without_control_groups_the_machine_s_memory_counts(tmp_path: Path) -> None:
    here = found(tmp_path)

    assert here == Machine(64 * GIB, None, 50 * GIB, "/proc/meminfo")
    assert here.total_bytes == 64 * GIB
    assert here.sentence(text) == "This machine has 64 GiB, 50 GiB of it available now (/proc/meminfo)."


def test_a_limit_of_version_2_is_the_total(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "cgroup/memory.max": f"{8 * GIB}\n",
        "cgroup/memory.current": f"{5 * GIB}\n",
        "cgroup/memory.stat": f"anon {3 * GIB}\ninactive_file {2 * GIB}\n",
    }
    here = found(tmp_path, **files)

    assert (here.total_bytes, here.available_bytes) == (8 * GIB, 5 * GIB)
    assert here.sentence(text) == (
        "A control group allows 8 GiB of the machine's 64 GiB, 5 GiB of it available now (/proc/meminfo and memory.max)."
    )


def test_a_limit_of_version_1_is_the_total(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:cpu,memory:/job/7\n0::/\n",
        "cgroup/memory/job/7/memory.limit_in_bytes": f"{4 * GIB}\n",
        "cgroup/memory/job/7/memory.usage_in_bytes": f"{1 * GIB}\n",
    }
    here = found(tmp_path, **files)

    assert (here.total_bytes, here.available_bytes) == (4 * GIB, 3 * GIB)
    assert here.read_from == "/proc/meminfo and memory.limit_in_bytes"


def test_the_tightest_limit_of_the_groups_around_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/slice/job\n",
        "cgroup/slice/memory.max": f"{6 * GIB}\n",
        "cgroup/slice/memory.current": f"{5 * GIB}\n",
        "cgroup/slice/job/memory.max": f"{16 * GIB}\n",
    }
    here = found(tmp_path, **files)

    assert (here.total_bytes, here.available_bytes) == (6 * GIB, 1 * GIB)


@pytest.mark.parametrize("group", ["/docker/0123", "/../../outside"])
def test_a_group_that_is_not_seen_from_inside_leaves_the_root_s_limit(tmp_path: Path, group: str) -> None:
    files = {"proc/self/cgroup": f"0::{group}\n", "cgroup/memory.max": f"{2 * GIB}\n"}

    assert found(tmp_path, **files).total_bytes == 2 * GIB


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n", "", "many\n", f"{64 * GIB}\n"])
def test_a_limit_that_limits_nothing_is_none(tmp_path: Path, limit: str) -> None:
    files = {"proc/self/cgroup": "0::/\n", "cgroup/memory.max": limit}

    assert found(tmp_path, **files).limit_bytes is None


def test_what_is_available_is_never_more_than_the_machine_has_left(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": meminfo(available=1 * GIB),
        "proc/self/cgroup": "0::/\n",
        "cgroup/memory.max": f"{8 * GIB}\n",
    }

    assert found(tmp_path, **files).available_bytes == 1 * GIB


def test_an_old_kernel_that_does_not_tell_what_is_available_is_not_guessed_for(tmp_path: Path) -> None:
    here = found(tmp_path, **{"proc/meminfo": meminfo(available=None)})

    assert here.available_bytes is None
    assert here.sentence(text) == "This machine has 64 GiB (/proc/meminfo)."


def test_without_proc_the_system_is_asked_for_its_pages(tmp_path: Path) -> None:
    here = detect(
        tmp_path / "proc", tmp_path / "cgroup", {"SC_PHYS_PAGES": 4 * 2**20, "SC_PAGE_SIZE": 4096}.__getitem__
    )

    assert here == Machine(16 * GIB, None, None, "the system's page count")


def unknown_name(name: str) -> int:
    raise ValueError("unrecognized configuration name")


@pytest.mark.parametrize("sysconf", [None, unknown_name, lambda name: -1 if name == "SC_PHYS_PAGES" else 4096])
def test_a_machine_that_tells_nothing_is_unknown_and_never_zero(tmp_path: Path, sysconf) -> None:  # type: ignore[no-untyped-def]
    here = detect(tmp_path, tmp_path, sysconf)

    assert here.total_bytes is None
    assert here.sentence(text) == "The memory of this machine is unknown: enter it."


@given(st.text(max_size=200), st.text(max_size=60))
@example("max", "/\0")
def test_files_of_any_content_are_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, a: str, b: str
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    for name, content in {
        "proc/meminfo": a,
        "proc/self/cgroup": f"0::{b}\n4:memory:{b}",
        "cgroup/memory.max": a,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode("utf-8", "replace"))

    assert detect(folder / "proc", folder / "cgroup", None).total_bytes is None


def test_this_machine_is_found() -> None:
    here = detect()

    assert here.total_bytes is None or here.total_bytes > 2**28


@pytest.mark.parametrize("preset", [*machine.MACHINES, *machine.GPUS], ids=lambda preset: preset.id)
def test_every_preset_is_a_size_with_a_source(preset: machine.Preset) -> None:
    assert preset.memory_bytes % machine.GB == 0
    assert preset.memory_bytes >= 8 * machine.GB
    assert preset.source


@pytest.mark.parametrize("presets", [machine.MACHINES, machine.GPUS])
def test_ids_are_unique_and_sizes_go_up(presets: tuple[machine.Preset, ...]) -> None:
    assert len({preset.id for preset in presets}) == len(presets)
    assert [p.memory_bytes for p in presets] == sorted(p.memory_bytes for p in presets)


def test_sources_leave_the_figure_to_the_reader_s_unit() -> None:
    assert [
        p.source for p in (*machine.MACHINES, *machine.GPUS) if "GB" in p.source or p.source.strip() != p.source
    ] == []
