"""A clock that a test moves."""


class Clock:
    """Seconds, as `time.monotonic` gives them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
