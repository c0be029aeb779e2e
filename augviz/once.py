"""What a process has one of: made when it is first asked for, and once, however many threads ask together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Decorates the function that makes it. A cache alone has threads that are the first, and come together, make one each.

    Attributes:
        cache_clear: makes the next call make another one; for the tests.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self.__doc__ = make.__doc__
        self._made = lru_cache(maxsize=1)(make)
        self._lock = threading.Lock()  # held while it is made: what makes it must not ask for it
        self.cache_clear = self._made.cache_clear

    def __call__(self) -> T:
        with self._lock:
            return self._made()
