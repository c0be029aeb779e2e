"""The container as far as it can be checked without an engine: its files, and the app in a root like the container's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from augviz import health
from augviz.settings import TABLE
from tests.live import ROOT, fetch, free_port, serving, until
from tests.proxying import DEPLOY, GIVEN, composed, filled_in

pytest.importorskip("yaml")  # reads compose.yaml; Dask brings it

DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
TEMPLATE = (DEPLOY / "nginx.conf.template").read_text(encoding="utf-8")
VARIABLES = {row.variable for row in TABLE}
USER = 10001
MINE = {"X-Augviz-Visitor": "0" * 32}


@dataclass(frozen=True, slots=True)
class Instruction:
    """A line of the Dockerfile: "COPY" and what follows it."""

    name: str
    text: str


def stages() -> list[list[Instruction]]:
    """The Dockerfile's instructions, by stage."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE))
    found: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, text = line.split(maxsplit=1)
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, " ".join(text.split())))
    return found


def given(stage: list[Instruction], name: str) -> list[str]:
    return [one.text for one in stage if one.name == name]


def environment(stage: list[Instruction]) -> dict[str, str]:
    return dict(pair.split("=", 1) for text in given(stage, "ENV") for pair in shlex.split(text))


def copied(stage: list[Instruction]) -> Iterator[tuple[str, str]]:
    """What is copied from the repository, and where to."""
    for text in given(stage, "COPY"):
        if not text.startswith("--from="):
            *sources, target = text.split()
            yield from ((source, target) for source in sources)


