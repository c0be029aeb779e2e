"""The document of what works, as Markdown, from the stored survey and the catalogue."""

from __future__ import annotations

from augviz import catalog, works
from augviz.model import Caveat, GroupSpec, TransformSpec
from augviz.works import Survey, Works

INTRODUCTION = """\
Made by `make works` from runs of the installed library, not typed: every transform and composition, with the arguments
that augviz' editor begins with (sizes fit to the small image) and p=1, on a photograph of 120 x 90 pixels in every kind
below, {draws} draws each. `tests/test_survey.py` runs it again and fails where the library has come to do otherwise; for
every defect `Dn`, `tests/test_defects.py` has a test that fails when a release mends it.

| says | means |
|---|---|
| ✓ | does what it does on 8-bit RGB |
| → float32, 3 bands | works, and gives another format or number of bands |
| = same | leaves the image as it is |
| ! as colour, ! filled | the alpha band is processed like a colour; holes and fill reach into it |
| ✗ raises, ✗ crashes | an exception, in all draws or so many; the end of the process |
| ✗ lost | hardly any two values are left apart, or nearly all are at a limit: black, white or both |
| ✗ differs | other values than on 8 bit, by more than a tenth of the range |
| ✗ no effect | less than a tenth of the effect that it has on 8 bit |
| ✗ dropped | the alpha band is gone |

Images are those that libvips' loaders give: 8 bit where nothing else is said, `uint16` and `int16` RGB scaled from 8 bit,
`float32` and `float64` RGB from 0 to 1."""

AGAIN = """\
*Seed*: `random.seed` decides the result ("✗, ✓ here": with augviz only, which seeds libvips' noise). *Replay*:
`A.ReplayCompose` makes the same result again; "no JSON": its record cannot be written. *Save*: `A.save` and `A.load` give
a transform that does the same, with other choices than the defaults; "dict ✓": `A.to_dict` and `A.from_dict` do. *Lazy*:
a call evaluates no pixels. *Mask*, *keypoints* (as raw (x, y, angle, scale)) and *boxes*: what is passed through
`A.Compose` follows a mark in the image; the distance is the greatest of up to {draws} draws on 120 x 90 pixels. *Boxes
alone* are given to the transform itself."""


def render(found: Works) -> str:
    """The whole text."""
    surveys = found.surveys
    transforms = [survey for name, survey in surveys.items() if name in catalog.TRANSFORMS]
    groups = [survey for name, survey in surveys.items() if name not in catalog.TRANSFORMS]
    draws = max(outcome.draws for survey in transforms for outcome in survey.inputs.values())
    followed = max((f.draws for s in transforms for f in (s.targets or {}).values()), default=0)
    parts = [
        f"# {found.title}",
        INTRODUCTION.format(draws=draws),
        "## Kinds of images",
        _table(("transform", *(kind.title for kind in works.INPUTS.values())), map(_kinds_row, transforms)),
        "## The same again, laziness, targets",
        AGAIN.format(draws=followed),
        _table(
            ("transform", "seed", "replay", "save", "lazy", "mask", "keypoints", "boxes", "boxes alone"),
            map(_again_row, transforms),
        ),
        "Compositions, here of RandomBrightnessContrast and RandomCrop:",
        _table(("composition", "seed", "replay", "save", "lazy"), (_again_row(s)[:5] for s in groups)),
        "## Transform by transform",
    ]
    for family in catalog.FAMILIES:
        parts.append(f"### {family}")
        parts += [
            _section(spec, surveys.get(spec.name)) for spec in catalog.TRANSFORMS.values() if spec.family == family
        ]
    parts.append("## Compositions")
    parts += [_titled(g.name, g.help, _caveats(g.caveats)) for g in catalog.GROUPS.values()]
    parts += ["## The library as a whole", "\n".join(_caveats(catalog.GENERAL_CAVEATS))]
    parts += ["## Defects by number", _table(("defect", "of"), _defect_rows())]
    return "\n\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: object) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]  # type: ignore[attr-defined]
    return "\n".join(lines)


