"""Functions for the tests of the worker processes; each does really what its name says."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from typing import Any

import pyvips

from augviz.context import Context
from augviz.errors import ImageError, StepError

Args = dict[str, Any]
_POISON: list[bool] = []


def echo(args: Args, context: Context) -> tuple[Args, bytes]:
    return {"args": args, "pid": os.getpid()}, bytes(args.get("blob", []))


def noisy_echo(args: Args, context: Context) -> Args:
    print("printed by Python")
    os.write(1, b"written to descriptor 1")
    ctypes.CDLL(None).puts(b"printed by C")
    return {"args": args}


def append(args: Args, context: Context) -> Args:
    """Leave a line in a file, so that a test sees what was done and in which order."""
    with open(args["path"], "a") as file:
        file.write(args["line"] + "\n")
    return {}


def sleep(args: Args, context: Context) -> Args:
    """Work that does not listen: says that it began by making a file, then sleeps."""
    _mark(args)
    time.sleep(args["seconds"])
    return {"pid": os.getpid()}


def listen(args: Args, context: Context) -> Args:
    """Work that listens; it goes on until it is told to stop."""
    _mark(args)
    while True:
        context.check()
        time.sleep(0.01)


def raise_signal(args: Args, context: Context) -> Args:
    context.progress(None, args.get("stage", ""))
    if "log" in args:
        append({"path": args["log"], "line": "raise_signal"}, context)
    if "step" in args:
        context.at_step(**args["step"])
    os.kill(os.getpid(), getattr(signal, args["name"]))
    time.sleep(60)
    return {}


def read_nowhere(args: Args, context: Context) -> Args:
    """A real segmentation fault, on a thread that holds the interpreter's lock."""
    ctypes.string_at(0)
    return {}


def poison(args: Args, context: Context) -> Args:
    """Leave behind what ends the process during the next request, as a chain of holes in libvips' cache does."""
    _POISON.append(True)
    return {"pid": os.getpid()}


def echo_unless_poisoned(args: Args, context: Context) -> Args:
    if _POISON:
        ctypes.string_at(0)
    return {"pid": os.getpid()}


def crash_once(args: Args, context: Context) -> Args:
    """Crash if no crash has left its mark yet; else fail as "blame" does where it finds nothing but the slowest step."""
    if os.path.exists(args["crashed"]):
        raise StepError("crash_once", "it takes longer than the time limit", step_id="a1", position=1)
    with open(args["crashed"], "w"):
        ctypes.string_at(0)
    return {}


def allocate(args: Args, context: Context) -> Args:
    context.progress(None, "filling memory")
    return {"length": len(bytearray(args["bytes"]))}


def allocate_answer(args: Args, context: Context) -> tuple[Args, bytes]:
    return {}, bytes(args["bytes"])


def allocate_in_libvips(args: Args, context: Context) -> Args:
    return {"width": pyvips.Image.black(args["side"], args["side"]).copy_memory().width}


def blur_forever(args: Args, context: Context) -> Args:
    """An evaluation of hours inside libvips, reading fresh noise so that nothing is cached."""
    noise = pyvips.Image.gaussnoise(200_000, 200_000, mean=128, sigma=20)
    image = context.watch(noise.gaussblur(20))
    _mark(args)
    return {"mean": image.avg()}


def average(args: Args, context: Context) -> Args:
    context.progress(None, "averaging")
    return {"mean": context.watch(pyvips.Image.black(4000, 4000) + 7).avg()}


def fail_step(args: Args, context: Context) -> Args:
    raise StepError("Rotate", "limit is too large", step_id="a1", position=3)


def fail_image(args: Args, context: Context) -> Args:
    raise ImageError("nowhere.png: there is no such file.")


def fail_by_bug(args: Args, context: Context) -> Args:
    return {"value": {}["missing"]}


def answer_nonsense(args: Args, context: Context) -> Args:
    return {"value": object()}


def tell_stages(args: Args, context: Context) -> Args:
    """Tell two stages; wait at each until the test removes a file."""
    for fraction, name in ((0.25, "first"), (0.75, "second")):
        context.progress(fraction, name)
        while os.path.exists(os.path.join(args["folder"], name)):
            context.check()
            time.sleep(0.01)
    return {"done": True}


def niceness(args: Args, context: Context) -> Args:
    return {"nice": os.nice(0), "threads": os.environ["VIPS_CONCURRENCY"]}


def crash_nicely(args: Args, context: Context) -> Args:
    """Leave in a file how much the process gives way, and crash."""
    append({"path": args["log"], "line": str(os.nice(0))}, context)
    ctypes.string_at(0)
    return {}


def picture(args: Args, context: Context) -> tuple[Args, bytes]:
    """Stands for any picture: the pipeline's first step names another function of this module, with its arguments."""
    step = args["pipeline"]["steps"][0]
    if "log" in step["args"]:
        append({"path": step["args"]["log"], "line": args["quality"]}, context)
    found = TASKS[step["transform"]](step["args"], context)
    value = found[0] if isinstance(found, tuple) else found
    return {**value, "asked": {name: args[name] for name in ("side", "quality", "upto", "seed")}}, b"\xff\xd8" * 500


def blame(args: Args, context: Context) -> Args:
    """Tells the step and does the same again."""
    step = args["pipeline"]["steps"][0]
    context.at_step(step["id"], step["transform"], 1)
    TASKS[step["transform"]](step["args"], context)
    return {}


def not_finite(args: Args, context: Context) -> Args:
    return {"low": float("nan"), "high": [float("inf"), 1.5], "name": "é"}


def _mark(args: Args) -> None:
    if "began" in args:
        with open(args["began"], "w") as file:
            file.write(str(os.getpid()))


TASKS = {
    function.__name__: function
    for function in (
        echo,
        noisy_echo,
        append,
        sleep,
        listen,
        raise_signal,
        read_nowhere,
        poison,
        crash_once,
        echo_unless_poisoned,
        allocate,
        allocate_answer,
        allocate_in_libvips,
        blur_forever,
        average,
        fail_step,
        fail_image,
        fail_by_bug,
        answer_nonsense,
        tell_stages,
        niceness,
        crash_nicely,
        picture,
        blame,
        not_finite,
    )
}
