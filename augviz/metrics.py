"""Counters and latencies of this server, for Prometheus. While they are off, a call costs one comparison.

What is counted stands in one table. Nothing of a visitor is in a label: names of worker functions, lanes and outcomes only.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from augviz.errors import SettingsError

ADDRESS = "/augviz/metrics"
"""Below the base path."""

MISSING = "metrics: prometheus-client is needed to count; install it with pip install -r requirements-metrics.txt."

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_JOB_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    Attributes:
        name: without the prefix "augviz_"; Prometheus adds "_total" to that of a counter.
        help: what is counted, or measured in seconds.
        labels: what it is told apart by.
        buckets: upper ends in seconds, for a latency; a counter has none.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


TABLE: tuple[Metric, ...] = (
    Metric("renders", "Requests that workers have had, by how they ended.", ("function", "outcome")),
    Metric("render_seconds", "Time that a worker took for a request.", ("function",), _SECONDS),
    Metric("queue_seconds", "Time that a request waited for a worker.", ("lane",), _SECONDS),
    Metric("worker_restarts", "Worker processes that were replaced.", ("lane",)),
    Metric("answers", "Questions, by where their answer comes from: kept, shared or computed.", ("source",)),
    Metric("jobs", "Jobs that have ended, by how.", ("function", "outcome")),
    Metric("job_seconds", "Time that a job took.", ("function",), _JOB_SECONDS),
    Metric("uploads", "Files that were sent, by how it ended.", ("outcome",)),
    Metric("upload_bytes", "Bytes of the files that were received whole."),
    Metric("refusals", "What was refused for want of room: a request, a job, an upload, a session.", ("what",)),
)
"""Everything that is counted."""

_kept: dict[str, Any] | None = None  # by name; None while nothing is counted
_registry: Any = None


def start() -> None:
    """Count from now on. Raises SettingsError where prometheus_client is not installed."""
    global _kept, _registry
    if _kept is not None:
        return
    if importlib.util.find_spec("prometheus_client") is None:
        raise SettingsError(MISSING)
    from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector

    _registry = CollectorRegistry()
    ProcessCollector(registry=_registry)
    GCCollector(registry=_registry)
    _kept = {}
    for row in TABLE:
        name = f"augviz_{row.name}"
        if row.buckets:
            _kept[row.name] = Histogram(name, row.help, row.labels, buckets=row.buckets, registry=_registry)
        else:
            _kept[row.name] = Counter(name, row.help, row.labels, registry=_registry)


def stop() -> None:
    """Forget what was counted, and count no more."""
    global _kept, _registry
    _kept = _registry = None


def count(name: str, amount: float = 1, **labels: str) -> None:
    """Add to a counter of the table."""
    if _kept is not None:
        _labelled(_kept[name], labels).inc(amount)


def observe(name: str, seconds: float, **labels: str) -> None:
    """Note a latency of the table."""
    if _kept is not None:
        _labelled(_kept[name], labels).observe(seconds)


def _labelled(metric: Any, labels: dict[str, str]) -> Any:
    return metric.labels(**labels) if labels else metric


def routes(base_path: str = "") -> list[Route]:
    """The route that Prometheus asks, below Streamlit's `server.baseUrlPath` where that is set; none while they are off."""
    base = f"/{base_path.strip('/')}" if base_path.strip("/") else ""
    return [Route(f"{base}{ADDRESS}", _show)] if _kept is not None else []


def _show(request: Request) -> Response:
    from prometheus_client.exposition import choose_encoder

    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(_registry), headers={"Content-Type": kind, "Cache-Control": "no-store"})
