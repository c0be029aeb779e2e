"""Advice survives whatever a saved pipeline may hold: the odder the arguments, the more it is needed."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from augviz import catalog, saved
from augviz.advice import Case, advise
from augviz.errors import PipelineError
from augviz.model import Pipeline
from tests.advising import is_loadable
from tests.strategies import facts

_NUMBERS = st.sampled_from([0, 1, -1, 2, 7, 90, 255, 512, 10**9, 0.0, 0.5, -0.5, 1.0, 3.5, 1e9])
_VALUES = (
    _NUMBERS
    | st.none()
    | st.booleans()
    | st.lists(_NUMBERS, max_size=4)
    | st.fixed_dictionaries({"x": st.lists(_NUMBERS, min_size=2, max_size=2)}, optional={"y": _NUMBERS})
    | st.sampled_from(["uchar", "float", "double", "linear", "bilinear", "mirror", "centre", "north-west"])
)
_P = st.sampled_from([None, 0, 0.3, 0.5, 1, 1.5, -1])


def _args_taken(name: str, args: dict[str, Any]) -> dict[str, Any]:
    """Those arguments that the saved form accepts."""
    taken = {}
    for key, value in args.items():
        try:
            saved.load({"format": 1, "steps": [{"transform": name, "args": {**_needed(name), key: value}}]})
            taken[key] = value
        except PipelineError:
            pass
    return {**_needed(name), **taken}


def _needed(name: str) -> dict[str, Any]:
    form = saved.dump(Pipeline((catalog.initial_step(name, "a"),)))
    needed: dict[str, Any] = form["steps"][0].get("args", {})
    return needed


@st.composite
def _steps(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from([name for name in catalog.TRANSFORMS if name != "Lambda"]))
    params = [param.name for param in catalog.transform(name).params] + ["always_apply"]
    args = draw(st.dictionaries(st.sampled_from(params), _VALUES, max_size=4))
    step = {"transform": name, "args": _args_taken(name, args), "enabled": draw(st.sampled_from([True, True, False]))}
    p = draw(_P)
    return step if p is None else {**step, "p": p}


def _groups(members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(members, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries(
            {"group": st.sampled_from(["OneOf", "Sequential"]), "steps": some, "p": st.sampled_from([0, 0.5, 1])}
        ),
        st.fixed_dictionaries(
            {"group": st.just("SomeOf"), "n": st.sampled_from([0, 1, 2, 9]), "replace": st.booleans(), "steps": some}
        ),
        st.fixed_dictionaries({"group": st.just("OneOrOther"), "steps": st.lists(members, min_size=2, max_size=2)}),
    )


_ITEMS = st.recursive(_steps(), _groups, max_leaves=5)
_IMAGES = st.sampled_from(
    [None, facts(300, 200), facts(64, 64, 1), facts(300, 200, 4), facts(99, 99, 3, "ushort"), facts(99, 99, 3, "float")]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_ITEMS, max_size=5), _IMAGES, st.sampled_from([None, 1, 32]), st.booleans())
def test_no_pipeline_makes_a_rule_raise_and_every_fix_is_one_that_loads(
    items: list[Any], image: Any, stride: int | None, validation: bool
) -> None:
    try:
        pipeline = saved.load({"format": 1, "steps": items})
    except PipelineError:
        return
    targets = frozenset({"mask", "bboxes", "keypoints"}) if validation else frozenset()
    found = advise(Case(pipeline, image, stride=stride, validation=validation, targets=targets))

    for finding in found:
        assert finding.hit.evidence
        if finding.hit.fix is not None:
            assert finding.hit.fix.pipeline != pipeline, finding
            assert is_loadable(finding.hit.fix.pipeline), finding
