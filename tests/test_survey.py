"""What works: the stored survey is what the installed library does, and the document is made of it."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator

import numpy as np
import pytest
import pyvips

from augviz import catalog, specimens, survey, trials, works, works_text
from augviz.context import Context
from augviz.marker import MOVING
from augviz.survey import Asker
from augviz.works import Follows, Outcome

STORED = json.loads(works.STORED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    made = Asker()
    yield made
    made.close()


@pytest.mark.parametrize("name", list(survey.names()))
def test_the_library_still_does_what_the_survey_says(name: str, asker: Asker) -> None:
    # As it is written, since the last digits of a measure may differ between processors.
    now = works.from_json({"versions": STORED["versions"], "surveys": {name: survey.survey_of(name, asker)}})
    then = works.stored().surveys[name]

    assert works_text.words_of(now.surveys[name]) == works_text.words_of(then)


def test_the_document_is_of_the_installed_versions() -> None:
    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    library = importlib.metadata.version("albumentationsxl")

    assert works.stored().title == f"What works in albumentationsxl {library} with libvips {libvips}"
    assert survey.DOCUMENT.read_text(encoding="utf-8").startswith(f"# {works.stored().title}\n")


def test_the_document_is_made_of_the_stored_survey_and_the_catalogue() -> None:
    assert survey.DOCUMENT.read_text(encoding="utf-8") == works_text.render(works.stored())


def test_the_stored_survey_is_written_as_the_command_writes_it() -> None:
    assert survey.text_of(STORED) == works.STORED.read_text(encoding="utf-8")
    assert STORED["format"] == works.FORMAT


def test_every_transform_was_given_every_kind_of_image() -> None:
    usable = [name for name, spec in catalog.TRANSFORMS.items() if not spec.unusable]

    assert list(works.stored().surveys) == [*usable, *survey.GROUPS]
    assert {tuple(works.stored().surveys[name].inputs) for name in usable} == {tuple(works.INPUTS)}


@pytest.mark.parametrize(
    "kind",
    [kind for kind in works.INPUTS.values() if kind.format != "double"],  # libvips writes no TIFF of 64-bit floats
    ids=lambda kind: kind.title,
)
def test_a_specimen_is_what_libvips_loaders_give(kind: works.Input) -> None:
    image = specimens.image_of(kind)
    loaded = pyvips.Image.new_from_buffer(image.tiffsave_buffer(), "")

    assert (loaded.bands, loaded.format, loaded.interpretation) == (kind.bands, kind.format, kind.interpretation)


def test_the_catalogue_promises_no_target_that_does_not_work() -> None:
    for name, spec in catalog.TRANSFORMS.items():
        if spec.unusable:
            continue
        followed = works.stored().surveys[name].targets or {}
        working = {target for target in ("mask", "keypoints", "bboxes") if followed[target].works}

        assert set(spec.targets) - {"image"} <= working
        if spec.family in MOVING:
            assert set(spec.targets) - {"image"} == working


def test_the_catalogue_knows_which_transforms_are_lazy() -> None:
    lazy = {
        name: works.stored().surveys[name].is_lazy for name, spec in catalog.TRANSFORMS.items() if not spec.unusable
    }

    assert lazy == {name: catalog.TRANSFORMS[name].lazy for name in lazy}


def test_laziness_is_told_from_an_evaluation() -> None:
    assert trials.laziness({"transform": "HorizontalFlip"}, Context())["evaluations"] == 0
    assert trials.laziness({"transform": "ToTensor"}, Context())["evaluations"] > 0


def test_a_change_outside_the_middle_is_a_change_and_what_raises_leaves_nothing_as_it_is() -> None:
    dropped = Outcome("rgb8", **trials.defaults({"transform": "CoarseDropout"}, Context()))
    raised = Outcome("rgb8", **trials.defaults({"transform": "GridDropout"}, Context()))

    assert (dropped.unchanged, dropped.sentence()) == (0, "Works.")
    assert raised.sentence() == "Raises: black: parameter width not set."
    assert Outcome("rgb8", **trials.defaults({"transform": "NoOp"}, Context())).word() == "= same"


def test_an_end_of_the_process_is_an_outcome(asker: Asker) -> None:
    found = asker.ask("defaults", transform="AdvancedBlur")

    assert found == {"crash": "SIGFPE"}
    assert asker.ask("versions")["libvips"] == works.stored().libvips


def test_a_clipped_image_is_lost_and_a_photograph_is_not() -> None:
    photograph = specimens.array_of(specimens.image_of(works.INPUTS[works.RGB8]))
    white = np.where(photograph > 30, 255, photograph)

    assert not trials.is_lost(photograph)
    assert trials.is_lost(white)
    assert trials.is_lost(np.full((4, 4, 1), np.nan, np.float32))


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome("rgb8", 8, 0, made="uchar x 3"), "✓"),
        (Outcome("rgb8", 8, 0, made="uchar x 3", unchanged=8), "= same"),
        (Outcome("gray8", 8, 0, made="uchar x 3"), "→ 3 bands"),
        (Outcome("rgb16", 8, 0, made="float x 1"), "→ float32, 1 band"),
        (Outcome("rgb8", 8, 8, error="no"), "✗ raises"),
        (Outcome("rgb8", 8, 3, error="no", made="uchar x 3"), "✗ raises 3/8"),
        (Outcome("float", 8, 0, made="uchar x 3", lost=8), "✗ lost"),
        (Outcome("float", 8, 0, made="float x 3", apart=0.4), "✗ differs"),
        (Outcome("rgb16", 8, 0, made="ushort x 3", apart=0.0, effect=0.004), "✗ no effect"),
        (Outcome("alpha4", 8, 0, made="uchar x 4", alpha="changed"), "! as colour"),
        (Outcome("alpha4", 8, 0, made="uchar x 4", alpha="filled"), "! filled"),
        (Outcome("alpha4", 8, 0, made="uchar x 3", alpha="dropped"), "✗ dropped"),
        (Outcome("rgb8", 0, 0, crash="SIGFPE"), "✗ crashes"),
    ],
)
def test_an_outcome_is_a_word_and_a_sentence(outcome: Outcome, word: str) -> None:
    assert outcome.word() == word
    assert outcome.works == (not word.startswith("✗"))
    assert (outcome.sentence() == "Works.") == (word == "✓")


def test_a_target_that_is_off_by_more_than_two_pixels_does_not_follow() -> None:
    assert Follows(8, 1.9).works
    assert not Follows(8, 2.1).works
    assert not Follows(0, error="no").works


def test_known_defects_show_in_the_survey() -> None:
    found = works.stored().surveys

    assert found["Sharpen"].inputs["rgb16"].word() == "✗ lost"  # D17
    assert found["GaussNoise"].inputs["rgb16"].word() == "✗ no effect"  # D10
    assert found["ChannelDropout"].inputs["gray8"].word() == "✗ raises"  # D20
    assert found["Rotate"].targets is not None
    assert not found["Rotate"].targets["keypoints"].works  # D24
    assert found["GaussNoise"].again is not None
    assert found["GaussNoise"].again.seed_word() == "✗, ✓ here"  # D41
    assert found["Affine"].again is not None
    assert "JSON" in found["Affine"].again.file  # D38
