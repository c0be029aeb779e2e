"""Whether the server of this environment answers: `python -m augviz.health` ends with 0 or, after one sentence, with 1."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

TIMEOUT_SECONDS = 8.0
"""Less than what a container's health check waits for."""

_EVERY_ADDRESS = ("", "0.0.0.0", "::")


def place(environ: Mapping[str, str]) -> tuple[str, int, str]:
    """Host, port and path of Streamlit's health route, from its `STREAMLIT_SERVER_*` variables.

    Raises:
        ValueError: the port is no number.
    """
    address = environ.get("STREAMLIT_SERVER_ADDRESS", "").strip()
    base = environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/ ")
    port = int(environ.get("STREAMLIT_SERVER_PORT", "") or 8501)
    return "127.0.0.1" if address in _EVERY_ADDRESS else address, port, f"{'/' if base else ''}{base}/_stcore/health"


def trouble(environ: Mapping[str, str] = os.environ) -> str:
    """Why the server is not well, in a sentence; "" where it is. Asks it directly, whatever HTTP_PROXY says."""
    try:
        host, port, path = place(environ)
    except ValueError:
        return f"STREAMLIT_SERVER_PORT is no port: {environ['STREAMLIT_SERVER_PORT']!r}."
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"The server at {host}:{port} does not answer: {error or type(error).__name__}."
    finally:
        connection.close()
    return "" if status == 200 else f"The server at {host}:{port} answers {path} with {status}."


def main() -> int:
    """The command; its exit status."""
    said = trouble()
    if said:
        print(said, file=sys.stderr)
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
