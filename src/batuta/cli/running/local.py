"""A run without a server: a private store in memory, files in a folder that is removed."""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from rich.console import Console

from batuta.cli.config import Configuration, load
from batuta.cli.failure import CommandError, read_file
from batuta.cli.log import configure_logging
from batuta.cli.output import say
from batuta.cli.running.order import Order
from batuta.cli.running.show import Screen, exit_code
from batuta.cli.tree import ConfigurationError
from batuta.cli.wiring import Installation, open_installation
from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import SECOND
from batuta.operations import executions, flows, logs, start
from batuta.operations.caller import SYSTEM
from batuta.operations.errors import InvalidEntityError, OperationError
from batuta.operations.files import Upload, upload_of
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.web.wire.execution import execution_wire
from batuta.web.wire.log import log_wire

_GRACE = 1 * SECOND
"""What still runs when a run is broken off is ended soon."""
_CACHE = Path("~/.cache/batuta")
"""Environments of scripts are kept from run to run."""


class Folders(msgspec.Struct, frozen=True):
    """`private` is removed after the run, `cache` stays."""

    private: Path
    cache: Path


def run_local(order: Order, *, config: Path | None, as_json: bool) -> int:
    configure_logging("WARN")
    configuration = _configuration(config)
    cache = _CACHE.expanduser()
    with (
        tempfile.TemporaryDirectory(prefix="batuta-run-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        wire = runner.run(_run(order, configuration, Folders(Path(folder), cache), as_json=as_json))
    if as_json:
        say(codec.encode_text(wire))
    return exit_code(wire)


def _configuration(config: Path | None) -> Configuration:
    text = read_file(config) if config is not None else os.environ.get("KESTRA_CONFIGURATION", "")
    name = str(config) if config is not None else "KESTRA_CONFIGURATION"
    try:
        found = load(text, name, defaults=Settings(docker_fallback=True, termination_grace=_GRACE))
    except ConfigurationError as error:
        raise CommandError(f"The configuration is not right:\n{error}") from None
    return msgspec.structs.replace(found, store="memory", database=None, storage=None)


async def _run(
    order: Order, configuration: Configuration, folders: Folders, *, as_json: bool
) -> Mapping[str, Any]:
    installation = await open_installation(configuration, folders.private, cache=folders.cache)
    services = await installation.load()
    roles = asyncio.create_task(_run_roles(installation, services))
    try:
        console = Console(quiet=as_json, highlight=False)
        watching = asyncio.create_task(_watch(order, services, console))
        await asyncio.wait((roles, watching), return_when=asyncio.FIRST_COMPLETED)
        if roles.done():
            watching.cancel()
            roles.result()
        return await watching
    except InvalidEntityError as error:
        problems = "\n".join(f"  {violation.message}" for violation in error.violations)
        raise CommandError(f"The flow cannot be started:\n{problems}") from None
    except OperationError as error:
        raise CommandError(str(error)) from None
    finally:
        roles.cancel()
        await asyncio.wait((roles,))
        await installation.close()


async def _run_roles(installation: Installation, services: Services) -> None:
    await installation.make_roles(services).run()


async def _watch(order: Order, services: Services, console: Console) -> Mapping[str, Any]:
    for source in order.sources:
        await flows.upsert(SYSTEM, services, source)
    execution = await start.start(
        SYSTEM,
        services,
        FlowKey(SYSTEM.tenant, order.namespace, order.flow_id),
        wanted=start.Wanted(inputs=order.inputs, uploads=_uploads(order), labels=order.labels),
    )
    screen = Screen(console)
    printed = 0
    wire: Mapping[str, Any] = {}
    async for view in executions.follow(SYSTEM, services, execution.id):
        printed = await _print_logs(services, execution.id, screen=screen, after=printed)
        if view is not None:
            wire = execution_wire(view, services.clock.now())
            screen.execution(wire)
    await _print_logs(services, execution.id, screen=screen, after=printed)
    screen.end(wire)
    return wire


def _uploads(order: Order) -> dict[str, Upload]:
    return {name: upload_of(name, file.name, file.content) for name, file in order.files.items()}


async def _print_logs(
    services: Services, execution_id: ExecutionId, *, screen: Screen, after: int
) -> int:
    """Print the lines with an id above `after`; the highest id."""
    async for rows in logs.newer(SYSTEM, services, execution_id, after=after):
        for row in rows:
            screen.log(log_wire(row))
        after = rows[-1].id
    return after
