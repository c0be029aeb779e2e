"""Pipelines from text: what is read, what is reported instead, and that nothing is ever run."""

from __future__ import annotations

import inspect
import json
import random
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from augviz import batches, catalog, export, parse, saved
from augviz.checks import PAIR_KINDS
from augviz.errors import PipelineError
from augviz.library import A, quiet
from augviz.model import Group, Item, Pipeline, Step
from augviz.presets import PRESETS
from augviz.pycode import positional
from tests.strategies import pipelines

ROOT = Path(__file__).parent.parent
IMPORT = "import albumentationsxl as A\nimport pyvips\n"

pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")


def read(code: str, before: str = IMPORT) -> parse.Read:
    return parse.read(before + textwrap.dedent(code))


def steps(items: str, before: str = IMPORT) -> tuple[Item, ...]:
    """What is read of the items of a Compose, nothing of which may be lost."""
    found = parse.read(f"{before}t = A.Compose([{items}])\n")
    assert [note for note in found.notes if note.lost] == []
    return found.pipeline.steps


def step(item: str, before: str = IMPORT) -> Step:
    (found,) = steps(item, before)
    assert isinstance(found, Step)
    return found


def args(item: str, before: str = IMPORT) -> dict[str, Any]:
    return dict(step(item, before).args)


def names(pipeline: Pipeline) -> list[str]:
    return [leaf.transform for leaf in pipeline.leaves()]


def lost(found: parse.Read) -> list[tuple[int | None, str]]:
    return [(note.line, note.text) for note in found.notes if note.lost]


def failure(text: str, name: str = "") -> str:
    with pytest.raises(PipelineError) as error:
        parse.read(text, name)
    assert "\n" not in str(error.value)
    return str(error.value)


def outcome(text: str) -> str:
    """The sentence that refuses a text, else what was lost of it."""
    try:
        return " ".join(str(note) for note in parse.read(text).notes if note.lost)
    except PipelineError as error:
        return str(error)


# Round trips