def _kinds_row(survey: Survey) -> tuple[str, ...]:
    return (survey.name, *(survey.inputs[kind].word() for kind in works.INPUTS))


def _again_row(survey: Survey) -> tuple[str, ...]:
    again, targets = survey.again, survey.targets or {}
    words = (again.seed_word(), again.replay_word(), again.save_word()) if again else ("–", "–", "–")
    lazy = "–" if survey.is_lazy is None else "✓" if survey.is_lazy else "✗"
    followed = (targets[t].word() if t in targets else "–" for t in ("mask", "keypoints", "bboxes", "bboxes alone"))
    return (survey.name, *words, lazy, *followed)


def _section(spec: TransformSpec, survey: Survey | None) -> str:
    lines = [f"Cannot be used: {spec.unusable}."] if spec.unusable else []
    return _titled(spec.name, spec.help, [*lines, *exceptions(survey), *_caveats(spec.caveats)])


def _titled(name: str, help_text: str, lines: list[str]) -> str:
    return f"**{name}**: {help_text}" + "".join(f"\n{line}" for line in (["", *lines] if lines else []))


def words_of(survey: Survey) -> tuple[object, ...]:
    """All that the document says of what was found out about one transform or composition."""
    kinds = _kinds_row(survey) if survey.inputs else ()
    return (kinds, _again_row(survey), exceptions(survey))


def exceptions(survey: Survey | None) -> list[str]:
    """What the survey found beside "works", as lines of a list; equal sentences stand once."""
    if survey is None:
        return []
    by_sentence: dict[str, list[str]] = {}
    for kind, outcome in survey.inputs.items():
        if (said := outcome.sentence()) != "Works.":
            by_sentence.setdefault(said, []).append(works.INPUTS[kind].title)
    lines = [f"- {'; '.join(kinds)}: {said}" for said, kinds in by_sentence.items()]
    if survey.defaults is not None and not survey.defaults.is_as_meant and survey.name != "NoOp":
        lines.append(f"- The library's own defaults, on 1200 x 1100 RGB: {survey.defaults.sentence()}")
    if (again := survey.again) is not None and again.replay_error:
        lines.append(f"- A.ReplayCompose raises: {again.replay_error.rstrip('.')}.")
    if again is not None and again.file not in ("equal", "differs"):
        lines.append(f"- A.save or A.load raises: {again.file.rstrip('.')}.")
    if again is not None and again.memory not in ("equal", "differs"):
        lines.append(f"- A.to_dict or A.from_dict raises: {again.memory.rstrip('.')}.")
    return lines


def _caveats(found: tuple[Caveat, ...]) -> list[str]:
    return [_caveat(caveat) for caveat in found]


def _caveat(caveat: Caveat) -> str:
    number = f"**{caveat.defect}** " if caveat.defect else ""
    workaround = f" *Workaround: {caveat.workaround}*" if caveat.workaround else ""
    return f"- {number}{caveat.text}{workaround}"


def _defect_rows() -> list[tuple[str, str]]:
    return [(number, ", ".join(names) or "the library as a whole") for number, names in defects().items()]


def defects() -> dict[str, list[str]]:
    """Every defect that the catalogue names, in order, with the transforms and groups that have it."""
    found: dict[str, list[str]] = {}
    rows: tuple[TransformSpec | GroupSpec, ...] = (*catalog.TRANSFORMS.values(), *catalog.GROUPS.values())
    for row in rows:
        for caveat in row.caveats:
            if caveat.defect and row.name not in found.setdefault(caveat.defect, []):
                found[caveat.defect].append(row.name)
    for caveat in catalog.GENERAL_CAVEATS:
        if caveat.defect:
            found.setdefault(caveat.defect, [])
    return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))
