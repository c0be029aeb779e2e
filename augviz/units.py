"""How numbers are written for people: bytes, pixels, seconds, counts. Never used for computing."""

from __future__ import annotations


def bytes_text(count: int | float) -> str:
    """`count` bytes in decimal units (1 MB = 10^6 bytes), three significant digits."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def seconds_text(seconds: float) -> str:
    """`seconds` as ms below one second, then s, then min."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min"


def megapixels_text(width: int, height: int) -> str:
    """`width` x `height` pixels in megapixels (10^6), three significant digits."""
    value = width * height / 1e6
    return f"{value:.0f} MP" if value >= 100 else f"{value:.3g} MP"


def size_text(width: int, height: int) -> str:
    """Width before height, as everywhere on the screen: `512 x 384`."""
    return f"{width} × {height}"


def counted(count: int, noun: str) -> str:
    """`1 worker`, `3 workers`, `no workers`."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
