"""The worker functions that measure and estimate a pipeline at full size. Each runs in a fresh process, in which it is alone.

What they need is imported when they are called: no other request pays for it, and it counts to no measurement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from augviz.asked import choice_of, explained, pipeline_of
from augviz.context import Context

if TYPE_CHECKING:
    from augviz.measure import Subject


def _subject(args: dict[str, Any]) -> Subject:
    from augviz.measure import Subject

    return Subject(args["path"], choice_of(args), pipeline_of(args), args["seed"])


def measure(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed, way: stream | hold, repeats} -> time and peak memory of the whole at full size."""
    from augviz import measure as measures

    with explained(args, context):
        return measures.measure(_subject(args), args["way"], args["repeats"], context)


def measure_steps(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed, rounds} -> what each step adds to the time at full size."""
    from augviz import measure as measures

    with explained(args, context):
        return measures.measure_steps(_subject(args), args["rounds"], context)


def measure_in_memory(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed, way: memory | albumentations, repeats} -> time and peak memory of the same draw on arrays."""
    from augviz import in_memory

    with explained(args, context):
        return in_memory.measure_in_memory(_subject(args), args["repeats"], context, args.get("way", in_memory.WAY))


def estimate(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline, seed} -> what the whole would take at full size, from costs and a few windows."""
    from augviz import windows

    with explained(args, context):
        return windows.estimate(_subject(args), context)


def measure_window(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, pipeline (of no steps), seed, side, repeats} -> how soon a window at the centre of the file is there."""
    from augviz import first_window

    with explained(args, context):
        return first_window.measure(args["path"], choice_of(args), args["side"], args["repeats"], context)


def write_form(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{path, input, form, out} -> the image in one of the forms that are compared, in a file."""
    from augviz import form_files, forms

    return form_files.write(args["path"], choice_of(args), forms.form_named(args["form"]), args["out"], context)


def measure_throughput(args: dict[str, Any], context: Context) -> dict[str, Any]:
    """{paths, pipeline, seed, workers, batch, seconds} -> images per second of a DataLoader over repeats of the files."""
    from augviz import throughput
    from augviz.loaded import Images

    images = Images(args["paths"], args["pipeline"], args["seed"])
    return throughput.measure(images, args["batch"], args["workers"], args["seconds"], context)
