"""The state in the address: it comes back whole, and nothing hostile comes in."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augviz import edits, link, presets, settings
from augviz.model import Pipeline, Step
from augviz.sources import SourceRef
from tests.strategies import pipelines

SAMPLE = SourceRef("sample", "ihc")


def packed(data: object) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(data).encode())).decode().rstrip("=")


@given(pipelines(), st.integers(0, link.MAX_SEED))
def test_any_state_comes_back(pipeline: Pipeline, seed: int) -> None:
    text = link.encode(SAMPLE, pipeline, seed)
    found = link.decode(text)

    assert found == link.Link(SAMPLE, pipeline, seed)
    assert re.fullmatch(r"[\w-]+", text, re.ASCII)
    assert link.encode(SAMPLE, found.pipeline, found.seed) == text


def test_a_long_pipeline_fits_an_address() -> None:
    steps = tuple(step for k in range(25) for step in _renamed(presets.FIRST.pipeline, k))
    assert len(steps) == 100
    assert len(link.encode(SAMPLE, Pipeline(steps), 7)) < 2000


def _renamed(pipeline: Pipeline, k: int) -> list[Step]:
    return [Step(f"s{4 * k + i}", s.transform, s.args, s.p) for i, s in enumerate(pipeline.leaves())]


def test_more_steps_than_a_page_can_show_are_refused() -> None:
    most = tuple(Step(f"s{k}", "NoOp") for k in range(edits.MAX_ITEMS))
    assert len(link.decode(link.encode(SAMPLE, Pipeline(most), 0)).pipeline.steps) == edits.MAX_ITEMS

    with pytest.raises(link.LinkError, match="has 201 steps and groups; at most 200 are shown"):
        link.decode(link.encode(SAMPLE, Pipeline((*most, Step("more", "NoOp"))), 0))


def test_an_upload_is_never_in_the_address() -> None:
    text = link.encode(SourceRef("upload", "token/secret"), Pipeline(), 0)

    assert link.decode(text).source is None
    assert b"secret" not in zlib.decompress(base64.urlsafe_b64decode(text + "=="))


def test_a_file_is_named_from_its_allowed_folder(tmp_path: Path) -> None:
    allowed = settings.load({"AUGVIZ_FOLDERS": str(tmp_path)})
    text = link.encode(SourceRef("path", str(tmp_path / "a" / "b.tif")), Pipeline(), 0, allowed)

    assert link.decode(text).source == SourceRef("path", "a/b.tif")


GOOD = {"v": 1, "seed": 0, "pipeline": {"format": 1, "steps": []}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is damaged"),
        ("!!!", "is damaged"),
        ("äöü", "is damaged"),
        ("AAAA", "is damaged"),
        (link.encode(SAMPLE, Pipeline(), 0)[:-8], "is damaged"),
        ("A" * 40_000, "too long: its state has 40000 characters"),
        (packed("x" * 2_000_000), "is damaged"),
        (packed([]), "another version"),
        (packed({**GOOD, "v": 2}), "another version"),
        (packed({**GOOD, "v": True}), "another version"),
        (packed({**GOOD, "more": 1}), "something unknown: more"),
        (packed({**GOOD, "seed": -1}), "no valid seed"),
        (packed({**GOOD, "seed": "1"}), "no valid seed"),
        (packed({**GOOD, "pipeline": {"format": 1, "steps": [{"transform": "Nothing"}]}}), "Nothing"),
        (packed({"v": 1}), "no valid state"),
        (packed({**GOOD, "source": {"kind": "upload", "name": "a/b"}}), "names an upload"),
        (packed({**GOOD, "source": {"kind": "file", "name": "/etc/passwd"}}), "no valid state"),
        (packed({**GOOD, "source": "x"}), "no valid state"),
    ],
)
def test_a_bad_or_hostile_address_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(link.LinkError, match=words) as raised:
        link.decode(text)

    assert "\n" not in str(raised.value)


def test_a_deeply_nested_address_is_one_sentence() -> None:
    text = base64.urlsafe_b64encode(zlib.compress(b"[" * 100_000)).decode().rstrip("=")

    with pytest.raises(link.LinkError, match="is damaged"):
        link.decode(text)
