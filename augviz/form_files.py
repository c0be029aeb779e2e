"""Writes an image in one of the forms that are compared: its pixels as stored, in one pass from top to bottom."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyvips

from augviz import forms, libvips
from augviz.context import Context
from augviz.errors import ImageError
from augviz.forms import Form
from augviz.loading import display_name, load, read_problem, reading
from augviz.model import Header, InputChoice
from augviz.pyramid import levels_of
from augviz.results import write_problem, written_whole


def write(
    path: str | os.PathLike[str],
    choice: InputChoice,
    form: Form,
    out_path: str | os.PathLike[str],
    context: Context,
) -> dict[str, Any]:
    """Writes the page and level that `choice` names; what else it says is left to those who read the file.

    Args:
        path: the original.
        out_path: the file, which appears when it is complete; its folder must be there.
        context: hears how far it is; a request that is given up leaves no file.

    Returns:
        {"file_bytes", "options": [name, value] of the original's loader, which choose page and level}.

    Raises:
        ImageError: the original cannot be read or has no such page or level, the form cannot hold the image, there is no
            room for it, or it cannot be written.
        Cancelled: the request was given up.
    """
    out = Path(out_path)
    options = () if choice.page is None and not choice.level else levels_of(path, choice)[0].options
    image = load(path, options, access="sequential")
    shape = _header(image)
    if reason := forms.reason_against(form, shape):
        raise ImageError(reason)
    with written_whole(out) as part:
        context.progress(0.0, f"writing {form.title}")
        try:
            _save(context.watch(image.copy()), part, form)
        except pyvips.Error as error:
            context.check()
            if (problem := write_problem(error, out) or read_problem(error, path)) is not None:
                raise problem from error
            raise ImageError(f"{display_name(path)}: {form.title} of it cannot be written: {_words(error)}.") from error
        context.check()
        with reading(part):
            written = _header(load(part))
        if _shape(written) != _shape(shape):
            raise ImageError(
                f"{form.title} cannot hold this image: {shape.bands} bands {shape.format} would become "
                f"{written.bands} bands {written.format}."
            )
    return {"file_bytes": out.stat().st_size, "options": [list(option) for option in options]}


def _save(image: pyvips.Image, part: Path, form: Form) -> None:
    options = forms.save_options(form, image.format)
    if options.get("pyramid"):
        libvips.save_pyramid(image, part, **options)
    else:
        pyvips.Operation.call(form.saver, image, os.fspath(part), **options)


def _words(error: pyvips.Error) -> str:
    lines = [line.strip() for line in error.detail.splitlines() if line.strip()]
    return (lines[-1] if lines else "libvips does not say why").rstrip(".: ")


def _header(image: pyvips.Image) -> Header:
    return Header(image.width, image.height, image.bands, image.format, image.interpretation)


def _shape(header: Header) -> tuple[int, int, int, str]:
    return header.width, header.height, header.bands, header.format
