"""The settings: one table, filled from `AUGVIZ_*` environment variables, then a TOML file, then the defaults.

Each row of the table is a field of `Settings`. What a setting is called, its default, its unit and its help stand
there once; reading, `docs/settings.md` and error messages are derived from it.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from augviz.errors import SettingsError
from augviz.events import FORMATS

PREFIX = "AUGVIZ_"
CONFIG_VARIABLE = "AUGVIZ_CONFIG"
CONFIG_NAME = "augviz.toml"

_FACTORS = {
    "bytes": {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
    | {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40},
    "seconds": {"": 1, "s": 1, "min": 60, "h": 3600},
    "px": {"": 1, "px": 1, "mp": 10**6, "gp": 10**9},
    "count": {"": 1},
}
"""For each kind of number: what a unit's suffix (in small letters) multiplies it with."""

_EXAMPLES = {"bytes": '"4 GB" or 4000000000', "seconds": '"30 s" or 30', "px": '"100 MP" or 1e8', "count": "4"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: the key in the TOML file; the environment variable is `AUGVIZ_` and the name in capitals.
        default: what a person would write to get the default; "" is worked out by `_automatic`.
        kind: "folders", "folder", "address", "log", "scheduler", "md5", "secret", "header", "count", "bytes", "seconds" or
            "px".
        help: one sentence; says what "" means where that is the default.
        min_value: smallest number allowed.
    """

    name: str
    default: str
    kind: str
    help: str
    min_value: int = 0

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return PREFIX + self.name.upper()


def _row(kind: str, default: str, help_text: str, min_value: int = 0) -> dict[str, tuple[str, str, str, int]]:
    """What makes a field of `Settings` a row of the table."""
    return {"row": (default, kind, help_text, min_value)}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server's owner has decided. Folders are absolute; sizes are bytes, times seconds, areas pixels.

    The metadata of a field is its row of the table: kind, default, help, smallest value.
    """

    folders: tuple[Path, ...] = field(
        metadata=_row("folders", ".", "Images are opened below these folders only; several are separated as in PATH.")
    )
    cache_folder: Path = field(
        metadata=_row(
            "folder",
            "",
            "Where synthetic images, working copies and uploads are kept; empty is `augviz` among the user's caches.",
        )
    )
    cache_quota_bytes: int = field(metadata=_row("bytes", "20 GB", "What the cache folder may hold."))
    workers: int = field(metadata=_row("count", "", "Render processes; empty is one for each core, at most 8.", 1))
    renders_per_visitor: int = field(
        metadata=_row("count", "0", "Render processes that work for one visitor at the same time; 0 is no limit.")
    )
    queue: int = field(metadata=_row("count", "256", "Requests for pictures and figures that may wait in all.", 1))
    queue_per_visitor: int = field(
        metadata=_row(
            "count",
            "128",
            "Requests of one visitor that may wait; beyond it their oldest that is not urgent is refused. 0 is no limit.",
        )
    )
    jobs: int = field(
        metadata=_row(
            "count", "4", "Jobs (full-size results, measurements, synthetic images, audits) that run at once in all.", 1
        )
    )
    jobs_per_visitor: int = field(metadata=_row("count", "3", "Jobs of one visitor that run at once; 0 is no limit."))
    max_sessions: int = field(
        metadata=_row(
            "count", "0", "Browser windows that may be connected; one more is asked to wait for a place. 0 is no limit."
        )
    )
    pixel_limit: int = field(metadata=_row("px", "1e11", "Images with more pixels (width x height) are not opened.", 1))
    view_seconds: float = field(metadata=_row("seconds", "30", "A view that takes longer is ended.", 1))
    job_seconds: float = field(
        metadata=_row("seconds", "3600", "A job (a full-size result, a synthetic image) that takes longer is ended.", 1)
    )
    worker_memory_bytes: int = field(
        metadata=_row("bytes", "4 GB", "Address space (RLIMIT_AS) of one render process; 0 is no limit.")
    )
    job_memory_bytes: int = field(metadata=_row("bytes", "0", "Address space (RLIMIT_AS) of one job; 0 is no limit."))
    guard: int = field(
        metadata=_row(
            "count",
            "1",
            "1 refuses draws that are known to end the library's process; 0 lets them, to see that only they fail.",
        )
    )
    upload_bytes: int = field(metadata=_row("bytes", "4 GB", "The largest file that can be uploaded."))
    upload_session_bytes: int = field(
        metadata=_row(
            "bytes", "10 GB", "What one session may keep: its uploads, the files made for it and those being made."
        )
    )
    upload_idle_seconds: float = field(
        metadata=_row(
            "seconds", "60 s", "An upload of which too little comes in this time (`upload_least_bytes`) is ended.", 1
        )
    )
    upload_least_bytes: int = field(
        metadata=_row(
            "bytes",
            "300 KB",
            "What must come of an upload in `upload_idle_seconds`, again and again, until it is whole.",
            1,
        )
    )
    upload_grace_seconds: float = field(
        metadata=_row("seconds", "15 min", "How long uploads are kept after their visitor has gone.", 1)
    )
    data_folder: Path = field(metadata=_row("folder", "data", "Where the Imagenette data set is kept."))
    imagenette_address: str = field(
        metadata=_row(
            "address",
            "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
            "Where the Imagenette data set is downloaded from, when somebody asks for it.",
        )
    )
    imagenette_md5: str = field(
        metadata=_row("md5", "", "MD5 of the file at that address; empty is that of the published archive.")
    )
    trusted_header: str = field(
        metadata=_row(
            "header",
            "",
            "The header in which a proxy names the user who has signed in, such as `X-Forwarded-User`; requests without it are "
            "refused. The proxy must drop what browsers send under that name. Empty asks for none.",
        )
    )
    sign_in: int = field(
        metadata=_row(
            "count",
            "0",
            "1 asks visitors to sign in with the provider of `.streamlit/secrets.toml` (Streamlit's `st.login`; needs Authlib).",
        )
    )
    secret: str = field(
        repr=False,
        metadata=_row(
            "secret",
            "",
            "What addresses are signed with, 32 characters or more, the same for all servers that stand for each other; empty "
            "is a random one for each start.",
        ),
    )
    hsts_seconds: float = field(
        metadata=_row(
            "seconds",
            "0",
            "How long browsers shall ask this host by HTTPS only (Strict-Transport-Security), for a server behind TLS; 0 says "
            "nothing.",
        )
    )
    metrics: int = field(
        metadata=_row(
            "count",
            "0",
            "1 counts requests, jobs and uploads for Prometheus, at `augviz/metrics`, which needs no cookie: block it at the "
            "proxy (needs requirements-metrics.txt).",
        )
    )
    log_format: str = field(
        metadata=_row(
            "log",
            "text",
            "`text` logs warnings and what is worse; `json` logs every start, end and refusal too, one JSON object a line.",
        )
    )
    scheduler: str = field(
        metadata=_row(
            "scheduler",
            "",
            "Address of a Dask scheduler, on whose cluster audits run; empty runs them on this machine.",
        )
    )
    audit_seconds: float = field(
        metadata=_row("seconds", "6 h", "An audit of the app that takes longer is stopped, and can go on later.", 1)
    )
    audit_days: int = field(
        metadata=_row(
            "count",
            "30",
            "How many days the findings of an audit, with which it can go on, are kept after they were used last.",
            1,
        )
    )


TABLE: tuple[Setting, ...] = tuple(
    Setting(f.name, default, kind, help_text, min_value)
    for f in fields(Settings)
    for default, kind, help_text, min_value in [f.metadata["row"]]
)
"""Every setting, in the order of the documentation."""


def load(environ: Mapping[str, str] = os.environ, toml_path: Path | None = None, start: Path | None = None) -> Settings:
    """Settings from the environment, then the TOML file, then the defaults.

    Args:
        environ: where `AUGVIZ_*` variables are looked up.
        toml_path: the TOML file; None is the file that `AUGVIZ_CONFIG` names, else `augviz.toml` in `start` if there.
        start: the folder that relative paths in the environment start from; None is the current folder.

    Raises:
        SettingsError: a name is unknown, a value is not of its kind, or a folder does not exist.
    """
    start = (start or Path.cwd()).resolve()
    rows = {row.name: row for row in TABLE}
    known_variables = {row.variable: row for row in TABLE}
    given: dict[str, Any] = {row.name: _value(row, row.default, start, row.name, environ) for row in TABLE}
    path = _config_path(environ, toml_path, start)
    for name, raw in (_read_toml(path) if path else {}).items():
        if name not in rows:
            raise SettingsError(f"{path}: there is no setting {name!r}; the settings are {', '.join(rows)}.")
        given[name] = _value(rows[name], raw, path.parent if path else start, f"{path}: {name}", environ)
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable not in known_variables:
            raise SettingsError(f"There is no setting {variable}; the settings are {', '.join(known_variables)}.")
        row = known_variables[variable]
        given[row.name] = _value(row, text, start, variable, environ)
    return Settings(**given)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once. `get_settings.cache_clear()` makes the next call read them again."""
    return load()


def checked_scheduler(raw: Any, where: str) -> str:
    """The address of a Dask scheduler, of a kind that Dask has. Raises SettingsError, which names `where` it stands."""
    match = re.fullmatch(r"(?:(?:tcp|tls|wss?)://)?[^\s/]+:(\d{1,5})", raw) if isinstance(raw, str) else None
    if match is None or int(match.group(1)) > 65535:
        raise SettingsError(f"{where}: an address as tcp://10.0.0.1:8786 is needed, got {raw!r}.")
    return str(raw)


def render_docs() -> str:
    """The text of `docs/settings.md`, from the table."""
    lines = [
        "# Settings",
        "",
        f"Each setting is an environment variable, or a key of a TOML file: `{CONFIG_NAME}` in the folder where the",
        f"app is started, or the file that `{CONFIG_VARIABLE}` names. The environment wins over the file. A name that",
        "is not in this table is an error, and so is a value of the wrong kind.",
        "",
        "Sizes may be written as `4 GB`, `500 MB` or `2 GiB`, times as `30 s`, `5 min` or `1 h`, areas as `100 MP`.",
        "Relative folders start from the folder where the app is started, in the file from the folder of the file.",
        "",
        "| key | variable | kind | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for row in TABLE:
        default = f"`{row.default}`" if row.default else "empty"
        lines.append(f"| `{row.name}` | `{row.variable}` | {row.kind} | {default} | {row.help} |")
    return "\n".join(lines) + "\n"


def _config_path(environ: Mapping[str, str], toml_path: Path | None, start: Path) -> Path | None:
    named = toml_path or (start / environ[CONFIG_VARIABLE] if environ.get(CONFIG_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError(f"{named}: there is no such settings file.")
        return named.resolve()
    default = start / CONFIG_NAME
    return default if default.is_file() else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: the settings file cannot be read: {' '.join(str(error).split())}.") from error


def _value(row: Setting, raw: Any, start: Path, where: str, environ: Mapping[str, str]) -> Any:
    """`raw` as a value of the row's kind. `where` names it in an error."""
    if raw == "" and row.default == "":
        return _automatic(row, environ)
    if row.kind == "folders":
        return _folders(raw, start, where)
    if row.kind == "folder":
        return _folder(raw, start, where)
    if row.kind == "address":
        if not isinstance(raw, str) or not re.match(r"https?://\S+$", raw):
            raise SettingsError(f"{where}: an address that begins with http:// or https:// is needed, got {raw!r}.")
        return raw
    if row.kind == "scheduler":
        return checked_scheduler(raw, where)
    if row.kind == "log":
        if raw not in FORMATS:
            raise SettingsError(f"{where}: one of {', '.join(FORMATS)} is needed, got {raw!r}.")
        return raw
    if row.kind == "md5":
        if not isinstance(raw, str) or not re.fullmatch(r"[0-9a-fA-F]{32}", raw):
            raise SettingsError(f"{where}: 32 hexadecimal digits are needed, got {raw!r}.")
        return raw.lower()
    if row.kind == "secret":
        if not isinstance(raw, str) or not re.fullmatch(r"[\x21-\x7e]{32,}", raw):
            raise SettingsError(f"{where}: 32 or more printable ASCII characters without spaces are needed.")
        return raw
    if row.kind == "header":
        if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9-]+", raw):
            raise SettingsError(f"{where}: the name of an HTTP header is needed, got {raw!r}.")
        return raw.lower()
    return _number(row, raw, where)


