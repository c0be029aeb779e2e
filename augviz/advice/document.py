"""The text of `docs/advice.md`, from the table of rules, the measured ratios and the presets."""

from __future__ import annotations

from collections.abc import Iterator

from augviz.advice import RULES, Case, Severity, advise
from augviz.advice.ratios import FLOAT_RATIOS
from augviz.advice.text import places
from augviz.presets import PRESETS

_HEADINGS = {
    Severity.ERROR: ("Errors", "What crashes, or silently destroys data. `advise` then ends with status 1."),
    Severity.WARNING: ("Warnings", "What is wrong or wasteful."),
    Severity.NOTE: ("Notes", "What is worth knowing."),
}


def render_docs() -> str:
    """The whole document."""
    return "\n".join([*_opening(), *_tables(), *_presets(), *_ratios()]) + "\n"


def _opening() -> Iterator[str]:
    yield from (
        "# Advice",
        "",
        "augviz looks at a pipeline, at the header of the image and at draws for it, and says what is wrong or wasteful: beside",
        "each step and as a list on Explore, in the comments of exported code, and by `python -m augviz advise`",
        "([the command line](command-line.md#advice)). A finding says what and where, shows it by a figure for this pipeline",
        "and this image, and has a fix wherever a changed pipeline mends it. No pixel is read. What a rule finds does not",
        "change with the draw that is shown; the figures can.",
        "",
        "Without an image an 8-bit RGB one of unknown size is assumed. Times are CPU times, from the catalogue or measured on",
        "this machine. Numbers D1 to D55 are defects of albumentationsxl 0.1.2.",
        "",
        "This page is generated from the table of rules.",
        "",
    )


def _tables() -> Iterator[str]:
    for severity, (heading, about) in _HEADINGS.items():
        yield from (f"## {heading}", "", about, "", "| rule | when and why |", "|---|---|")
        yield from (f"| `{rule.name}` | {rule.about} |" for rule in RULES if rule.severity is severity)
        yield ""


def _presets() -> Iterator[str]:
    yield from (
        "## What the presets raise",
        "",
        "Without an image. With one that is not square, Transpose raises `output-size-varies` as well.",
        "",
        "| preset | findings |",
        "|---|---|",
    )
    for preset in PRESETS:
        names = places(preset.pipeline)
        found = [
            f"`{finding.rule}`" + (f" ({names[finding.hit.step].split()[-1]})" if finding.hit.step in names else "")
            for finding in advise(Case(preset.pipeline))
        ]
        yield f"| {preset.name} | {', '.join(found) or 'nothing'} |"
    yield ""


def _ratios() -> Iterator[str]:
    yield from (
        "## What float32 costs",
        "",
        "How many times as long a transform takes on float32 as on uint8, in CPU time on 2048 x 2048 px of photographs, by",
        "`python -m bench.float_cost`. libvips blurs 8 bit by vector instructions and whole numbers. HueSaturationValue,",
        "HEDShift, Sharpen and Emboss make 8 bit of float32, black where values run from 0 to 1.",
        "",
        "| transform | ratio |",
        "|---|---|",
    )
    yield from (f"| {name} | {ratio:g} |" for name, ratio in sorted(FLOAT_RATIOS.items(), key=lambda row: -row[1]))
