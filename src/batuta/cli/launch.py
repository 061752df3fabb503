"""From the options of a server command to a running server. Imports little: it is on the way to the first answer."""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from batuta.cli.address import listen, url_of
from batuta.cli.config import Configuration, load, read_groups
from batuta.cli.failure import CommandError
from batuta.cli.log import LEVELS
from batuta.cli.output import say
from batuta.cli.tree import ConfigurationError
from batuta.model.instant import SECOND
from batuta.operations.settings import Settings

DATA = Path("batuta-data")
LOG_LEVEL = "INFO"
LOCAL_GRACE = 10 * SECOND
"""How long running tasks may go on when a server on somebody's desk stops."""
_THIS_MACHINE = "127.0.0.1"
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - only for servers that an account guards
_KESTRA_CONFIGURATION = Path("~/.kestra/config.yml")


def launch_local(
    *,
    port: int | None = None,
    host: str | None = None,
    data: Path = DATA,
    config: Path | None = None,
    log_level: str = LOG_LEVEL,
    worker_group: Sequence[str] = (),
) -> int:
    """`batuta server local`; the exit code."""
    configuration = _read(
        config,
        defaults=Settings(docker_fallback=True, termination_grace=LOCAL_GRACE),
        groups=worker_group,
    )
    return _serve(
        configuration,
        host=host or configuration.host or _THIS_MACHINE,
        port=port,
        data=data,
        log_level=log_level,
        makes_account=True,
    )


def launch_standalone(
    *,
    config: Path | None = None,
    port: int | None = None,
    host: str | None = None,
    data: Path = DATA,
    log_level: str = LOG_LEVEL,
    worker_group: Sequence[str] = (),
) -> int:
    """`batuta server standalone`; the exit code."""
    configuration = _read(config or _kestra_file(), defaults=Settings(), groups=worker_group)
    guarded = configuration.settings.basic_auth is not None
    return _serve(
        configuration,
        host=host or configuration.host or (_EVERYWHERE if guarded else _THIS_MACHINE),
        port=port,
        data=data,
        log_level=log_level,
        makes_account=False,
    )


def _kestra_file() -> Path | None:
    """Where Kestra looks, unless the environment holds the configuration."""
    path = _KESTRA_CONFIGURATION.expanduser()
    return path if "KESTRA_CONFIGURATION" not in os.environ and path.is_file() else None


def _read(path: Path | None, *, defaults: Settings, groups: Sequence[str]) -> Configuration:
    return _with_groups(_load(path, defaults=defaults), groups)


def _with_groups(configuration: Configuration, groups: Sequence[str]) -> Configuration:
    """Those of the command line besides those of the configuration."""
    try:
        added = read_groups(groups)
    except ValueError as error:
        raise CommandError(f"--worker-group: {error}", code=2) from None
    settings = configuration.settings
    settings = replace(settings, worker_groups={**settings.worker_groups, **added})
    return replace(configuration, settings=settings)


def _load(path: Path | None, *, defaults: Settings) -> Configuration:
    try:
        if path is not None:
            return load(path.read_text(), str(path), defaults=defaults)
        return load(
            os.environ.get("KESTRA_CONFIGURATION", ""), "KESTRA_CONFIGURATION", defaults=defaults
        )
    except OSError as error:
        raise CommandError(f"The configuration {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"The configuration {path} is not UTF-8") from None
    except ConfigurationError as error:
        raise CommandError(f"The configuration is not right:\n{_indented(error)}") from None


def _indented(error: ConfigurationError) -> str:
    return "\n".join(f"  {problem}" for problem in error.problems)


def _serve(
    configuration: Configuration,
    *,
    host: str,
    port: int | None,
    data: Path,
    log_level: str,
    makes_account: bool,
) -> int:
    if log_level.upper() not in LEVELS:
        raise CommandError(f"--log-level {log_level}: expected one of {', '.join(LEVELS)}", code=2)
    listener = listen(host, configuration.port if port is None else port)
    from batuta.cli.serve import Launch, serve

    url = url_of(listener)
    with listener:
        serve(
            Launch(
                configuration=configuration,
                data=data,
                url=url,
                makes_account=makes_account,
                log_level=log_level,
                announce=say,
            ),
            listener,
        )
    return 0
