"""`batuta server local|standalone`."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from batuta.cli.address import listen, url_of
from batuta.cli.config import Configuration, load
from batuta.cli.failure import CommandError
from batuta.cli.output import say
from batuta.cli.tree import ConfigurationError
from batuta.operations.settings import Settings

_THIS_MACHINE = "127.0.0.1"
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - only for servers that an account guards
_KESTRA_CONFIGURATION = Path("~/.kestra/config.yml")

ConfigFile = Annotated[Path | None, Parameter(name=["--config", "-c"])]


def local(
    *,
    port: int | None = None,
    host: str | None = None,
    data: Path = Path("batuta-data"),
    config: ConfigFile = None,
    log_level: Annotated[str, Parameter(name=["--log-level", "-l"])] = "INFO",
) -> int:
    """Start a server for this machine: rows and files in one folder, all roles in one process.

    Parameters
    ----------
    port
        Port of the API; 8080 unless configured, 0 takes a free one.
    host
        Address to listen on; this machine only unless configured.
    data
        Folder for the database and files; made when it is missing.
    config
        Configuration file (YAML).
    log_level
        DEBUG, INFO, WARN or ERROR.
    """
    configuration = _read(config, defaults=Settings(docker_fallback=True))
    return _serve(
        configuration,
        host=host or configuration.host or _THIS_MACHINE,
        port=port,
        data=data,
        log_level=log_level,
        makes_account=True,
    )


def standalone(
    *,
    config: ConfigFile = None,
    port: int | None = None,
    host: str | None = None,
    data: Path = Path("batuta-data"),
    log_level: Annotated[str, Parameter(name=["--log-level", "-l"])] = "INFO",
) -> int:
    """Start a server with all roles, configured by a file or the variable KESTRA_CONFIGURATION.

    Parameters
    ----------
    config
        Configuration file (YAML); otherwise KESTRA_CONFIGURATION, then ~/.kestra/config.yml.
    port
        Port of the API, in place of micronaut.server.port.
    host
        Address to listen on, in place of micronaut.server.host.
    data
        Folder for what the configuration gives no place of its own.
    log_level
        DEBUG, INFO, WARN or ERROR.
    """
    configuration = _read(config or _kestra_file(), defaults=Settings())
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


def _read(path: Path | None, *, defaults: Settings) -> Configuration:
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
    listener = listen(host, configuration.port if port is None else port)
    from batuta.cli.log import configure_logging
    from batuta.cli.serve import Launch, serve

    configure_logging(log_level)
    url = url_of(listener)
    with listener:
        serve(
            Launch(
                configuration=configuration,
                data=data,
                url=url,
                makes_account=makes_account,
                announce=say,
            ),
            listener,
        )
    return 0