def plain(items: tuple[Item, ...]) -> list[Any]:
    """Items without ids, and with every default filled in."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, Group):
            p = catalog.group(item.group).default_p if item.p is None else item.p
            found.append((item.group, item.n, item.replace in (None, True), p, plain(item.steps)))
            continue
        spec = catalog.transform(item.transform)
        values = {"always_apply": item.transform == "ToTensor", **catalog.resolved_args(item)}
        for param in spec.params:
            if param.kind in PAIR_KINDS:
                values[param.name] = catalog.pair(param, values[param.name]) or values[param.name]
        found.append((item.transform, values, spec.default_p if item.p is None else item.p))
    return found


def ids(items: tuple[Item, ...]) -> list[str]:
    return [id for item in items for id in (item.id, *(ids(item.steps) if isinstance(item, Group) else ()))]


@settings(max_examples=150, deadline=None)
@given(pipelines())
def test_what_is_exported_is_read_as_it_was(pipeline: Pipeline) -> None:
    for text in (export.compose(pipeline), export.dataset(pipeline)):
        found = parse.read(text)

        assert found.notes == ()
        assert plain(found.pipeline.steps) == plain(batches.enabled(pipeline.steps))
        assert export.expression(found.pipeline) == export.expression(pipeline)
        assert ids(found.pipeline.steps) == [f"s{i + 1}" for i in range(len(ids(found.pipeline.steps)))]
        assert len(found.composes) == 1


@settings(max_examples=60, deadline=None)
@given(pipelines())
def test_what_the_library_saves_is_read_as_it_was(pipeline: Pipeline) -> None:
    code: dict[str, Any] = {}
    with quiet():
        exec(export.compose(pipeline), code)
        text = json.dumps(A.to_dict(code["transform"]), default=repr)
    found = parse.read(text)

    assert [n.text for n in found.notes if n.lost and "(D38)" not in n.text] == []
    assert names(found.pipeline) == names(Pipeline(batches.enabled(pipeline.steps)))


def test_an_empty_pipeline_is_read() -> None:
    assert parse.read(export.compose(Pipeline())) == parse.Read(Pipeline(), (), (parse.Found(8, "transform"),))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_saved_form_is_read_with_its_ids(preset: Any) -> None:
    assert parse.read(saved.dumps(preset.pipeline)) == parse.Read(preset.pipeline)


def test_a_one_or_other_with_one_step_is_read_as_what_the_library_does() -> None:
    group = Group("g", "OneOrOther", (Step("a", "Flip"), Step("b", "NoOp", enabled=False)))
    found = parse.read(export.compose(Pipeline((group,))))

    assert found.pipeline.steps == (Group("s1", "OneOf", (Step("s2", "Flip"),), p=1.0),)
    assert lost(found) == []


# Positions


@pytest.mark.parametrize("name", [name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable])
def test_positions_are_those_of_the_installed_constructor(name: str) -> None:
    parameters = inspect.signature(getattr(A, name).__init__).parameters.values()

    assert positional(catalog.transform(name)) == tuple(
        p.name for p in parameters if p.name != "self" and p.kind is p.POSITIONAL_OR_KEYWORD
    )


@pytest.mark.parametrize("name", [*catalog.GROUPS, "Compose"])
def test_positions_of_groups_are_those_of_the_installed_constructor(name: str) -> None:
    from augviz import pycode

    ours = pycode._COMPOSE_POSITIONS if name == "Compose" else pycode._GROUP_POSITIONS[name]

    assert ours == tuple(inspect.signature(getattr(A, name).__init__).parameters)[1:]


def test_arguments_are_read_by_place_and_by_name() -> None:
    assert step("A.RandomBrightnessContrast(0.3, (0.1, 0.2), False, True, 0.7)") == Step(
        "s1",
        "RandomBrightnessContrast",
        (
            ("brightness_limit", 0.3),
            ("contrast_limit", (0.1, 0.2)),
            ("brightness_by_max", False),
            ("always_apply", True),
        ),
        0.7,
    )
    assert args("A.ElasticTransform(1.0, 9.0, pyvips.Interpolate.new('nearest'), 0, 0, True, False)") == {
        "alpha": 1.0,
        "sigma": 9.0,
        "interpolation": "nearest",
        "value": 0,
        "mask_value": 0,
        "always_apply": True,
        "same_dxdy": False,
    }


def test_what_the_library_refuses_and_is_read_all_the_same_is_said() -> None:
    found = read("A.Compose([A.Rotate(interpolation='bicubic'), A.Normalize((0.5,), [0.5])])")

    assert [note.text for note in found.notes] == [
        "Rotate: interpolation is read as pyvips.Interpolate.new('bicubic'), as the library asks.",
        "Normalize: mean is read as a list, the library refuses a tuple (D15).",
    ]
    assert lost(found) == []


# Imports


@pytest.mark.parametrize(
    "code",
    [
        "import albumentationsxl as A\nt = A.Compose([A.Rotate(limit=20), A.OneOf([A.Flip()])])",
        "import albumentationsxl as aug\nt = aug.Compose([aug.Rotate(limit=20), aug.OneOf([aug.Flip()])])",
        "import albumentationsxl\nx = albumentationsxl\nt = x.Compose([x.Rotate(limit=20), x.OneOf([x.Flip()])])",
        "from albumentationsxl import Rotate, Flip, OneOf, Compose as C\nt = C([Rotate(limit=20), OneOf([Flip()])])",
        "from albumentationsxl import *\nt = Compose([Rotate(limit=20), OneOf([Flip()])])",
        "from albumentationsxl.core.composition import Compose as C, OneOf as O\nimport albumentationsxl as A\n"
        "t = C([A.Rotate(limit=20), O([A.Flip()])])",
        "try:\n  import albumentationsxl as A\nexcept ImportError:\n  import albumentations as A\n"
        "t = A.Compose([A.Rotate(limit=20), A.OneOf([A.Flip()])])",
        "t = A.Compose([A.Rotate(limit=20), A.OneOf([A.Flip()])])",
        "t = A.Compose(transforms=(A.Rotate(limit=20), A.OneOf((A.Flip(),))), p=1)",
        "A.Rotate(limit=20), A.OneOf([A.Flip()])",
        "[A.Rotate(limit=20), A.OneOf([A.Flip()])]",
        "        self.t = A.Compose(\n    [A.Rotate(limit=20), A.OneOf([A.Flip()])]\n    )\n",
        "    self.t = A.Compose(\n        [A.Rotate(limit=20), A.OneOf([A.Flip()])]\n    )\n",
        "import albumentationsxl as A\nB = A.Compose\nR = A.Rotate\nt = B([R(limit=20), A.OneOf([A.Flip()])])",
    ],
)
def test_every_way_to_import_and_to_write_it_is_read(code: str) -> None:
    found = parse.read(code)

    assert lost(found) == []
    assert found.pipeline == Pipeline(
        (Step("s1", "Rotate", (("limit", 20),)), Group("s2", "OneOf", (Step("s3", "Flip"),)))
    )


def test_composes_of_other_libraries_are_none() -> None:
    code = "from torchvision import transforms as T\nt = T.Compose([T.RandomRotation(3)])\n"

    assert "no Compose of albumentationsxl" in failure(code)
    assert names(parse.read(code + IMPORT + "u = A.Compose([A.Flip()])").pipeline) == ["Flip"]


# Places


def test_composes_in_classes_and_functions_are_found_with_their_names() -> None:
    found = read("""
        class Data:
            SIDE = 320
            def __init__(self, size):
                SIDE = 16
                self.transforms = A.Compose([A.RandomCrop(SIDE, SIDE)])

        def valid():
            return A.Compose([A.CenterCrop(8, 8)])

        test: object = A.Compose([A.NoOp()])
        """)

    assert found.composes == (parse.Found(8, "self.transforms"), parse.Found(11, "valid()"), parse.Found(13, "test"))
    assert found.pipeline.steps == (Step("s1", "RandomCrop", (("height", 16), ("width", 16))),)
    assert [str(note) for note in found.notes] == [
        "line 11: Another Compose, valid(), was left; it is number 2 of 3.",
        "line 13: Another Compose, test, was left; it is number 3 of 3.",
    ]
    assert lost(found) == []


def test_another_compose_is_read_by_its_number() -> None:
    code = IMPORT + "a = A.Compose([A.Flip()])\nb = A.Compose([A.NoOp()])\n"

    assert names(parse.read(code, number=2).pipeline) == ["NoOp"]
    with pytest.raises(PipelineError, match=r"^t\.py: There is no Compose number 3, there are 2\.$"):
        parse.read(code, "t.py", number=3)


def test_the_first_compose_that_can_be_read_is_taken() -> None:
    found = read("def build(items):\n    return A.Compose(items)\n\nt = A.Compose([A.Flip()])\n")

    assert (found.number, names(found.pipeline)) == (2, ["Flip"])


def test_lists_and_items_bound_to_names_are_read() -> None:
    found = read("""
        flip = A.HorizontalFlip(p=0.3)
        common = [flip, A.Transpose()]
        colour = A.OneOf([A.RandomGamma(), A.HueSaturationValue()])
        steps = common + [colour]
        train = A.Compose(steps + [A.NoOp()])
        valid = A.Compose([*common, A.NoOp()])
        """)

    assert lost(found) == []
    assert names(found.pipeline) == ["HorizontalFlip", "Transpose", "RandomGamma", "HueSaturationValue", "NoOp"]
    assert ids(found.pipeline.steps) == ["s1", "s2", "s3", "s4", "s5", "s6"]


def test_a_compose_that_is_a_part_of_another_is_not_offered() -> None:
    found = read("inner = A.Compose([A.Flip()])\nt = A.Compose([inner, A.NoOp()])\n")

    assert found.composes == (parse.Found(4, "t"),)
    assert found.pipeline.steps[0] == Group("s1", "Sequential", (Step("s2", "Flip"),), p=1.0)
    assert [(note.line, note.lost) for note in found.notes] == [(3, False)]


def test_words_are_quoted_from_indented_fragments_and_odd_lines() -> None:
    found = parse.read("\x0c\r\n    self.train = A.Compose([A.Flip(), # \u2028 ä\r\n      build('ä')])")

    assert found.composes == (parse.Found(2, "self.train"),)
    assert lost(found) == [(3, "build('ä') is a call that is not known; it was left out.")]


# Groups


def test_every_group_is_read() -> None:
    found = steps("""
        A.OneOf([A.Flip(), A.Sequential([A.Blur(), A.NoOp()], 0.3)], p=0.9),
        A.SomeOf([A.Flip(), A.NoOp()], 2, False, 0.4),
        A.OneOrOther(A.Flip(), A.NoOp(), p=0.2),
        A.OneOrOther(first=A.Flip(), second=A.OneOf([A.NoOp()])),
        A.OneOrOther(transforms=[A.Flip(), A.NoOp()]),
        """)

    assert found == (
        Group(
            "s1",
            "OneOf",
            (Step("s2", "Flip"), Group("s3", "Sequential", (Step("s4", "Blur"), Step("s5", "NoOp")), 0.3)),
            0.9,
        ),
        Group("s6", "SomeOf", (Step("s7", "Flip"), Step("s8", "NoOp")), 0.4, 2, False),
        Group("s9", "OneOrOther", (Step("s10", "Flip"), Step("s11", "NoOp")), 0.2),
        Group("s12", "OneOrOther", (Step("s13", "Flip"), Group("s14", "OneOf", (Step("s15", "NoOp"),)))),
        Group("s16", "OneOrOther", (Step("s17", "Flip"), Step("s18", "NoOp"))),
    )


def test_a_compose_in_a_choice_says_what_is_forced() -> None:
    found = read("A.Compose([A.OneOf([A.Compose([A.Flip()]), A.Compose([A.Flip(p=1)], p=0.2)])])")

    assert [line for line, _ in lost(found)] == [3]
    assert "(D51)" in lost(found)[0][1]
    assert found.pipeline.steps[0].steps[1].p == 0.2


def test_a_compose_inside_with_a_probability_says_that_it_always_runs() -> None:
    found = read("A.Compose([A.Compose([A.Flip()], p=0.2)])")

    assert "p=0.2 has no place here" in lost(found)[0][1]


def test_what_a_compose_has_besides_its_steps_is_set_aside() -> None:
    found = read("""
        A.Compose(
            [A.Flip()],
            bbox_params=A.BboxParams(format="coco"),
            keypoint_params=A.KeypointParams("xy"),
            additional_targets=None,
            is_check_shapes=False,
        )""")

    assert [(note.text.split()[0], note.lost) for note in found.notes] == [
        ("bbox_params", False),
        ("keypoint_params", False),
    ]


def test_the_probability_of_the_whole_pipeline_is_reported() -> None:
    assert lost(read("A.Compose([A.Flip()], p=0.5)")) == [
        (3, "Compose: p=0.5 has no place here; its steps always run, each with its own p.")
    ]
    assert lost(read("A.Compose([A.Flip()], p=q)"))[0] == (
        3,
        "Compose: p cannot be read, q is not in the text; it was left out.",
    )


# What cannot be read


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("A.Blur() if train else A.NoOp()", "A.Blur() if train else A.NoOp() depends on a condition"),
        ("train and A.Blur()", "depends on a condition"),
        ("*[A.Blur() for _ in range(3)]", "is a comprehension"),
        ("*extra", "extra is not in the text"),
        ("*more()", "*more() is a call that is not known"),
        ("extra", "extra is not in the text"),
        ("make_blur(3)", "make_blur(3) is a call that is not known"),
        ("self.blur", "self.blur belongs to something"),
        ("parts[0]", "parts[0] is taken out of something else"),
        ("lambda x: x", "is a function"),
        ("[A.Blur()]", "[A.Blur()] is a list where a step should be"),
        ("None", "None is not known here"),
        ("A.Blurr()", "Blurr is not in albumentationsxl"),
        ("A.Lambda(image=lambda x, **k: x)", "Lambda: it cannot be used, its constructor raises"),
        ("A.OneOf([extra])", "OneOf: none of its steps could be read"),
        ("A.SomeOf([A.Blur()], n=count)", "SomeOf: n, how many steps to apply, could not be read"),
        ("A.SomeOf([A.Blur()], n=1.5)", "SomeOf: n must be a whole number"),
        ("A.OneOrOther(A.Blur(), extra)", "OneOrOther: one of its two steps could not be read"),
        ("A.Resize(height=8)", "Resize: width must be given; the step was left out"),
        ("A.Resize(height=side, width=8)", "Resize: height cannot be read, side is not in the text"),
        ("A.Resize('8', 8)", 'Resize: height must be a number, got "8"'),
    ],
)
def test_an_item_that_cannot_be_read_is_reported_and_the_rest_is_offered(item: str, words: str) -> None:
    found = read(f"A.Compose([\n    A.Flip(),\n    {item},\n    A.Transpose(),\n])")

    assert names(found.pipeline) == ["Flip", "Transpose"]
    assert any(words in text for _, text in lost(found)), lost(found)
    assert {line for line, _ in lost(found)} == {5}


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("limit='wide'", 'limit must be a number or a pair of numbers, got "wide"; the argument was left out'),
        ("limits=3", 'there is no argument "limits"'),
        ("limit=random.randint(3, 9)", "limit cannot be read, random.randint(3, 9) is a call that is not known"),
        ("limit=10 if train else 0", "limit cannot be read, 10 if train else 0 depends on a condition"),
        ("limit=cfg.limit", "limit cannot be read, cfg.limit belongs to"),
        ("limit=2 ** 3", "limit cannot be read"),
        ("limit=1 << 3", "limit cannot be read"),
        ("limit=9 % 5", "limit cannot be read"),
        ("limit=1 / 0", "1 / 0 is no number"),
        ("limit=1e308 * 10", "finite"),
        ("limit=float('inf')", "limit must be a finite number"),
        ("limit=-float('inf')", "limit must be a finite number"),
        ("limit=90000000000000000", "limit cannot be read, a whole number is beyond 9007199254740992"),
        ("limit=9007199254740992 * 2", "a whole number is beyond"),
        ("limit=-'a'", "'a' is no number"),
        ("limit=[1] + 3", "[1] is no number"),
        ("limit=[1] * 3", "limit must be a number or a pair of numbers"),
        ("limit=[1] * 1001", "[1] * 1001 repeats a list, but not 0 to 1000 times"),
        ("limit=[1] * -1", "repeats a list, but not 0 to 1000 times"),
        ("limit=[1] * 2.0", "repeats a list, but not 0 to 1000 times"),
        ("limit=[1] * [2]", "repeats a list, but not 0 to 1000 times"),
        ("limit=True", "limit must be"),
        ("limit=b'3'", "limit cannot be read"),
        ("limit=3j", "limit cannot be read"),
        ("limit=...", "limit cannot be read"),
        ("limit=f'{3}'", "limit cannot be read"),
        ("limit={1: 2}", "has keys that are not texts"),
        ("limit={**a}", "has keys that are not texts"),
        ("limit=pyvips.Interpolate.new('nearest')", "limit must be a number or a pair of numbers"),
        ("interpolation=pyvips.Interpolate.new('sharp')", "interpolation must be one of nearest"),
        ("p='often'", "p must be a number"),
        ("p=chance", "p cannot be read, chance is not in the text"),
        ("always_apply=1", "always_apply must be true or false"),
        ("**options", "**options cannot be read"),
        ("**{'limit': 9, 'p': often}", "p cannot be read"),
        ("*values", "*values is given by a place that cannot be told"),
        ("10, limit=20", "limit is given twice"),
    ],
)
def test_an_argument_that_is_not_valid_is_reported_and_its_step_kept(argument: str, words: str) -> None:
    found = read(f"A.Compose([\n    A.Rotate({argument}),\n])")

    assert names(found.pipeline) == ["Rotate"]
    assert len(lost(found)) == 1, lost(found)
    assert words in lost(found)[0][1]
    assert lost(found)[0][0] == 4


def test_an_interpolation_object_is_no_kernel() -> None:
    found = read("A.Compose([A.Resize(8, 8, pyvips.Interpolate.new('nearest'))])")

    assert 'interpolation must be a text, got {"pyvips.Interpolate": "nearest"}' in lost(found)[0][1]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from config import P\nt = A.Compose([A.Flip(p=P)])", "P is imported"),
        ("def f(p):\n  return A.Compose([A.Flip(p=p)])", "p is an argument of the function"),
        ("p = get()\nt = A.Compose([A.Flip(p=p)])", "p cannot be read, get() is a call"),
        ("if x:\n  p = 1\nelse:\n  p = 0\nt = A.Compose([A.Flip(p=p)])", "p is bound more than once"),
        ("for p in (0, 1):\n  t = A.Compose([A.Flip(p=p)])", "p is bound to something"),
        ("p = 1\nfor i in x:\n  t = A.Compose([A.Flip(p=p)])\n  p = 0", "p is bound more than once"),
        ("p = 1\np += 1\nt = A.Compose([A.Flip(p=p)])", "p is changed in line 4"),
        ("def f():\n  global p\n  p = 0\np = 1\nt = A.Compose([A.Flip(p=p)])", "p is changed in line 4"),
        ("t = A.Compose([A.Flip(p=p)])\np = 1", "p is bound further down only"),
        ("p = 1\np = 0\ndef f():\n  return A.Compose([A.Flip(p=p)])", "p is bound more than once"),
        ("class C:\n  p = 1\n  def f(self):\n    return A.Compose([A.Flip(p=p)])", "p is not in the text"),
        ("a = a1 = [p]\np = a\nt = A.Compose([A.Flip(p=p)])", "p"),
        ("(p := 1)\nt = A.Compose([A.Flip(p=p)])", "p is bound to something"),
        ("a, *p = 1, 2\nt = A.Compose([A.Flip(p=p)])", "p is bound to something"),
    ],
)
def test_a_name_that_is_not_certain_is_reported_with_the_reason(code: str, words: str) -> None:
    found = read(code)

    assert any(words in text for _, text in lost(found)), lost(found)


def test_a_name_bound_again_in_straight_lines_counts_from_there() -> None:
    found = read("p = 0.1\na = A.Compose([A.Flip(p=p)])\np = 0.2\nb = A.Compose([A.Flip(p=p)])\n")

    assert lost(found) == []
    assert found.pipeline.steps[0].p == 0.1


@pytest.mark.parametrize(
    "change", ["items.append(A.NoOp())", "items += [A.NoOp()]", "items[0] = A.NoOp()", "del items[0]"]
)
def test_a_list_that_is_changed_in_place_is_not_read_as_it_was(change: str) -> None:
    code = f"items = [A.Flip()]\nif train:\n    {change}\nt = A.Compose(items)\n"

    assert "line 6: items is changed in line 5; it was left out." in failure(IMPORT + code)


def test_a_text_without_compose_offers_its_transforms() -> None:
    one = read("flip = A.Flip()\n")
    several = read("flip = A.Flip()\nturn = A.OneOf([A.Rotate()])\n")

    assert (names(one.pipeline), one.notes) == (["Flip"], ())
    assert names(several.pipeline) == ["Flip", "Rotate"]
    assert "There is no Compose" in lost(several)[0][1]


# Hostile texts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no Compose"),
        ("hello", "no Compose"),
        ("x" * 1_000_001, "more than 1000000"),
        ("a " * 100_001, "more than 100000"),
        ("A.Compose([A.Flip(]", "line 1"),
        ("\n\nx = = 2", "not valid Python in line 3"),
        ("A.Compose([\0])", "null bytes"),
        ("A.Compose(['\ud800'])", "not valid Python"),
        ("(" * 300, "not valid Python"),
        ("A.Compose(" + "-" * 50_000 + "1)", "nested too deeply"),
        ("A.Compose([A.Flip()]" + " + [A.Flip()]" * 5_000 + ")", "nested too deeply"),
        ("a" + ".b" * 40_000, "nested too deeply"),
        ("A.Compose([A.Flip(p=" + "9" * 5000 + ")])", "not valid Python"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("{" + "9" * 5000, "not valid JSON"),
    ],
)
def test_a_hostile_text_is_one_sentence(text: str, words: str) -> None:
    assert words in failure(text, "t.py")
    assert failure(text, "t.py").startswith("t.py: ")


def test_lists_that_double_with_each_name_are_refused() -> None:
    doubling = "".join(f"l{i + 1} = l{i} + l{i}\n" for i in range(30))

    assert "more than 50000 parts" in failure(f"{IMPORT}l0 = [A.Flip()]\n{doubling}t = A.Compose(l30)\n")
    values = "".join(f"v{i + 1} = [v{i}, v{i}]\n" for i in range(25))
    assert "more than 50000 parts" in failure(f"{IMPORT}v0 = 1\n{values}t = A.Compose([A.Flip(p=v25)])\n")


def test_names_that_lead_to_themselves_end() -> None:
    code = "def f():\n  g = lambda: A.Compose([h, A.Flip()])\n  h = lambda: g\n  i = j\n  j = i\n  k = lambda: A.Flip(p=i)\n"

    found = read(code)

    assert names(found.pipeline) == ["Flip"]


def test_notes_hold_no_control_characters() -> None:
    found = read("A.Compose([A.Flip(**{'a\\x1b[31m\\n': 1}), make('\x1b]0;title\x07')])")

    assert len(lost(found)) == 2
    assert all(text.isprintable() for _, text in lost(found)), lost(found)


def test_deep_expressions_are_reported() -> None:
    deep = "A.OneOf([" * 40 + "A.Flip()" + "])" * 40

    assert "nested" in failure(f"{IMPORT}t = A.Compose([{deep}])")
    sums = "1" + " + 1" * 200
    assert "nested too deeply" in lost(read(f"A.Compose([A.Flip(p={sums})])"))[0][1]


def test_many_bindings_and_calls_take_no_time_to_speak_of() -> None:
    many = "".join(f"p = {i}\n" for i in range(3000)) + "x = [" + "p.a(), " * 15_000 + "]\n"

    assert "p is bound more than once" in lost(read(many + "A.Compose([A.Flip(p=p)])"))[0][1]


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nt = A.Compose([A.Flip(p=pathlib.Path({str(mark)!r}).touch())])"

    parse.read(code)

    assert not mark.exists()


def test_reading_imports_neither_pyvips_nor_the_library() -> None:
    code = (
        "import sys; from augviz import parse; parse.read('A.Compose([A.Flip()])');"
        "print(sorted({'pyvips', 'albumentationsxl', 'cv2', 'torch', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert (result.stdout, result.stderr) == ("[]\n", "")


@settings(max_examples=100, deadline=None)
@given(pipelines(max_steps=2))
def test_a_damaged_export_is_read_or_refused_by_a_sentence(pipeline: Pipeline) -> None:
    text = export.compose(pipeline)
    generator = random.Random(text)
    for _ in range(5):
        at, length = generator.randrange(len(text)), generator.randrange(1, 9)
        damaged = text[:at] + generator.choice(["", "(", "]", "\0", "9", ".", "*", "if "]) + text[at + length :]
        assert "\n" not in outcome(damaged)


# Bytes and JSON


def test_bytes_may_have_a_byte_order_mark() -> None:
    assert names(parse.read_bytes(b"\xef\xbb\xbfA.Compose([A.Flip()])").pipeline) == ["Flip"]
    with pytest.raises(PipelineError, match=r"^p\.py: The pipeline is not text in UTF-8\.$"):
        parse.read_bytes(b"\xff\xfe\x00", "p.py")


def test_what_the_library_saves_is_read_without_its_defaults() -> None:
    with quiet():
        compose = A.Compose(
            [
                A.RandomScale((-0.2, 0.1)),
                A.OneOf([A.Flip(), A.SomeOf([A.Blur(9, p=0.2)], n=1, replace=False)], p=0.9),
                A.OneOrOther(A.NoOp(), A.CoarseDropout(max_height=4)),
                A.Compose([A.Normalize([0.5], [0.25])]),
                A.PadIfNeeded(value=0, position="north-west"),
                A.ToTensor(),
            ],
            bbox_params=A.BboxParams("coco"),
        )
        found = parse.read(json.dumps(A.to_dict(compose)))

    assert saved.dump(found.pipeline)["steps"] == [
        {"id": "s1", "transform": "RandomScale", "args": {"scale_limit": [-0.2, 0.1]}},
        {
            "id": "s2",
            "group": "OneOf",
            "p": 0.9,
            "steps": [
                {"id": "s3", "transform": "Flip"},
                {
                    "id": "s4",
                    "group": "SomeOf",
                    "n": 1,
                    "replace": False,
                    "p": 1,
                    "steps": [{"id": "s5", "transform": "Blur", "args": {"blur_limit": [3, 9]}, "p": 0.2}],
                },
            ],
        },
        {
            "id": "s6",
            "group": "OneOrOther",
            "p": 0.5,
            "steps": [
                {"id": "s7", "transform": "NoOp"},
                {
                    "id": "s8",
                    "transform": "CoarseDropout",
                    "args": {
                        "max_height": 4,
                        "min_height": 4,
                        "min_holes": 8,
                        "min_width": 8,
                    },
                },
            ],
        },
        {
            "id": "s9",
            "group": "Sequential",
            "p": 1.0,
            "steps": [{"id": "s10", "transform": "Normalize", "args": {"mean": [0.5], "std": [0.25]}}],
        },
        {"id": "s11", "transform": "PadIfNeeded", "args": {"value": 0}},
        {"id": "s12", "transform": "ToTensor"},
    ]
    assert [(note.text.split(":")[0], note.lost) for note in found.notes] == [
        ("bbox_params is set aside", False),
        ("Compose inside of Compose is read as Sequential.", False),
        ("PadIfNeeded", False),
    ]


def test_a_single_saved_transform_is_a_pipeline() -> None:
    assert names(parse.read(json.dumps(A.to_dict(A.Blur()))).pipeline) == ["Blur"]


def test_an_interpolation_object_that_was_saved_as_text_is_reported() -> None:
    found = parse.read(json.dumps(A.to_dict(A.Rotate(limit=20)), default=repr))

    assert found.pipeline.steps == (Step("s1", "Rotate", (("limit", (-20, 20)),)),)
    assert [note.lost for note in found.notes] == [True]
    assert str(found.notes[0]) == "Rotate: the file does not tell which interpolation (D38); the default is taken."


def test_a_file_that_the_library_left_half_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        A.save(A.Rotate(), str(tmp_path / "t.json"))

    assert "(D38)" in failure((tmp_path / "t.json").read_text())


@pytest.mark.parametrize(
    "entry",
    [
        {"__class_fullname__": "Compose", "transforms": 3},
        {"__class_fullname__": "Compose", "transforms": [3]},
        {"__class_fullname__": 3},
        {"__class_fullname__": "Compose", "transforms": [{"__class_fullname__": "Lambda", "__name__": "x"}]},
        {"__class_fullname__": "OneOf", "transforms": []},
        {"__class_fullname__": "Resize", "height": float("nan"), "width": [[[]]]},
        {"__class_fullname__": "GaussNoise", "std_range": [1e200, 10**400], "mean_range": {}},
    ],
)
def test_wrong_library_json_is_one_sentence_or_has_notes(entry: dict[str, Any]) -> None:
    text = json.dumps({"__version__": "1.3.1", "transform": entry})

    assert outcome(text) != ""
    assert "\n" not in outcome(text)


def test_deep_library_json_is_refused() -> None:
    entry: dict[str, Any] = {"__class_fullname__": "Flip"}
    for _ in range(30):
        entry = {"__class_fullname__": "OneOf", "transforms": [entry]}

    assert "nested" in failure(json.dumps({"transform": entry}))


def test_a_cut_file_called_json_is_told_as_json() -> None:
    with pytest.raises(PipelineError, match=r"^cut\.json: .*JSON"):
        parse.read("[1,2", "cut.json")
