"""The proxy of `deploy/` on this machine: nginx with the shipped template, filled in as its container does, and compose.yaml."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright

from tests import chromium
from tests.live import ROOT, Reply, free_port

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")
_NEEDED = {"nginx": NGINX, "openssl": OPENSSL, "/proc": Path("/proc/self").exists()}
MISSING = " and ".join(name for name, found in _NEEDED.items() if not found)
"""What a proxy lacks on this machine; "" for nothing."""

HOST = "augviz.example.org"
"""What browsers know the server by; `launch` makes one that finds it on this machine."""

GIVEN = {"AUGVIZ_HOST": HOST, "AUGVIZ_SECRET": "s" * 40, "AUGVIZ_IMAGES": "/images"}
"""The least that `.env` beside compose.yaml holds."""

_MAIN = """
{user}
worker_processes 2;
pid {folder}/nginx.pid;
daemon off;
events {{ worker_connections 1024; }}
http {{
    default_type application/octet-stream;
    client_body_temp_path {folder}/kept/body;
    proxy_temp_path {folder}/kept/proxy;
    fastcgi_temp_path {folder}/kept/fastcgi;
    uwsgi_temp_path {folder}/kept/uwsgi;
    scgi_temp_path {folder}/kept/scgi;
    include {folder}/augviz.conf;
}}
"""
"""In the place of the container's nginx.conf, which includes what is made of the template as well."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running nginx.

    Attributes:
        url: "https://augviz.example.org:1234", with the base path where there is one.
        port: of HTTPS; `http_port` is that of plain HTTP.
        pid: of its master process.
        folder: its configuration, its log `log`, and `kept` for what it puts on the disk.
    """

    url: str
    port: int
    http_port: int
    pid: int
    folder: Path

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        host: str = HOST,
        name: str = HOST,
        plain: bool = False,
    ) -> Reply:
        """Ask for something; the certificate is checked.

        Args:
            host: of the Host header, without the port.
            name: what the TLS handshake asks for.
            plain: without TLS.

        Raises:
            ssl.SSLError: the handshake is refused.
        """
        port = self.http_port if plain else self.port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
            if not plain:
                trusting = ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))
                connection.sock = trusting.wrap_socket(connection.sock, server_hostname=name)
            connection.request(method, path, body, {"Host": f"{host}:{port}", **(headers or {})})
            response = connection.getresponse()
            told: dict[str, str] = {}
            for header, value in response.getheaders():  # what is there twice shows
                told[header.lower()] = f"{told[header.lower()]}, {value}" if header.lower() in told else value
            return Reply(response.status, told, response.read())
        finally:
            connection.close()


def composed(**given: str) -> dict[str, Any]:
    """compose.yaml with the variables of its `.env` filled in, as far as it uses Compose's syntax for them.

    Raises:
        KeyError: a variable that must be given is missing.
    """
    import yaml  # comes with Dask, which not every environment has

    values = {**GIVEN, **given}

    def fill(found: re.Match[str]) -> str:
        name, mark, text = found.groups()
        if mark == ":+":
            return text if values.get(name) else ""
        return values[name] if mark != ":-" or values.get(name) else text

    read: dict[str, Any] = yaml.safe_load(
        re.sub(r"\$\{(\w+)(?:(:[-+?])([^}]*))?\}", fill, (DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    )
    return read


def filled_in(template: str, values: Mapping[str, str]) -> str:
    """What `envsubst` makes of the template where it is told these names. A name that is not told stays as it is."""
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


@contextlib.contextmanager
def proxying(
    folder: Path, *ports: int, base_path: str = "", changed: Mapping[str, str] | None = None, **given: str
) -> Iterator[Proxy]:
    """nginx before servers on these ports of this machine, ended at the end of the block.

    Args:
        folder: gets the configuration, the certificate and the log.
        base_path: the servers' `server.baseUrlPath`.
        changed: what is edited in the template: pieces of it, and what stands in their place.
        given: more variables of `.env`.
    """
    assert NGINX
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kept").mkdir()
    certificate(folder)
    port, http_port = free_port(), free_port()
    values = {
        **composed(AUGVIZ_BASE_PATH=base_path, **given)["services"]["proxy"]["environment"],
        "AUGVIZ_SERVERS": " ".join(f"server 127.0.0.1:{one};" for one in ports),
        "AUGVIZ_HTTPS_PORT": f"127.0.0.1:{port}",
        "AUGVIZ_HTTP_PORT": f"127.0.0.1:{http_port}",
        "AUGVIZ_CERTIFICATE": str(folder / "certificate.pem"),
        "AUGVIZ_KEY": str(folder / "key.pem"),
    }
    template = (DEPLOY / "nginx.conf.template").read_text(encoding="utf-8")
    for old, new in (changed or {}).items():
        assert old in template
        template = template.replace(old, new)
    (folder / "augviz.conf").write_text(filled_in(template, values), encoding="utf-8")
    # Started by root, nginx' workers would be somebody who may not enter this folder.
    user = "user root root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_MAIN.format(user=user, folder=folder), encoding="utf-8")
    with open(folder / "log", "wb") as log:
        command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(process, port, folder / "log")
            below = f"/{base_path}" if base_path else ""
            yield Proxy(f"https://{HOST}:{port}{below}", port, http_port, process.pid, folder)
        finally:
            process.terminate()
            process.wait(timeout=30)


def certificate(folder: Path) -> None:
    """A certificate for `HOST` that is signed by itself, and its key."""
    assert OPENSSL
    asked = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={HOST}".split()
    asked += ["-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(
        [OPENSSL, *asked, *files],
        check=True,
        capture_output=True,
        timeout=60,
    )


def launch(playwright: Playwright) -> Browser:
    """A browser that finds `HOST` on this machine, and no other host."""
    rule = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    return playwright.chromium.launch(executable_path=chromium.executable(), args=[*chromium.FLAGS, rule])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"nginx has not started:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)
