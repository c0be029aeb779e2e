"""What server and worker say to each other: frames of one JSON object and one optional blob of bytes.

Nothing is pickled: a worker has handled hostile files, so its answer is data and never code. A frame is two lengths
(unsigned, 4 bytes each, big-endian), the header as UTF-8 JSON, and the blob.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

from augviz import errors
from augviz.errors import AugvizError, StepError, WorkerCrashed

MAX_HEADER_BYTES = 64 << 20
MAX_BLOB_BYTES = 1 << 30
_LENGTHS = struct.Struct(">II")

ERROR_CLASSES: Mapping[str, type[AugvizError]] = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, AugvizError)
}
"""Every class that may cross the boundary, by name."""


class FrameError(Exception):
    """What arrived is no frame."""


def write_frame(stream: BinaryIO, header: Mapping[str, Any], blob: bytes = b"") -> None:
    """Write one frame and flush. Raises OSError if the other side has gone, ValueError if a value is not JSON."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=True).encode()
    stream.write(_LENGTHS.pack(len(text), len(blob)))
    stream.write(text)
    if blob:
        stream.write(blob)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None at the end of the stream.

    Raises:
        FrameError: the lengths are beyond the limits, the stream ends inside a frame, or the header is no object.
    """
    start = stream.read(_LENGTHS.size)
    if not start:
        return None
    if len(start) < _LENGTHS.size:
        raise FrameError("the stream ended inside a frame")
    header_bytes, blob_bytes = _LENGTHS.unpack(start)
    if header_bytes > MAX_HEADER_BYTES or blob_bytes > MAX_BLOB_BYTES:
        raise FrameError(f"a frame of {header_bytes} and {blob_bytes} bytes is beyond the limits")
    text, blob = stream.read(header_bytes), stream.read(blob_bytes)
    if len(text) < header_bytes or len(blob) < blob_bytes:
        raise FrameError("the stream ended inside a frame")
    try:
        header = json.loads(text)
    except ValueError as error:
        raise FrameError(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise FrameError("the header is not an object")
    return header, blob


def error_to_json(error: AugvizError) -> dict[str, Any]:
    """An error of the family as JSON; a class the other side does not know becomes its nearest known parent."""
    name = next(cls.__name__ for cls in type(error).__mro__ if ERROR_CLASSES.get(cls.__name__) is cls)
    found: dict[str, Any] = {"class": name, "message": str(error)}
    if isinstance(error, StepError):
        found |= {
            "step_id": error.step_id,
            "transform": error.transform,
            "position": error.position,
            "reason": error.reason,
        }
    if isinstance(error, WorkerCrashed):
        found["exit_status"] = error.exit_status
    return found


def error_from_json(data: Mapping[str, Any]) -> AugvizError:
    """The error that `error_to_json` described, of the same class."""
    cls = ERROR_CLASSES.get(str(data.get("class")), AugvizError)
    if issubclass(cls, StepError):
        position = data.get("position")
        return cls(
            str(data.get("transform", "")),
            str(data.get("reason", "")),
            step_id=str(data.get("step_id", "")),
            position=position if isinstance(position, int) else None,
        )
    if issubclass(cls, WorkerCrashed):
        status = data.get("exit_status")
        return cls(str(data.get("message", "")), exit_status=status if isinstance(status, int) else None)
    return cls(str(data.get("message", "")))
