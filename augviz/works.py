"""What works in the installed library, by the stored survey of it: outcomes as words, and the generated document.

Reads `survey.json`, which `survey` writes after running every transform; runs nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from augviz.model import DTYPES

STORED = Path(__file__).with_name("survey.json")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Input:
    """A kind of image that every transform was given."""

    bands: int
    format: str
    interpretation: str
    title: str


RGB8 = "rgb8"
INPUTS: dict[str, Input] = {
    "gray8": Input(1, "uchar", "b-w", "gray"),
    "alpha2": Input(2, "uchar", "b-w", "gray, alpha"),
    RGB8: Input(3, "uchar", "srgb", "RGB"),
    "alpha4": Input(4, "uchar", "srgb", "RGB, alpha"),
    "bands5": Input(5, "uchar", "srgb", "5 bands"),
    "rgb16": Input(3, "ushort", "rgb16", "uint16"),
    "int16": Input(3, "short", "srgb", "int16"),
    "float": Input(3, "float", "scrgb", "float32"),
    "double": Input(3, "double", "multiband", "float64"),
}
"""By the names that the survey uses. The first five are 8 bit; the last four RGB, float from 0 to 1."""

APART = 0.1
"""Mean difference from the 8-bit result, as a fraction of the range, from which on a result is another one."""

WEAK = 0.1
"""Share of the 8-bit effect below which there is hardly any."""

OFF_PX = 2.0
"""How far a target may be off the image for it to be said to follow."""

SHIFTED_PX = 0.4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transform made of one kind of image in several draws.

    Attributes:
        kind: a name of `INPUTS`.
        draws, raised: how many were made, and how many of them raised; `error` is the first sentence.
        crash: how the process ended, "" if it did not.
        made: shape of the result, "uchar x 3"; "array" for what is no image any more; "" if there was none.
        unchanged, lost: in how many draws no pixel changed, and the image was gone.
        apart: mean difference from the 8-bit result as a fraction of the range; None if it cannot be compared.
        effect: strength of the effect, 1 is that on 8 bit; None if it cannot be compared.
        alpha: "kept", "filled", "changed", "dropped", or "" where there is none.
    """

    kind: str
    draws: int
    raised: int
    error: str = ""
    crash: str = ""
    made: str = ""
    unchanged: int = 0
    lost: int = 0
    apart: float | None = None
    effect: float | None = None
    alpha: str = ""

    @property
    def works(self) -> bool:
        """Whether it does on such an image what it does on 8-bit RGB."""
        return not (self.crash or self.raised or self._is_lost or self._is_another or self.alpha == "dropped")

    @property
    def is_as_meant(self) -> bool:
        """Whether it works, and does something."""
        return self.works and not self._is_same

    @property
    def _is_lost(self) -> bool:
        return self.made != "" and 2 * self.lost > self.draws - self.raised

    @property
    def _is_another(self) -> bool:
        strange = self.apart is not None and self.apart > APART
        return strange or (self.effect is not None and self.effect < WEAK)

    @property
    def _is_same(self) -> bool:
        return self.made != "" and self.unchanged == self.draws - self.raised

    def _change(self) -> str:
        """The shape that it makes, where it is not that of the image: "float32, 1 band"."""
        if self.made in ("", "array"):
            return self.made
        given, (made_format, _, bands) = INPUTS[self.kind], self.made.split(" ")
        parts = [DTYPES[made_format]] if made_format != given.format else []
        if int(bands) != given.bands:
            parts.append(f"{bands} band{'' if bands == '1' else 's'}")
        return ", ".join(parts)

    def word(self) -> str:
        """The outcome in a word or two, for a cell of a table."""
        if self.crash:
            return "✗ crashes"
        if self.raised == self.draws:
            return "✗ raises"
        if self._is_lost:
            return "✗ lost"
        if self.alpha == "dropped":
            return "✗ dropped"
        if self.apart is not None and self.apart > APART:
            return "✗ differs"
        if self.raised:
            return f"✗ raises {self.raised}/{self.draws}"
        if self._is_another:
            return "✗ no effect"
        if self._is_same:
            return "= same"
        if self.alpha == "changed":
            return "! as colour"
        if change := self._change():
            return f"→ {change}"
        return "! filled" if self.alpha == "filled" else "✓"

    def sentence(self) -> str:
        """The outcome in words, for who wants to know more."""
        if self.crash:
            return f"Ends the process ({self.crash})."
        said = []
        if self.raised:
            often = "" if self.raised == self.draws else f" in {self.raised} of {self.draws} draws"
            said.append(f"Raises{often}: {self.error.rstrip('.')}.")
        if self._is_lost:
            said.append("The image is lost: hardly any two values are left apart.")
        elif self.apart is not None and self.apart > APART:
            said.append("Gives other values than on 8 bit, by more than a tenth of the range.")
        elif self.effect is not None and self.effect < WEAK:
            said.append(f"Has hardly any effect: {self.effect:.2g} times that on 8 bit.")
        elif self._is_same:
            said.append("Leaves the image as it is.")
        if change := self._change():
            said.append("Gives an array, (bands, height, width)." if change == "array" else f"Gives {change}.")
        if self.alpha in _ALPHA_SENTENCES:
            said.append(_ALPHA_SENTENCES[self.alpha])
        return " ".join(said) or "Works."


