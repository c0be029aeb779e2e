"""Counters and latencies, as Prometheus reads them from a real server."""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from augviz import metrics, upload_routes
from augviz.answers import Answers
from augviz.errors import SettingsError
from augviz.recipes import recipe_of, register
from augviz.uploads import Uploads
from augviz.web import routes
from augviz.workers import Pool
from tests.guarded import ME, picture_of
from tests.live import fetch, live_server, serving, until

SAMPLE = re.compile(r"^(augviz_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@pytest.fixture
def counting() -> Iterator[None]:
    metrics.start()
    yield
    metrics.stop()


def samples(url: str) -> dict[str, float]:
    """What the endpoint tells, by name and labels, without cookie or header."""
    reply = fetch(f"{url}/augviz/metrics")
    assert reply.status == 200
    found = SAMPLE.findall(reply.body.decode())
    return {name + (f"{{{labels}}}" if labels else ""): float(value) for name, labels, value in found}


def key_of(function: str) -> str:
    return register(recipe_of("a.tif", {"format": 1, "steps": [{"id": "a", "transform": function, "args": {}}]}, 0))


def test_pictures_crashes_and_uploads_are_counted(counting: None, tmp_path: Path) -> None:
    pool = Pool(render_workers=1, seconds=60, tasks="tests.worker_tasks")
    answers = Answers(pool)
    uploads = Uploads(tmp_path, max_bytes=1000, grace_seconds=60)
    token = uploads.open_session()
    served = [
        *routes(answers=lambda: answers),
        *upload_routes.routes("", lambda _header, _cookie: True, lambda: uploads),
        *metrics.routes(),
    ]
    try:
        with serving(served) as url:
            for _ in range(3):
                assert fetch(f"{url}/augviz/picture/{key_of('echo')}/quick.jpg").status == 200
            assert fetch(f"{url}/augviz/picture/{key_of('read_nowhere')}/quick.jpg").status == 422
            for size, status in ((700, 200), (1001, 413)):
                request = urllib.request.Request(f"{url}/augviz/upload/{token}?name=a.tif", b"x" * size, method="PUT")
                if status == 200:
                    urllib.request.urlopen(request, timeout=60).close()
                else:
                    with pytest.raises(urllib.error.HTTPError, match="413"):
                        urllib.request.urlopen(request, timeout=60)
            assert fetch(f"{url}/augviz/picture/{key_of('average')}/quick.jpg").status == 200
            found = samples(url)
    finally:
        pool.close()
        uploads.close()

    assert found['augviz_renders_total{function="picture",outcome="done"}'] == 2
    assert found['augviz_renders_total{function="picture",outcome="crashed"}'] == 1
    assert found['augviz_render_seconds_count{function="picture"}'] == 3
    assert found['augviz_queue_seconds_count{lane="render"}'] == 3
    assert found['augviz_worker_restarts_total{lane="render"}'] >= 1
    assert (found['augviz_answers_total{source="kept"}'], found['augviz_answers_total{source="computed"}']) == (2, 3)
    assert found['augviz_jobs_total{function="blame",outcome="crashed"}'] == 1
    assert found["augviz_upload_bytes_total"] == 700
    assert (found['augviz_uploads_total{outcome="done"}'], found['augviz_uploads_total{outcome="refused"}']) == (1, 1)
    assert found['augviz_refusals_total{what="upload"}'] == 1


def test_the_app_counts_and_logs_without_names_and_only_where_it_shall(tmp_path: Path) -> None:
    env = {
        "AUGVIZ_METRICS": "1",
        "AUGVIZ_LOG_FORMAT": "json",
        "AUGVIZ_WORKERS": "1",
        "AUGVIZ_TRUSTED_HEADER": "X-Forwarded-User",
        "STREAMLIT_SERVER_ENABLE_AGENT_API": "true",
    }
    who = {**ME, "X-Forwarded-User": "somebody@example.org"}
    with live_server(tmp_path, **env) as server:
        picture = picture_of(server.url, **who)
        assert fetch(picture, who).status == 200
        before = samples(server.url)
        for child in psutil.Process(server.pid).children(recursive=True):
            if "augviz.worker" in child.cmdline():
                child.kill()
                until(lambda dead=child: not dead.is_running() or dead.status() == psutil.STATUS_ZOMBIE)  # type: ignore[misc]
        assert fetch(f"{picture}{'&' if '?' in picture else '?'}side=640", who).status == 200
        after = samples(server.url)
        refused = fetch(f"{server.url}/augviz/picture/x/quick.jpg").status
        streamlits = [fetch(f"{server.url}/_stcore/metrics", headers).status for headers in (who, ME)]
        beside = fetch(f"{server.url}/augviz/metrics/x", ME).status
    told = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]

    assert refused == 403
    assert streamlits == [200, 403]
    assert beside == 403
    restarts = 'augviz_worker_restarts_total{lane="render"}'
    assert after[restarts] == before.get(restarts, 0) + 1
    assert {"worker_start", "render_start", "render_end"} <= {line["event"] for line in told}
    assert "somebody" not in server.log.read_text()


def test_where_they_are_off_nothing_is_counted_and_there_is_no_route() -> None:
    metrics.count("answers", source="kept")
    metrics.observe("queue_seconds", 1.0, lane="render")

    assert metrics.routes() == []


def test_a_missing_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(SettingsError, match="prometheus-client is needed to count; install it with pip install -r"):
        metrics.start()