def is_let_through(path: str, is_file: bool = True) -> bool:
    """Whether `.dockerignore` lets a file into the build: the last pattern that matches it or a folder above it decides."""
    let = True
    parts = path.split("/")
    above = {"/".join(parts[: end + 1]) for end in range(len(parts) - (not is_file))} | {path}
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            body = re.escape(pattern.lstrip("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            if any(re.fullmatch(body, one) for one in above):
                let = pattern.startswith("!")
    return let


FINAL = stages()[-1]
[WORKDIR] = given(FINAL, "WORKDIR")


def test_the_last_stage_runs_a_numbered_user_and_says_whether_it_is_well() -> None:
    runs = [at for at, one in enumerate(FINAL) if one.name == "RUN"]
    [user] = [at for at, one in enumerate(FINAL) if one.name == "USER"]

    assert given(FINAL, "USER") == [str(USER)]
    assert f"--uid {USER}" in FINAL[runs[0]].text
    assert user > max(runs)
    assert json.loads(given(FINAL, "HEALTHCHECK")[0].split("CMD ")[1]) == ["python", "-m", "augviz.health"]
    assert json.loads(given(FINAL, "CMD")[0]) == ["streamlit", "run", "app.py"]


def test_every_image_has_a_version_and_nothing_comes_from_an_address() -> None:
    names = {text.split(" AS ")[1] for stage in stages() for text in given(stage, "FROM") if " AS " in text}
    images = {text.split(" AS ")[0] for stage in stages() for text in given(stage, "FROM")} - names
    images |= {one["image"] for one in composed()["services"].values() if "image" in one}

    assert images
    assert [image for image in images if not re.fullmatch(r"[\w./-]+:\d[\w.-]*", image)] == []
    assert [one for stage in stages() for one in stage if one.name == "ADD"] == []
    assert [text for stage in stages() for text in given(stage, "RUN") if re.search(r"\b(curl|wget|git)\b", text)] == []


def test_the_image_has_the_python_that_is_tested() -> None:
    [image] = {text.split(":")[1] for text in re.findall(r"python:\S+", DOCKERFILE)}

    assert image.split("-")[:2] == ["3.11", "slim"]


def test_no_tool_that_builds_is_left() -> None:
    removed = " ".join(given(FINAL, "RUN"))
    built = " ".join(given(stages()[1], "RUN"))

    assert "pip uninstall --yes pip setuptools" in removed
    assert "ensurepip" in removed
    assert "/venv/bin/python -m pip uninstall --yes pip setuptools" in built
    assert re.findall(r"\b(?:apt-get|apk|gcc|g\+\+|make|build-essential)\b", removed + built) == []


def test_all_that_is_copied_is_there_and_let_through() -> None:
    sources = [source for stage in stages() for source, _target in copied(stage)]

    assert {"app.py", "pages", "augviz", ".streamlit", "requirements.txt"} <= set(sources)
    for source in sources:
        files = [path for path in sorted((ROOT / source).rglob("*")) if path.is_file()] or [ROOT / source]
        through = [path for path in files if is_let_through(str(path.relative_to(ROOT)))]

        assert (ROOT / source).exists()
        assert through, source
        assert [path.name for path in files if path not in through and path.suffix in (".py", ".js", ".css")] == []


@pytest.mark.parametrize(
    "path",
    [".streamlit/secrets.toml", ".git/config", "tests/live.py", "data/x", ".env", "deploy/key.pem", "augviz.toml"],
)
def test_secrets_and_what_is_not_needed_stay_outside(path: str) -> None:
    assert not is_let_through(path)


def test_the_modules_of_the_app_are_let_through_and_their_leftovers_are_not() -> None:
    assert is_let_through("augviz/ui/viewer.js")
    assert not is_let_through("augviz/ui/__pycache__/page.cpython-311.pyc")


def test_the_environment_names_settings_only() -> None:
    service = composed()["services"]["augviz"]
    named = {**environment(FINAL), **service["environment"]}

    assert {name for name in named if name.startswith("AUGVIZ_")} <= VARIABLES
    assert [name for name in named if not name.startswith(("AUGVIZ_", "STREAMLIT_", "PYTHON", "PATH", "HOME"))] == []
    assert (service["build"]["context"], service["build"]["dockerfile"]) == ("..", "deploy/Dockerfile")
    assert set(service["build"]["args"]) <= {text.split("=")[0] for text in given(stages()[1], "ARG")}


def test_the_extras_that_the_documents_name_are_let_into_the_build() -> None:
    texts = [DOCKERFILE, (DEPLOY / "compose.yaml").read_text(), (ROOT / "docs" / "hosting.md").read_text()]
    named = [set(re.findall(r"-r (requirements-[\w-]+\.txt)", re.sub(r"pip install .*", "", text))) for text in texts]
    sources = {source for source, _target in copied(stages()[1])}

    assert all("requirements-dask.txt" in names for names in named)
    assert [name for name in set().union(*named) if name not in sources or not is_let_through(name)] == []
    assert "${EXTRAS}" in given(stages()[1], "RUN")[0]
    assert composed(AUGVIZ_EXTRAS="x")["services"]["augviz"]["build"]["args"]["EXTRAS"] == "x"


def test_the_version_of_pytorch_is_the_tested_one() -> None:
    [line] = [one for one in (ROOT / "requirements-torch.txt").read_text().splitlines() if one.startswith("torch==")]

    assert re.fullmatch(r"torch==[\d.]+", line)
    assert "grep '^torch==' requirements-torch.txt" in given(stages()[1], "RUN")[0]


@pytest.mark.parametrize("name", ["augviz", "proxy"])
def test_every_service_is_read_only_and_without_privileges(name: str) -> None:
    service = composed()["services"][name]
    paths = {one.split(":")[0] for one in service["tmpfs"]} | {one.split(":")[1] for one in service["volumes"]}

    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "devices", "cap_add"} & set(service)
    assert [one for one in service["volumes"] if not one.endswith(":ro")] == (
        ["cache:/cache"] if name == "augviz" else []
    )
    assert paths >= (
        {"/tmp", "/cache", "/images"} if name == "augviz" else {"/etc/nginx/conf.d", "/var/cache/nginx", "/run"}
    )


def test_only_the_proxy_is_reached_from_outside_and_waits_for_the_app() -> None:
    services = composed()["services"]
    ports = {one.split(":")[1] for one in services["proxy"]["ports"]}
    told = services["proxy"]["environment"]

    assert "ports" not in services["augviz"]
    assert ports == {told["AUGVIZ_HTTPS_PORT"], told["AUGVIZ_HTTP_PORT"]}
    assert all(int(port) > 1024 for port in ports)  # its user is not root
    assert services["proxy"]["depends_on"] == {"augviz": {"condition": "service_healthy"}}
    assert told["AUGVIZ_SERVERS"] == f"server augviz:{environment(FINAL)['STREAMLIT_SERVER_PORT']};"


def test_proxy_and_app_agree_on_name_base_path_and_upload_limit() -> None:
    services = composed(AUGVIZ_BASE_PATH="a/b", AUGVIZ_UPLOAD_BYTES="123")["services"]
    app, proxy = services["augviz"]["environment"], services["proxy"]["environment"]

    assert proxy["AUGVIZ_PREFIX"] == f"/{app['STREAMLIT_SERVER_BASE_URL_PATH']}" == "/a/b"
    assert proxy["AUGVIZ_UPLOAD_LIMIT"] == app["AUGVIZ_UPLOAD_BYTES"] == "123"
    assert proxy["AUGVIZ_HOST"] == app["STREAMLIT_SERVER_ALLOWED_HOSTS"] == GIVEN["AUGVIZ_HOST"]
    assert composed()["services"]["proxy"]["environment"]["AUGVIZ_PREFIX"] == ""


@pytest.mark.parametrize("name", ["", "X-Forwarded-User", "X-Auth-User"])
def test_the_proxy_drops_the_header_that_the_app_trusts(name: str) -> None:
    services = composed(AUGVIZ_TRUSTED_HEADER=name)["services"]
    dropped = re.findall(r'proxy_set_header (\S+) "";', filled_in(TEMPLATE, services["proxy"]["environment"]))

    assert services["augviz"]["environment"]["AUGVIZ_TRUSTED_HEADER"] == name
    assert dropped == [name or "X-Forwarded-User"]


def test_a_visitor_has_fewer_render_processes_than_a_machine_of_some_cores() -> None:
    assert int(composed()["services"]["augviz"]["environment"]["AUGVIZ_RENDERS_PER_VISITOR"]) in (1, 2, 3)


def test_the_template_s_names_are_all_given_and_all_used() -> None:
    told = composed()["services"]["proxy"]["environment"]
    mounted = {one.split(":")[1] for one in composed()["services"]["proxy"]["volumes"]}
    code = re.sub(r"(?m)#.*$", "", TEMPLATE)

    assert set(re.findall(r"\$\{(\w+)\}", code)) == set(told) - {"NGINX_ENVSUBST_FILTER"}
    assert {told["AUGVIZ_CERTIFICATE"], told["AUGVIZ_KEY"]} <= mounted
    assert all(re.match(told["NGINX_ENVSUBST_FILTER"], name) for name in told if name != "NGINX_ENVSUBST_FILTER")


def test_the_readme_gives_what_must_be_given() -> None:
    [lines] = re.findall(r"(?s)deploy/\.env <<END\n(.*?)\n    END", (ROOT / "README.md").read_text(encoding="utf-8"))

    assert {line.strip().split("=")[0] for line in lines.splitlines()} == set(GIVEN)


@pytest.mark.parametrize("missing", sorted(GIVEN))
def test_what_must_be_given_has_no_default(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(GIVEN, missing)

    with pytest.raises(KeyError, match=missing):
        composed()


@pytest.mark.skipif(not shutil.which("envsubst"), reason="there is no envsubst on this machine")
def test_the_tests_fill_the_template_in_as_envsubst_does() -> None:
    told = {name: str(value) for name, value in composed()["services"]["proxy"]["environment"].items()}
    names = " ".join(f"${{{name}}}" for name in told if name.startswith("AUGVIZ_"))
    run = subprocess.run(["envsubst", names], input=TEMPLATE, env=told, capture_output=True, text=True, check=True)
    # The command for those who do it by hand, as the template's comment gives it.
    [command] = re.findall(r"#\s+(envsubst \"\$\(env .*?\)\") <", TEMPLATE)
    by_hand = {**told, "PATH": os.environ["PATH"]}
    by_hand.pop("NGINX_ENVSUBST_FILTER")
    hand = subprocess.run(
        ["sh", "-c", command], input=TEMPLATE, env=by_hand, capture_output=True, text=True, check=True
    )

    assert run.stdout == filled_in(TEMPLATE, {name: told[name] for name in told if name.startswith("AUGVIZ_")})
    assert hand.stdout == run.stdout
    assert "${" not in re.sub(r"(?m)#.*$", "", run.stdout)


# The health check


def asked(url: str, **more: str) -> dict[str, str]:
    return {"STREAMLIT_SERVER_PORT": url.rsplit(":", 1)[1], "STREAMLIT_SERVER_ADDRESS": "0.0.0.0", **more}


@pytest.mark.parametrize("base", ["", "lab", "/team/lab/"])
def test_health_asks_below_the_base_path(base: str) -> None:
    from starlette.responses import Response
    from starlette.routing import Route

    path = f"/{base.strip('/')}/_stcore/health".replace("//", "/")
    with serving([Route(path, lambda request: Response("ok"))]) as url:
        right = health.trouble(asked(url, STREAMLIT_SERVER_BASE_URL_PATH=base))
        wrong = health.trouble(asked(url, STREAMLIT_SERVER_BASE_URL_PATH="elsewhere"))
        through_a_proxy = health.trouble(
            asked(url, STREAMLIT_SERVER_BASE_URL_PATH=base, HTTP_PROXY="http://127.0.0.1:9")
        )

    assert (right, through_a_proxy) == ("", "")
    assert wrong.endswith("answers /elsewhere/_stcore/health with 404.")


def test_health_is_an_exit_status_and_a_sentence() -> None:
    port = str(free_port())
    for value, said in (
        (port, f"The server at 127.0.0.1:{port} does not answer: "),
        ("x", "STREAMLIT_SERVER_PORT is no port"),
    ):
        run = subprocess.run(
            [sys.executable, "-m", "augviz.health"],
            cwd=ROOT,
            env={**os.environ, "STREAMLIT_SERVER_PORT": value},
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert run.returncode == 1
        assert run.stderr.startswith(said)
        assert len(run.stderr.splitlines()) == 1


def test_health_asks_streamlit_s_own_address_and_port() -> None:
    assert health.place({}) == ("127.0.0.1", 8501, "/_stcore/health")
    assert health.place({"STREAMLIT_SERVER_ADDRESS": "10.0.0.1"})[0] == "10.0.0.1"


# The same steps in a root of its own

ROOT_SCRIPT = """
set -eu
root=$1; python=$2; venv=$3; app=$4; cache=$5; images=$6; start=$7; shift 7
mount -t tmpfs -o mode=755 augviz "$root"
cd "$root"
mkdir -p app cache images tmp proc dev etc usr
mount -t tmpfs -o mode=1777 augviz tmp
for name in bin lib lib64 lib32 sbin; do
    if [ -L "/$name" ]; then cp -P "/$name" "$name"; elif [ -d "/$name" ]; then mkdir "$name"; mount --bind "/$name" "$name"; fi
done
mount --bind /usr usr
mount --bind /etc etc
mount --rbind /proc proc
mount --rbind /dev dev
case "$python" in /usr|/usr/*) ;; *) mkdir -p ".$python"; mount --bind "$python" ".$python";; esac
mkdir -p ".$venv"
mount --bind "$venv" ".$venv"
ln -s "$venv" venv
mount --bind "$app" app
mount --bind "$cache" cache
mount --bind "$images" images
for name in usr etc app images ".$venv"; do mount -o remount,bind,ro "$name"; done
[ ! -d ".$python" ] || mount -o remount,bind,ro ".$python" 2> /dev/null || true
mount -o remount,bind,ro .
exec chroot . /usr/bin/env --chdir="$start" -i "$@"
"""
"""Makes a root of what the image has, read-only but for /cache and /tmp, and runs a command there."""

DROP = [
    "/usr/bin/setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
]
DROP += ["--no-new-privs", "--"]


def hindrance() -> str:
    """Why no root of its own can be made here; "" where one can."""
    if not all(map(shutil.which, ("unshare", "nsenter", "setpriv", "chroot"))):
        return "unshare, nsenter, setpriv and chroot are needed"
    if os.geteuid() != 0:
        return "only root can run the app as another user"
    made = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, text=True)
    return "" if made.returncode == 0 else f"no mounts can be made here: {made.stderr.strip()}"


@dataclass(frozen=True, slots=True)
class Contained:
    """The app in its root.

    Attributes:
        variables: what its environment holds.
    """

    process: subprocess.Popen[bytes]
    url: str
    variables: Mapping[str, str]
    app: Path
    cache: Path
    log: Path

    def run(self, *command: str, as_root: bool = False) -> subprocess.CompletedProcess[str]:
        """A command beside the server, as an engine's `exec` runs it."""
        inside = [
            "nsenter",
            f"--target={self.process.pid}",
            "--mount",
            "--root",
            "/usr/bin/env",
            f"--chdir={WORKDIR}",
            "-i",
        ]
        words = [*inside, *(f"{name}={value}" for name, value in self.variables.items())]
        words += command if as_root else (*DROP, *command)
        return subprocess.run(words, capture_output=True, text=True, timeout=60, cwd="/")


@pytest.fixture(scope="module")
def contained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contained]:
    if reason := hindrance():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("container")
    app, cache, images, root = (folder / name for name in ("app", "cache", "images", "root"))
    for one in (app, cache, images, root):
        one.mkdir()
    os.chown(cache, USER, USER)
    copy_in(app)
    port = free_port()
    variables = {
        **environment(FINAL),
        "PATH": "/venv/bin:/usr/bin:/bin",
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",  # this machine's network is not the container's own
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_BASE_URL_PATH": "lab",
        "STREAMLIT_SERVER_ENABLE_AGENT_API": "true",
    }
    command = [*(f"{name}={value}" for name, value in variables.items()), *DROP]
    command += json.loads(given(FINAL, "CMD")[0])
    places = [str(one) for one in (root, sys.base_prefix, sys.prefix, app, cache, images, WORKDIR)]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", ROOT_SCRIPT, "sh", *places, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    found = Contained(process, f"http://127.0.0.1:{port}/lab", variables, app, cache, folder / "log")
    try:
        until(lambda: process.poll() is not None or is_served(found.url), 90)
        assert process.poll() is None, found.log.read_text(errors="replace")
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def copy_in(app: Path) -> None:
    """What the last stage copies into its folder, as far as `.dockerignore` lets it."""
    for source, target in copied(FINAL):
        for path in [ROOT / source, *sorted((ROOT / source).rglob("*"))]:
            if path.is_file() and is_let_through(str(path.relative_to(ROOT))):
                below = path.relative_to(ROOT / source) if (ROOT / source).is_dir() else Path(path.name)
                place = app / target / below
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, place)
    subprocess.run(["chmod", "-R", "a+rX,go-w", str(app)], check=True)  # as the Dockerfile does


