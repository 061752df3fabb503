"""Every setting of a server: its key, its meaning, and how it becomes a value.

The tree is Kestra's (01 §10.4). Keys that mean nothing here are tolerated, so that a configuration of Kestra can be
used as it is; `Configuration.ignored` names those below `kestra.` for the log.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from batuta.cli.tree import (
    ConfigurationError,
    Entries,
    override,
    read_entries,
    resolve,
    subtree,
)
from batuta.model.duration import parse_duration
from batuta.model.instant import DAY, HOUR, MINUTE, SECOND, Micros
from batuta.operations.account import account_problems
from batuta.operations.settings import BasicAuth, Settings


class Key(msgspec.Struct, frozen=True):
    """`kind` is text, integer, boolean, duration, size, texts, maps, map or groups."""

    name: str
    kind: str
    doc: str
    field: str | None = None
    """The field of `Settings` that it fills; None where it is read here."""


KEYS = (
    Key("kestra.url", "text", "Public address of the server, without `/ui`.", "url"),
    Key("kestra.server.basic-auth.username", "text", "Name of the one account, an e-mail address."),
    Key("kestra.server.basic-auth.password", "text", "Its password, plain or as an argon2 hash."),
    Key(
        "kestra.server.basic-auth.open-urls",
        "texts",
        "Paths that need no sign-in, by prefix; replaces the defaults.",
        "open_urls",
    ),
    Key("kestra.repository.type", "text", "Where rows are kept: `sqlite` or `memory`."),
    Key("kestra.queue.type", "text", "Must be the same as `kestra.repository.type`."),
    Key("kestra.storage.type", "text", "Where files are kept: `local`."),
    Key("kestra.storage.local.base-path", "text", "Folder of internal storage."),
    Key("datasources.sqlite.url", "text", "The database file, as `jdbc:sqlite:/path/to/file.db`."),
    Key("micronaut.server.host", "text", "Address to listen on."),
    Key("micronaut.server.port", "integer", "Port of the API."),
    Key("micronaut.server.context-path", "text", "Prefix of all paths.", "context_path"),
    Key(
        "micronaut.server.max-request-size",
        "size",
        "Largest request body, such as `10GB`.",
        "max_request_bytes",
    ),
    Key("micronaut.server.cors.enabled", "boolean", "Whether pages of other origins may call."),
    Key(
        "micronaut.server.cors.configurations.all.allowed-origins",
        "texts",
        "Origins that may call when `cors.enabled`; `*` means any.",
    ),
    Key(
        "kestra.encryption.secret-key",
        "text",
        "Base64 of the 32 bytes that encrypt SECRET inputs.",
        "encryption_key",
    ),
    Key(
        "kestra.variables.env-vars-prefix",
        "text",
        "Variables of the environment with this prefix are `envs.*` in templates.",
        "env_prefix",
    ),
    Key("kestra.variables.globals", "map", "`globals.*` in templates.", "globals"),
    Key(
        "batuta.zone",
        "text",
        "Time zone of dates and schedules that name none; UTC.",
        "zone",
    ),
    Key(
        "kestra.variables.recursive-rendering",
        "boolean",
        "Render the result of a template again.",
        "recursive_rendering",
    ),
    Key(
        "batuta.variables.lazy",
        "boolean",
        "Whether `{{ vars.x }}` gives the rendered text of a variable that holds a template; on.",
        "lazy_variables",
    ),
    Key(
        "kestra.system-flows.namespace",
        "text",
        "Namespace that searches treat as the system's own.",
        "system_namespace",
    ),
    Key("kestra.environment.name", "text", "Name of the environment.", "environment_name"),
    Key("kestra.environment.color", "text", "Colour of its badge.", "environment_color"),
    Key(
        "kestra.hidden-labels.prefixes",
        "texts",
        "Labels with these prefixes are hidden by the page.",
        "hidden_label_prefixes",
    ),
    Key(
        "kestra.server.preview.initial-rows",
        "integer",
        "Rows of a file preview.",
        "preview_initial_rows",
    ),
    Key(
        "kestra.server.preview.max-rows",
        "integer",
        "Most rows of a file preview.",
        "preview_max_rows",
    ),
    Key(
        "kestra.plugins.defaults",
        "maps",
        "Default properties by task type, before those of the flow.",
        "plugin_defaults",
    ),
    Key(
        "kestra.plugins.configurations",
        "maps",
        "Configuration by type, such as `outputs.enabled` of Subflow.",
        "plugin_configurations",
    ),
    Key("kestra.tasks.tmp-dir.path", "text", "Below it tasks get working folders.", "tmp_dir"),
    Key(
        "kestra.local-files.allowed-paths",
        "texts",
        "Folders that `file://` may read.",
        "allowed_paths",
    ),
    Key(
        "kestra.server.termination-grace-period",
        "duration",
        "How long running tasks may go on when the server stops; `5m`, for `server local` `10s`.",
        "termination_grace",
    ),
    Key(
        "kestra.server.worker-task-restart-strategy",
        "text",
        "Whether attempts of a lost worker run again: `IMMEDIATELY`, `AFTER_TERMINATION_GRACE_PERIOD`, `NEVER`.",
        "restart_strategy",
    ),
    Key(
        "kestra.tasks.scripts.docker.volume-enabled",
        "boolean",
        "Whether Docker tasks may mount folders of this machine; off.",
    ),
    Key(
        "kestra.http.block-private-addresses",
        "boolean",
        "Whether HTTP tasks may not reach private addresses; off.",
    ),
    Key(
        "kestra.templates.enabled",
        "boolean",
        "Whether there are templates and the task `flow.Template`; off, as they are deprecated.",
        "templates",
    ),
    Key(
        "batuta.worker.threads",
        "integer",
        "Tasks at once; 0 means eight for each processor.",
        "worker_threads",
    ),
    Key(
        "batuta.worker.groups",
        "groups",
        "Worker groups that are served besides tasks without one, each by a process of its own: `gpu: 2` runs two tasks at once, 0 eight for each processor. Also a list (`[gpu, cpu=4]`).",
        "worker_groups",
    ),
    Key(
        "batuta.worker.docker-fallback",
        "boolean",
        "Run container tasks in a process when no Docker daemon can be reached; on for `server local` and `run`.",
        "docker_fallback",
    ),
)
_TREES = frozenset({"map", "groups"})
"""Kinds whose keys are the author's own."""
_BY_NAME = {key.name: key for key in KEYS}
_CREDENTIALS = ("kestra.server.basic-auth", "kestra.encryption", "kestra.secret", "datasources")
_DEFAULT_PORT = 8080
_SQLITE_URL = "jdbc:sqlite:"


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is made of. Paths None: below the data folder of the command."""

    settings: Settings
    host: str | None = None
    """None: this machine only, or every address where an account guards the server."""
    port: int = _DEFAULT_PORT
    store: str = "sqlite"
    database: Path | None = None
    storage: Path | None = None
    ignored: tuple[str, ...] = ()


def load(
    text: str,
    name: str = "configuration",
    *,
    environment: Mapping[str, str] | None = None,
    defaults: Settings | None = None,
) -> Configuration:
    """Read a YAML text. Raises `ConfigurationError` with all problems, each beginning with the path of its key."""
    variables = os.environ if environment is None else environment
    entries = resolve(override(read_entries(text, name), _BY_NAME, variables), variables)
    problems = _misplaced(entries)
    values = _values(entries, problems)
    configuration = _build(entries, values, problems=problems, defaults=defaults or Settings())
    if problems:
        raise ConfigurationError(problems)
    return configuration


def _values(entries: Entries, problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in KEYS:
        if key.kind == "map":
            nested = subtree(entries, key.name)
            if nested:
                values[key.name] = nested
            continue
        if key.kind == "groups":
            _read_groups(entries, key.name, values=values, problems=problems)
        entry = entries.get(key.name)
        if entry is None or entry.value is None:
            continue
        try:
            values[key.name] = _CONVERT[key.kind](entry.value)
        except (ValueError, TypeError) as error:
            problems.append(f"{key.name}: {error} ({entry.origin})")
    return values


def _read_groups(
    entries: Entries, name: str, *, values: dict[str, Any], problems: list[str]
) -> None:
    """Groups written as a map. Names are kept as they are written, unlike other keys."""
    depth = name.count(".") + 1
    for key, entry in entries.items():
        if not key.startswith(f"{name}."):
            continue
        written = ".".join(map(str, entry.path)) or key
        group = written.split(".", depth)[depth]
        text = group if entry.value in (None, "") else f"{group}={entry.value}"
        try:
            values.setdefault(name, {}).update(read_groups([text]))
        except ValueError as error:
            problems.append(f"{key}: {error} ({entry.origin})")


def _build(
    entries: Entries, values: dict[str, Any], *, problems: list[str], defaults: Settings
) -> Configuration:
    fields = {key.field: values[key.name] for key in KEYS if key.field and key.name in values}
    if "context_path" in fields:
        fields["context_path"] = "/" + fields["context_path"].strip("/")
        fields["context_path"] = fields["context_path"].rstrip("/")
    if values.get("micronaut.server.cors.enabled"):
        origins = values.get("micronaut.server.cors.configurations.all.allowed-origins")
        fields["cors_origins"] = origins or ("*",)
    fields.update(_account(values))
    fields["plugin_settings"] = {
        name: values.get(name, entry.value)
        for name, entry in entries.items()
        if not name.startswith(_CREDENTIALS)
    }
    store = _store(values, entries, problems)
    database = values.get("datasources.sqlite.url")
    storage = values.get("kestra.storage.local.base-path")
    return Configuration(
        settings=msgspec.structs.replace(defaults, **fields),
        host=values.get("micronaut.server.host"),
        port=values.get("micronaut.server.port", _DEFAULT_PORT),
        store=store,
        database=_database(database, problems) if database else None,
        storage=Path(storage) if storage else None,
        ignored=tuple(
            name for name in entries if name.startswith("kestra.") and not _is_known(name)
        ),
    )


def _account(values: dict[str, Any]) -> dict[str, Any]:
    username: str | None = values.get("kestra.server.basic-auth.username")
    password: str | None = values.get("kestra.server.basic-auth.password")
    if username is None and password is None:
        return {}
    broken = account_problems(username, password)
    if broken or username is None or password is None:
        return {"basic_auth_problems": broken}
    return {"basic_auth": BasicAuth(username=username, password=password)}


def _store(values: dict[str, Any], entries: Entries, problems: list[str]) -> str:
    store = str(values.get("kestra.repository.type", "sqlite")).lower()
    if store not in {"sqlite", "memory"}:
        problems.append(
            f"kestra.repository.type: `{store}` is not supported yet; use `sqlite`"
            f" ({entries['kestra.repository.type'].origin})"
        )
    queue = str(values.get("kestra.queue.type", store)).lower()
    if queue != store and not problems:
        problems.append(
            f"kestra.queue.type: `{queue}` must be the same as kestra.repository.type, `{store}`"
            f" ({entries['kestra.queue.type'].origin})"
        )
    storage = str(values.get("kestra.storage.type", "local")).lower()
    if storage != "local":
        problems.append(
            f"kestra.storage.type: `{storage}` is not supported yet; use `local`"
            f" ({entries['kestra.storage.type'].origin})"
        )
    return store


def _database(url: str, problems: list[str]) -> Path | None:
    if not url.startswith(_SQLITE_URL) or len(url) == len(_SQLITE_URL):
        problems.append(
            f"datasources.sqlite.url: `{url}` is no address such as {_SQLITE_URL}/var/lib/batuta.db"
        )
        return None
    return Path(url[len(_SQLITE_URL) :].partition("?")[0])


_ARTICLES = {"maps": "a list of maps", "texts": "a list of texts", "text": "a text"}


def _misplaced(entries: Entries) -> list[str]:
    """Values where the tree goes on (`kestra: 5`), and a tree where a value is expected."""
    leaves = {key.name: key for key in KEYS if key.kind not in _TREES}
    deeper = [
        f"{leaf}: expected {_ARTICLES.get(key.kind, key.kind)}, found a map ({entry.origin})"
        for name, entry in entries.items()
        for leaf, key in leaves.items()
        if name.startswith(f"{leaf}.")
    ]
    return deeper + [
        f"{name}: expected a map of keys, found {_shown(entry.value)} ({entry.origin})"
        for name, entry in entries.items()
        if entry.value not in (None, {})
        and any(key.name.startswith(f"{name}.") for key in KEYS)
        and name not in _BY_NAME
    ]


def _is_known(name: str) -> bool:
    return name in _BY_NAME or any(
        key.kind in _TREES and name.startswith(f"{key.name}.") for key in KEYS
    )


def _shown(value: object) -> str:
    text = repr(value)
    return f"`{text[:60]}`"


def _text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise TypeError(f"expected a text, found {_shown(value)}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _integer(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"expected a whole number, found {_shown(value)}") from None


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "false"}:
        return str(value).lower() == "true"
    raise ValueError(f"expected true or false, found {_shown(value)}")


_SHORT_UNITS: dict[str, Micros] = {"ms": 1000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def _duration(value: Any) -> Micros:
    short = re.fullmatch(r"(\d+)(ms|s|m|h|d)", str(value))
    if short is not None:
        return int(short[1]) * _SHORT_UNITS[short[2]]
    try:
        return parse_duration(str(value))
    except ValueError:
        raise ValueError(
            f"expected a duration such as 30s, 5m or PT5M, found {_shown(value)}"
        ) from None


_SIZES = {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


def _size(value: Any) -> int:
    match = re.fullmatch(r"(\d+)\s*(KB|MB|GB|)", str(value).upper())
    if match is None:
        raise ValueError(f"expected a size such as 10MB, found {_shown(value)}")
    return int(match[1]) * _SIZES[match[2]]


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_text(item) for item in value)
    return tuple(part.strip() for part in _text(value).split(",") if part.strip())


def _maps(value: Any) -> tuple[Mapping[str, Any], ...]:
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return tuple(value)
    raise TypeError(f"expected a list of maps, found {_shown(value)}")


def read_groups(texts: Iterable[str]) -> dict[str, int]:
    """Worker groups and their tasks at once, from `KEY` or `KEY=NUMBER`. Raises `ValueError`."""
    groups = {}
    for text in texts:
        name, equals, number = (part.strip() for part in text.partition("="))
        if not name or (equals and not number.isdecimal()):
            raise ValueError(f"expected KEY or KEY=NUMBER of a worker group, found {_shown(text)}")
        groups[name] = int(number or 0)
    return groups


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "integer": _integer,
    "boolean": _boolean,
    "duration": _duration,
    "size": _size,
    "texts": _texts,
    "maps": _maps,
    "groups": lambda value: read_groups(_texts(value)),
}