def _automatic(row: Setting, environ: Mapping[str, str]) -> Any:
    """What an empty value stands for; mostly it depends on the machine."""
    if row.name == "workers":
        return max(1, min(8, os.cpu_count() or 1))
    if row.kind in ("md5", "secret", "header", "scheduler"):
        return ""
    return _user_cache(environ) / "augviz"


def _user_cache(environ: Mapping[str, str]) -> Path:
    """The folder where this platform keeps a user's caches."""
    if sys.platform == "win32" and environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    xdg = environ.get("XDG_CACHE_HOME", "")
    return Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache"


def _folders(raw: Any, start: Path, where: str) -> tuple[Path, ...]:
    parts = raw.split(os.pathsep) if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not [part for part in parts if part]:
        raise SettingsError(f"{where}: at least one folder is needed, got {raw!r}.")
    found = tuple(_folder(part, start, where) for part in parts if part)
    for folder in found:
        if not folder.is_dir():
            raise SettingsError(f"{where}: there is no folder {folder}.")
    return found


def _folder(raw: Any, start: Path, where: str) -> Path:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise SettingsError(f"{where}: a folder is needed, got {raw!r}.")
    return (start / Path(raw).expanduser()).resolve()


def _number(row: Setting, raw: Any, where: str) -> int | float:
    """A number with an optional unit; whole except for seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?(?:[eE]\+?\d{1,3})?)\s*([A-Za-z]*)\s*", str(raw))
    factor = _FACTORS[row.kind].get(match.group(2).lower()) if match else None
    value = float(match.group(1)) * factor if match and factor is not None else -1.0
    if isinstance(raw, bool) or value < 0 or value == float("inf") or (row.kind != "seconds" and value % 1):
        raise SettingsError(f"{where}: {row.kind} as {_EXAMPLES[row.kind]} is needed, got {raw!r}.")
    if value < row.min_value:
        raise SettingsError(f"{where}: at least {row.min_value} is needed, got {raw!r}.")
    return value if row.kind == "seconds" else int(value)