def is_served(url: str) -> bool:
    with contextlib.suppress(OSError):
        return fetch(f"{url}/_stcore/health").status == 200
    return False


def visit(url: str, page: str = "") -> dict[str, Any]:
    """Run a page; gives Streamlit's description of what is on it."""
    request = urllib.request.Request(
        f"{url}/_stcore/agent/interact",
        data=json.dumps({"page": page} if page else {}).encode(),
        headers={"Content-Type": "application/json", **MINE},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        found: dict[str, Any] = json.loads(response.read())
    return found


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_the_app_serves_pages_and_pictures_as_the_user_in_a_root_that_is_read_only(contained: Contained) -> None:
    before = files_below(contained.app)
    pages = visit(contained.url)["pages"]
    shown = [visit(contained.url, page["url_path"]) for page in pages]
    addresses = set(re.findall(r"/[\w/]*augviz/(?:picture|thumb)/[^\"'\\ &]+", json.dumps(shown)))
    pictures = [fetch(contained.url.removesuffix("/lab") + address, MINE) for address in addresses]
    owners = {path.stat().st_uid for path in contained.cache.rglob("*")}
    status = Path(f"/proc/{contained.process.pid}/status").read_text()

    assert {one["status"] for one in shown} == {"ready"}
    assert pictures
    assert {(one.status, one.headers["content-type"]) for one in pictures} == {(200, "image/jpeg")}
    assert re.findall(r"(?m)^(?:Uid|CapEff|CapBnd|NoNewPrivs):\s+(\S+)", status) == [str(USER), "0" * 16, "0" * 16, "1"]
    assert files_below(contained.app) == before
    assert owners == {USER}
    assert [word for word in ("Read-only", "Permission denied", "Traceback") if word in contained.log.read_text()] == []


def test_the_health_command_runs_beside_the_app(contained: Contained) -> None:
    command = json.loads(given(FINAL, "HEALTHCHECK")[0].split("CMD ")[1])
    well = contained.run(*command)
    elsewhere = contained.run("env", f"STREAMLIT_SERVER_PORT={free_port()}", *command)

    assert (well.returncode, well.stderr) == (0, "")
    assert elsewhere.returncode == 1


def test_nothing_can_be_written_but_in_the_cache_and_the_temporary_folder(contained: Contained) -> None:
    def written(*places: str, as_root: bool) -> list[str]:
        return [place for place in places if contained.run("touch", f"{place}/x", as_root=as_root).returncode == 0]

    read_only = ("/", "/app", "/app/augviz", "/venv", "/images", "/etc", "/usr")

    assert written(*read_only, as_root=False) == []
    assert written(*read_only, as_root=True) == []
    assert written("/cache", "/tmp", as_root=False) == ["/cache", "/tmp"]
