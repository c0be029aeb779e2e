"""Where something was measured: versions, processor, threads and memory, in JSON values. Reads no pixels."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from augviz import __version__, machine

OPENCV_PACKAGES = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
CPUINFO = Path("/proc/cpuinfo")


def environment() -> dict[str, Any]:
    """{"augviz", "albumentationsxl", "libvips", "pyvips", "numpy", "opencv", "python", "processor", "cores", "threads",
    "memory_bytes", "system"} of this process; what is unknown is None."""
    return {
        "augviz": __version__,
        "albumentationsxl": importlib.metadata.version("albumentationsxl"),
        "libvips": ".".join(str(pyvips.version(part)) for part in range(3)),
        "pyvips": importlib.metadata.version("pyvips"),
        "numpy": np.__version__,
        "opencv": next(filter(None, map(_version, OPENCV_PACKAGES)), None),
        "python": platform.python_version(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads(),
        "memory_bytes": machine.detect().total_bytes,
        "system": f"{platform.system()} {platform.release()}".strip() or None,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def threads() -> int:
    """libvips' threads in this process."""
    said = os.environ.get("VIPS_CONCURRENCY", "")
    return int(said) if said.isdecimal() and int(said) > 0 else os.cpu_count() or 1


def processor(cpuinfo: Path = CPUINFO) -> str | None:
    """The processor's model, None where the system does not tell."""
    try:
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model") and value.strip():
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or None
