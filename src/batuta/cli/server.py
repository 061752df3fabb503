"""`batuta server local|standalone`: options and help; `launch` does the work."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from batuta.cli.launch import DATA, LOG_LEVEL, launch_local, launch_standalone

Groups = Annotated[tuple[str, ...], Parameter(name=["--worker-group", "-g"])]
ConfigFile = Annotated[Path | None, Parameter(name=["--config", "-c"])]


def local(
    *,
    port: int | None = None,
    host: str | None = None,
    data: Path = DATA,
    config: ConfigFile = None,
    log_level: Annotated[str, Parameter(name=["--log-level", "-l"])] = LOG_LEVEL,
    worker_group: Groups = (),
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
    worker_group
        A worker group to serve besides tasks without one: KEY, or KEY=TASKS with how many run at once. May be repeated.
    """
    return launch_local(
        port=port,
        host=host,
        data=data,
        config=config,
        log_level=log_level,
        worker_group=worker_group,
    )


def standalone(
    *,
    config: ConfigFile = None,
    port: int | None = None,
    host: str | None = None,
    data: Path = DATA,
    log_level: Annotated[str, Parameter(name=["--log-level", "-l"])] = LOG_LEVEL,
    worker_group: Groups = (),
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
    worker_group
        A worker group to serve besides tasks without one: KEY, or KEY=TASKS with how many run at once. May be repeated.
    """
    return launch_standalone(
        config=config,
        port=port,
        host=host,
        data=data,
        log_level=log_level,
        worker_group=worker_group,
    )
