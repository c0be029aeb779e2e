"""Values of Python text: what is read of them, as which type, and what is not computed."""

from __future__ import annotations

import textwrap

import pytest

from augviz.model import XY, Step
from tests.test_parse import IMPORT, args, failure, names, read, steps

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("30", 30),
        ("-30", -30),
        ("(-30, +30.5)", (-30, 30.5)),
        ("[10, 20]", (10, 20)),
        ("2 * 7", 14),
        ("(1 / 255, 90 - 2 * 3.5)", (1 / 255, 83.0)),
        ("90 // 4", 22),
        ("float('12.5')", 12.5),
    ],
)
def test_numbers_are_read(written: str, value: object) -> None:
    found = args(f"A.Rotate(limit={written})")["limit"]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "written", ["[0.5] * 3", "3 * [0.5]", "(0.5,) * 3", "3 * (0.5,)", "one * bands", "[1 / 2] * (4 - 1)"]
)
def test_a_list_times_a_number_is_read(written: str) -> None:
    names = f"{IMPORT}one, bands = [0.5], 3\n"
    [step] = steps(f"A.Normalize(mean={written}, std=[0.1, 0.2] * 2)", names)

    assert isinstance(step, Step)
    assert dict(step.args) == {"mean": (0.5, 0.5, 0.5), "std": (0.1, 0.2, 0.1, 0.2)}


def test_ints_and_floats_stay_apart() -> None:
    found = args("A.CoarseDropout(max_height=8, max_width=8.0)")

    assert [type(found[key]) for key in ("max_height", "max_width")] == [int, float]


def test_axes_texts_none_and_bools_are_read() -> None:
    assert args('A.Affine(scale={"x": (0.9, 1), "y": 1.5}, mode="mirror", rotate=None, fit_output=True)') == {
        "scale": XY((0.9, 1), 1.5),
        "mode": "mirror",
        "rotate": None,
        "fit_output": True,
    }


def test_names_bound_to_literals_above_are_read() -> None:
    before = IMPORT + textwrap.dedent("""
        MEAN, STD = [0.4, 0.5, 0.6], [0.1] + []
        P: float = 0.5
        SIDE = 2 * 7
        OPTIONS = {"height": SIDE, "width": 32}
        MEAN_TWO = MEAN
        SCALE = 1 / 255
        STD_TWO = [SCALE, 2 * SCALE, 1.0]
        """).replace("[0.1] + []", "[0.1, 0.2, 0.3]")

    assert steps("A.Normalize(MEAN_TWO, STD_TWO), A.Resize(**OPTIONS), A.Flip(p=P / 2)", before) == (
        Step("s1", "Normalize", (("mean", (0.4, 0.5, 0.6)), ("std", (1 / 255, 2 / 255, 1.0)))),
        Step("s2", "Resize", (("height", 14), ("width", 32))),
        Step("s3", "Flip", (), 0.25),
    )


@pytest.mark.parametrize(
    ("imports", "written"),
    [
        ("import pyvips", 'pyvips.Interpolate.new("bicubic")'),
        ("import pyvips as vips", 'vips.Interpolate.new("bicubic")'),
        ("from pyvips import Interpolate", 'Interpolate.new("bicubic")'),
        ("from pyvips import Interpolate as I\ncubic = I.new('bicubic')", "cubic"),
    ],
)
def test_interpolation_objects_are_read_by_name(imports: str, written: str) -> None:
    found = args(f"A.Rotate(interpolation={written})", f"import albumentationsxl as A\n{imports}\n")

    assert found == {"interpolation": "bicubic"}


def test_enums_are_read_as_their_texts() -> None:
    assert args("A.PadIfNeeded(position=A.PadIfNeeded.PositionType.TOP_LEFT, border_mode=pyvips.Extend.MIRROR)") == {
        "position": "north-west",
        "border_mode": "mirror",
    }
    assert args("A.Resize(2, 3, pyvips.enums.Kernel.LANCZOS3)")["interpolation"] == "lanczos3"
    assert args("A.CropOrPad(2, 3, pyvips.CompassDirection.NORTH_EAST)")["direction"] == "north-east"


def test_lists_that_are_repeated_over_and_over_are_refused() -> None:
    values = "".join(f"v{n} = [v{n - 1}] * 1000\n" for n in range(1, 6))

    assert "more than 50000 parts" in failure(f"{IMPORT}v0 = [0.5] * 1000\n{values}t = A.Compose([A.Flip(p=v5)])\n")


def test_large_powers_and_products_are_not_computed() -> None:
    for huge in ("9 ** 9 ** 9", "'a' * 10 ** 10", "1 << 10 ** 12", "(0,) * 10 ** 10", "0x" + "f" * 100_000):
        assert names(read(f"A.Compose([A.Flip(p={huge})])").pipeline) == ["Flip"]
