"""The settings that rooms below `cli` read, as one frozen value. `cli.config` fills and documents it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.model.instant import MINUTE, SECOND, Micros

DEFAULT_OPEN_URLS = (
    "/ping",
    "/api/v1/executions/webhook/",
    "/api/v1/main/executions/webhook/",
    "/api/v1/basicAuthValidationErrors",
)


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """The one account (03 §2). `password` is an argon2 hash or, when it comes from a configuration, plain text."""

    username: str
    password: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    url: str | None = None
    """Public address, without `/ui`."""
    context_path: str = ""
    basic_auth: BasicAuth | None = None
    open_urls: tuple[str, ...] = DEFAULT_OPEN_URLS
    """Paths that need no sign-in, by prefix."""
    basic_auth_problems: tuple[str, ...] = ()
    """Why the configured account was refused (03 §2.4)."""
    max_request_bytes: int = 10 << 30
    cors_origins: tuple[str, ...] = ()
    system_namespace: str = "system"
    environment_name: str | None = None
    environment_color: str | None = None
    hidden_label_prefixes: tuple[str, ...] = ("system.", "internal.")
    preview_initial_rows: int = 100
    preview_max_rows: int = 5000
    encryption_key: str | None = None
    """Base64 of the AES key (01 §10.4)."""
    env_prefix: str = "ENV_"
    secret_prefix: str = "SECRET_"  # noqa: S105 - the prefix of variables, not a secret
    globals: Mapping[str, Any] = {}
    zone: str = "Etc/UTC"
    """The server's time zone, of dates that name none."""
    recursive_rendering: bool = False
    lazy_variables: bool = True
    """Whether `{{ vars.x }}` gives the rendered text of a variable that holds a template."""
    plugin_defaults: tuple[Mapping[str, Any], ...] = ()
    plugin_configurations: tuple[Mapping[str, Any], ...] = ()
    tmp_dir: str | None = None
    allowed_paths: tuple[str, ...] = ()
    """Folders below which `file://` may be read."""
    worker_threads: int = 0
    """Jobs at once; 0 means eight for each processor."""
    worker_groups: Mapping[str, int] = {}
    """Groups that workers of this installation serve, each with its own jobs at once."""
    templates: bool = False
    """Whether there are templates, a part of the original that is switched off for long."""
    docker_fallback: bool = False
    """Run container tasks in a process when no Docker daemon can be reached."""
    termination_grace: Micros = 5 * MINUTE
    liveness_timeout: Micros = 45 * SECOND
    restart_strategy: str = "AFTER_TERMINATION_GRACE_PERIOD"
    plugin_settings: Mapping[str, Any] = {}
    """The whole configuration tree by dotted keys, without credentials: what `RunContext.setting` reads."""