_ALPHA_SENTENCES = {
    "changed": "The alpha band is processed as a colour.",
    "filled": "What is filled is filled in the alpha band, too.",
    "dropped": "The alpha band is dropped.",
}


@dataclass(frozen=True, slots=True)
class Follows:
    """Whether a target follows the image: how far off it was at most, in px, or what is raised."""

    draws: int
    off_px: float = 0.0
    error: str = ""

    @property
    def works(self) -> bool:
        return not self.error and self.off_px <= OFF_PX

    def word(self) -> str:
        """For a cell of a table."""
        if self.error:
            return "✗ raises"
        if self.off_px > OFF_PX:
            return "✗ wrong"
        return "✓" if self.off_px < SHIFTED_PX else f"✓ {self.off_px:g} px off"

    def sentence(self) -> str:
        """In words."""
        if self.error:
            return f"raises: {self.error.rstrip('.')}."
        if self.off_px > OFF_PX:
            return f"is wrong, by up to {self.off_px:g} px on an image of 120 × 90."
        return "follows." if self.off_px < SHIFTED_PX else f"follows, at most {self.off_px:g} px off."


@dataclass(frozen=True, slots=True)
class Again:
    """Whether the same can be had again.

    Attributes:
        seeded: whether `random.seed` decides the result, in plain library code.
        seeded_here: whether it does with augviz's seeded noise.
        differ: whether draws differ at all.
        replayed, replay_draws, replay_error: draws that A.ReplayCompose made again, of how many, what it raised.
        replay_json: whether its record can be written as JSON.
        file, memory: "equal", "differs" or the sentence that is raised, after A.save and A.load, and through a dict.
    """

    seeded: bool
    seeded_here: bool
    differ: bool
    replayed: int
    replay_draws: int
    replay_error: str
    replay_json: bool
    file: str
    memory: str

    def seed_word(self) -> str:
        if not self.differ:
            return "no draws"
        return "✓" if self.seeded else "✗, ✓ here" if self.seeded_here else "✗"

    def replay_word(self) -> str:
        if self.replayed == self.replay_draws:
            return "✓" if self.replay_json else "✓, no JSON"
        if self.replayed:
            return f"✗ raises {self.replay_draws - self.replayed}/{self.replay_draws}"
        return "✗ raises" if self.replay_error else "✗ differs"

    def save_word(self) -> str:
        if self.file == "equal":
            return "✓"
        if self.file == "differs":
            return "✗ differs"
        return "✗ raises" + (", dict ✓" if self.memory == "equal" else "")


@dataclass(frozen=True, slots=True)
class Survey:
    """All that was found out of one transform or group.

    Attributes:
        inputs: by the names of `INPUTS`; empty for groups.
        defaults: with the library's own defaults on 8-bit RGB; None where it has none, or for groups.
        is_lazy: whether a call evaluates no pixels.
        targets: "mask", "keypoints", "bboxes" through A.Compose, "bboxes alone"; empty for groups.
    """

    name: str
    again: Again | None
    inputs: Mapping[str, Outcome]
    defaults: Outcome | None = None
    is_lazy: bool | None = None
    targets: Mapping[str, Follows] | None = None


@dataclass(frozen=True, slots=True)
class Works:
    """The survey of one version of the library with one version of libvips."""

    albumentationsxl: str
    libvips: str
    surveys: Mapping[str, Survey]

    @property
    def title(self) -> str:
        return f"What works in albumentationsxl {self.albumentationsxl} with libvips {self.libvips}"


@lru_cache(maxsize=1)
def stored() -> Works:
    """The survey that comes with augviz."""
    return from_json(json.loads(STORED.read_text(encoding="utf-8")))


def from_json(values: Mapping[str, Any]) -> Works:
    """What `survey.run` gives, as values."""
    versions = values["versions"]
    surveys = {name: _survey(name, found) for name, found in values["surveys"].items()}
    return Works(versions["albumentationsxl"], versions["libvips"], surveys)


def _survey(name: str, found: Mapping[str, Any]) -> Survey:
    seeds, replays, saves = (found.get(part) for part in ("seeds", "replays", "saves"))
    again = None
    if seeds and replays and saves:
        again = Again(
            seeded=seeds["plain"],
            seeded_here=seeds["augviz"],
            differ=seeds["differ"],
            replayed=replays["equal"],
            replay_draws=replays["draws"],
            replay_error=replays["error"],
            replay_json=replays["json"],
            file=saves["file"],
            memory=saves["memory"],
        )
    return Survey(
        name,
        again,
        {kind: Outcome(kind, **values) for kind, values in found.get("pixels", {}).items()},
        Outcome(RGB8, **found["defaults"]) if found.get("defaults") else None,
        found["laziness"]["evaluations"] == 0 if "laziness" in found else None,
        {target: Follows(**values) for target, values in found.get("targets", {}).items()} or None,
    )
