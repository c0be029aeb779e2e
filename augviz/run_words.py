"""A run in words: the sentence that answers its question, and what is to be known of it."""

from __future__ import annotations

from augviz import runs, scaling
from augviz.profiles import TITLES, Failed, Profile, StepTimes, megapixels_text
from augviz.runs import Run
from augviz.scaling import Throughput
from augviz.units import bytes_text, seconds_text

ALIKE = 0.05
"""Times that differ by less than this share are called equal."""

SHORT = {"stream": "streaming", "hold": "holding", "memory": "numpy and OpenCV", "albumentations": "albumentations"}
"""What to call each way within a sentence."""

PLURAL = frozenset({"memory"})


def sentence(run: Run) -> str:
    """The answer to what was asked, in one sentence."""
    if run.step_times is not None:
        return _of_steps(run, run.step_times)
    if run.throughputs:
        return _of_workers(run.throughputs)
    profiles = [each.value for each in run.outcomes if isinstance(each.value, Profile)]
    if not profiles:
        return "Nothing was measured."
    start = _speed(profiles[0]) if len(profiles) == 1 or run.question == "whole" else _fastest(profiles)
    memory = _memory(run)
    return f"{start}; {memory}." if memory else f"{start}."


def remarks(run: Run) -> tuple[str, ...]:
    """Further sentences: what saves time, what is unstable, and how far off the estimate was."""
    return (*_savings(run), *_unstable(run), *_estimate(run))


# The answer


def _of_steps(run: Run, times: StepTimes) -> str:
    found = runs.slowest(times)
    if found is None:
        return "No step takes any time that could be measured."
    step, share = found
    name = "Reading the file" if step is None else step.transform
    sure = not step.is_about_nothing if step is not None else times.reading_seconds > times.reading_spread
    start = f"{name} takes {share_text(share)} of the time"
    if not sure:
        start = f"{name} takes most, {share_text(share)} of the time, no more than the rounds differ by"
    memory = _memory(run)
    return f"{start}; {memory}." if memory else f"{start}."


def _of_workers(points: tuple[Throughput, ...]) -> str:
    """Where workers stop to help; the fastest, where too few numbers of them were measured to tell."""
    found = scaling.stops_scaling(points)
    if found is not None:
        return found.sentence
    best = max(points, key=lambda point: point.images_per_second)
    return f"{runs.loading_text(best)}: {megapixels_text(best.images_per_second)} images per second."


def _speed(profile: Profile) -> str:
    verb = "take" if profile.way in PLURAL else "takes"
    speed = megapixels_text(profile.megapixels_per_second)
    return f"{_capital(SHORT[profile.way])} {verb} {seconds_text(profile.wall.median)}, {speed} MP/s"


def _fastest(profiles: list[Profile]) -> str:
    first, second = sorted(profiles, key=lambda profile: profile.wall.median)[:2]
    ratio = second.wall.median / first.wall.median if first.wall.median > 0 else 1.0
    names = SHORT[first.way], SHORT[second.way]
    if ratio < 1 + ALIKE:
        return f"{_capital(names[0])} and {names[1]} take about the same time, {seconds_text(first.wall.median)}"
    verb = "are" if first.way in PLURAL else "is"
    return f"{_capital(names[0])} {verb} fastest, {ratio:.3g} times as fast as {names[1]}"


def _memory(run: Run) -> str:
    """What the ways need, as measured; where only one was, or none, the estimate's figures beside it, and said so."""
    measured = {way: profile.increase_bytes for way in TITLES if (profile := run.profile(way)) is not None}
    amounts = {way: bytes_text(count) for way, count in measured.items() if count is not None}
    estimate = run.estimate
    if estimate is not None and not amounts:
        counts = (estimate.stream_bytes, estimate.hold_bytes)
        return "streaming needs about {} where holding needs {} (estimated)".format(*map(bytes_text, counts))
    if estimate is not None:
        amounts.setdefault("stream", f"about {bytes_text(estimate.stream_bytes)} (estimated)")
        amounts.setdefault("hold", f"about {bytes_text(estimate.hold_bytes)} (estimated)")
    parts = [f"{SHORT[way]} {_needs(way)} {amounts[way]}" for way in TITLES if way in amounts]
    return " where ".join(parts[:2]) + "".join(f", and {part}" for part in parts[2:])


def _needs(way: str) -> str:
    return "need" if way in PLURAL else "needs"


# Remarks


def _savings(run: Run) -> tuple[str, ...]:
    times = run.step_times
    if times is None:
        return ()
    saving = [step for step in times.steps if step.applied and step.seconds < 0 and not step.is_about_nothing]
    return tuple(
        f"{step.transform} saves {seconds_text(-step.seconds)}: what it drops need not be made." for step in saving
    )


def _unstable(run: Run) -> tuple[str, ...]:
    found = [each for each in run.outcomes if isinstance(each.value, Profile) and each.value.is_unstable]
    said = [
        f"Unstable: the repeats of “{each.title}” differ by {share_text(each.value.wall.spread / each.value.wall.median)} of "
        "their median. Something else was busy; measure again."
        for each in found
    ]
    times = run.step_times
    if times is not None and times.is_unstable:
        said.append(
            "Unstable: rounds differ by more than a quarter of the time. Something else was busy; measure again."
        )
    return tuple(said)


def _estimate(run: Run) -> tuple[str, ...]:
    estimate, measured = run.estimate, run.streaming_seconds
    if estimate is None or not measured or measured <= 0:
        return ()
    band = f"{seconds_text(estimate.seconds_low)} to {seconds_text(estimate.seconds_high)}"
    within = estimate.seconds_low <= measured <= estimate.seconds_high
    text = f"The estimate of {seconds_text(estimate.seconds)} for streaming was {error_text(estimate.error_share(measured))}"
    text += f", and its band of {band} {'holds' if within else 'does not hold'} the measured {seconds_text(measured)}"
    profile = run.profile("stream")
    if profile is not None and profile.increase_bytes:
        error = error_text(estimate.stream_bytes / profile.increase_bytes - 1)
        text += f"; that of {bytes_text(estimate.stream_bytes)} of memory was {error}"
    return (f"{text}.",)


def error_text(share: float) -> str:
    """How far an estimate is off: `8 % too low`, `right within 1 %`, `2.5 times too high`."""
    if abs(share) < 0.01:
        return "right within 1 %"
    if share >= 1:
        return f"{share + 1:.2g} times what was measured"
    return f"{abs(share):.0%} too {'high' if share > 0 else 'low'}".replace("%", " %")


def share_text(share: float) -> str:
    """`71 %`; less than one in a hundred is told as such."""
    return "under 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


def failure_text(run: Run) -> tuple[str, ...]:
    """Why figures are missing, a sentence for each."""
    return tuple(f"{each.title}: {each.value.reason}" for each in run.failures if isinstance(each.value, Failed))


def _capital(text: str) -> str:
    return text if text.startswith(("numpy", "albumentations")) else text[:1].upper() + text[1:]
