"""Each rule of advice fires where it should, spares what is just right, and its fixes mend what it found."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augviz import catalog, engine, saved
from augviz.advice import RULES, Case, advise
from augviz.model import Group, Pipeline, Step
from augviz.presets import PRESETS
from tests import strategies
from tests.advising import Example, again, drawn, hits, is_loadable, names

_TABLES = [
    importlib.import_module(f"tests.{path.stem}") for path in sorted(Path(__file__).parent.glob("advice_cases*.py"))
]
FIRES: dict[str, tuple[Example, ...]] = {rule: each for table in _TABLES for rule, each in table.FIRES.items()}
SPARES: dict[str, tuple[Example, ...]] = {rule: each for table in _TABLES for rule, each in table.SPARES.items()}

MOST_FIXES = 40


def _rows(table: dict[str, tuple[Example, ...]]) -> list[object]:
    return [pytest.param(rule, row, id=f"{rule}: {row.about}") for rule, each in table.items() for row in each]


def test_every_rule_has_a_case_where_it_fires_and_one_that_it_spares() -> None:
    known = {rule.name for rule in RULES}

    assert known - FIRES.keys() == set()
    assert known - SPARES.keys() == set()
    assert (FIRES.keys() | SPARES.keys()) - known == set()


@pytest.mark.parametrize(("rule", "row"), _rows(FIRES))
def test_a_rule_fires_and_says_what_and_why_with_a_figure(rule: str, row: Example) -> None:
    case = row.make()
    found = hits(rule, case)
    ids = {item.id for item, _chance in case.chances()}

    assert found
    for hit in found:
        assert hit.step is None or hit.step in ids
        assert re.search(r"\d", hit.evidence), hit.evidence
        for sentence in (hit.message, hit.evidence):
            assert sentence[0].isupper() or sentence[0].isdigit() or sentence.startswith("uint")
            assert sentence.endswith("."), sentence
            assert "\n" not in sentence


@pytest.mark.parametrize(("rule", "row"), _rows(SPARES))
def test_a_rule_spares_what_is_just_right(rule: str, row: Example) -> None:
    assert hits(rule, row.make()) == ()


@pytest.mark.parametrize(("rule", "row"), _rows(FIRES))
def test_a_fix_mends_what_the_rule_found_and_nothing_in_it_is_wrong(rule: str, row: Example) -> None:
    case = row.make()
    for hit in hits(rule, case):
        if hit.fix is None:
            continue
        mended = again(case, hit.fix.pipeline)

        assert hit.step not in {other.step for other in hits(rule, mended)} or not _same(hit.step, case, mended)
        assert is_loadable(hit.fix.pipeline)
        assert _troubles(mended) <= _troubles(case)
        assert {failure.step for failure in mended.failures} <= {failure.step for failure in case.failures}
        assert 0 < len(hit.fix.label) <= 50


def _same(step: str | None, case: Case, mended: Case) -> bool:
    """Whether a step of that id is still there; the pipeline as a whole always is."""
    return step is None or step in {item.id for item, _chance in mended.chances()}


def _troubles(case: Case) -> set[str]:
    """What the catalogue has against the steps of a case, and what cannot be built."""
    found = {p.message for step in case.steps() for p in catalog.problems(step, case.seen(step))}
    for number, step in enumerate(case.steps(), start=1):
        engine.build_step(step, number)
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_a_row_with_a_name_and_a_sentence(rule: object) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    assert rule.about.endswith(".")
    assert "|" not in rule.about
    assert [row.name for row in RULES].count(rule.name) == 1


# All fixes


def _all_fixed(case: Case) -> tuple[Case, int]:
    """The case with the first fix of its findings taken, again and again until there is none, and how many were taken."""
    seen = {saved.canonical(case.pipeline)}
    for count in range(MOST_FIXES):
        fixes = [finding.hit.fix.pipeline for finding in advise(case) if finding.hit.fix is not None]
        new = [fixed for fixed in fixes if saved.canonical(fixed) not in seen]
        if not new:
            return case, count
        seen.add(saved.canonical(new[0]))
        case = again(case, new[0])
    return case, MOST_FIXES


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
@pytest.mark.parametrize("size", [(512, 512), (600, 400)])
def test_taking_every_fix_of_a_preset_ends_with_nothing_left_to_fix(preset: object, size: tuple[int, int]) -> None:
    case, count = _all_fixed(drawn(preset.pipeline, strategies.facts(*size)))

    assert count < 12
    assert [finding.rule for finding in advise(case) if finding.hit.fix is not None] == []
    assert is_loadable(case.pipeline)
    assert case.failures == ()


@settings(max_examples=40, deadline=None)
@given(strategies.pipelines(max_steps=5, width=320, height=256), st.booleans())
def test_taking_every_fix_ends_and_keeps_the_pipeline_sound(pipeline: Pipeline, validation: bool) -> None:
    case = drawn(pipeline, strategies.facts(320, 256), stride=32, validation=validation)

    mended, count = _all_fixed(case)

    assert count < MOST_FIXES
    assert is_loadable(mended.pipeline)
    assert _groups_are_whole(mended.pipeline)


def _groups_are_whole(pipeline: Pipeline) -> bool:
    from augviz import edits

    return all(edits.is_complete(item) for item in edits.items(pipeline) if isinstance(item, Group))


# What a rule may depend on


@settings(max_examples=40, deadline=None)
@given(strategies.pipelines(max_steps=5, width=320, height=256))
def test_findings_do_not_change_with_the_draw_that_is_shown(pipeline: Pipeline) -> None:
    case = drawn(pipeline, strategies.facts(320, 256))
    if case.draw is None or len(case.all_draws()) < 2:
        return
    shown = [names(advise(replace(case, draw=draw, draws=(), failures=()))) for draw in case.all_draws()]
    shown.append(names(advise(replace(case, draw=None, draws=(), failures=()))))

    assert all(sorted(map(str, each)) == sorted(map(str, shown[0])) for each in shown)


def test_nothing_is_said_of_an_empty_pipeline() -> None:
    assert advise(Case(Pipeline())) == ()


def test_what_is_switched_off_is_not_looked_at() -> None:
    off = tuple(replace(item, enabled=False) for item in PRESETS[0].pipeline.steps)

    assert advise(Case(Pipeline(off))) == ()


def test_errors_come_first_and_then_the_order_of_the_steps() -> None:
    steps = (
        Step("a", "Rotate"),
        Step("b", "GaussianBlur"),
        Step("c", "ToTensor"),
        Step("d", "Flip", p=0.0),
        Step("e", "Flip"),
    )
    found = advise(Case(Pipeline(steps)))
    ranks = [finding.severity.value for finding in found]

    assert ranks == sorted(ranks, key=["error", "warning", "note"].index)
    assert names(found)[0] == ("to-tensor-not-last", "c")
    assert [step for _rule, step in names(found) if step in ("a", "b", "d")][:3] == ["a", "b", "d"]
