"""A server process from its first breath to its last: the API answers first, then the roles take up work."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn
import uvloop
from typing_extensions import override

from batuta.cli.config import Configuration
from batuta.cli.log import configure_logging, get_logger
from batuta.cli.wiring import Installation, open_installation
from batuta.operations.account import Account, AccountKeeper, SettingsAccountStore
from batuta.operations.system import Ids
from batuta.web.app import Application
from batuta.web.front import Front

DRAIN_SECONDS = 5
"""How long open requests may go on when the server stops."""
KEEP_ALIVE_SECONDS = 75
SWITCH_SECONDS = 0.0005
"""How long the event loop may keep the interpreter from the thread that writes, while that wants it."""
_DIGEST_KEY_BYTES = 32
_LOCAL_USER = "admin@localhost"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """`makes_account`: invent an account when there is none, and tell its password once."""

    configuration: Configuration
    data: Path
    url: str
    makes_account: bool
    log_level: str
    announce: Callable[[str], None]


class _Guard(msgspec.Struct, frozen=True):
    """`password` is set when the account was invented just now."""

    keeper: AccountKeeper
    password: str | None = None


class _HttpServer(uvicorn.Server):
    """Leaves signals to us: the roles stop together with it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()
        """Set from the moment on when requests are answered."""

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(launch: Launch, listener: socket.socket) -> None:
    """Until SIGTERM or SIGINT. Raises `CommandError` when the server cannot start."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(launch, listener))


async def _serve(launch: Launch, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, stop, number)
    installation = await open_installation(launch.configuration, launch.data)
    try:
        await _run(launch, installation, listener=listener, stop=stop)
    finally:
        await installation.close()


def _on_signal(stop: asyncio.Event, number: signal.Signals) -> None:
    """The first asks for an end in order; the second wants it now, and nothing that was answered is lost by that."""
    if stop.is_set():
        os._exit(128 + number)
    stop.set()


async def _run(
    launch: Launch, installation: Installation, *, listener: socket.socket, stop: asyncio.Event
) -> None:
    guard = await _guard(launch, installation)
    app = Application(
        Front(
            store=installation.store,
            clock=installation.clock,
            settings=installation.settings,
            keeper=guard.keeper,
        )
    )
    server = _HttpServer(_http_config(app))
    async with asyncio.TaskGroup() as group:
        http = group.create_task(server.serve(sockets=[listener]))
        answers = group.create_task(server.answers.wait())
        await asyncio.wait((http, answers), return_when=asyncio.FIRST_COMPLETED)
        answers.cancel()
        _announce(launch, guard)
        if guard.password is not None:
            group.create_task(guard.keeper.replace(_LOCAL_USER, guard.password))
        await asyncio.to_thread(configure_logging, launch.log_level)
        log = get_logger()
        if launch.configuration.ignored:
            log.warning("configuration.ignored", keys=launch.configuration.ignored)
        work = group.create_task(_work(installation, app))
        stopped = group.create_task(stop.wait())
        await asyncio.wait((http, work, stopped), return_when=asyncio.FIRST_COMPLETED)
        log.info("server.stopping")
        app.close()
        server.should_exit = True
        await asyncio.wait((http,))
        work.cancel()
        stopped.cancel()
    get_logger().info("server.stopped")


async def _work(installation: Installation, app: Application) -> None:
    """Load the rest of the program, open the API, and run the roles."""
    services = await installation.load()
    from batuta.web.api import Api

    app.open(Api(services))
    async with asyncio.TaskGroup() as group:
        group.create_task(installation.make_roles(services).run())
        # The roles have begun once they have had their first turn.
        await asyncio.sleep(0)
        app.take_up_work()
        gc.freeze()  # what is there now stays: no collection has to look at it, and nobody waits for that
        get_logger().info("server.ready")


async def _guard(launch: Launch, installation: Installation) -> _Guard:
    """The account of the configuration, else the stored one, else one that is invented."""
    accounts = SettingsAccountStore(installation.store)
    configured = launch.configuration.settings.basic_auth
    account = await accounts.load() if configured is None else None
    password = None
    if configured is not None:
        account = Account(configured.username, configured.password)
    elif account is None and launch.makes_account:
        password = _new_password(installation.ids)
        account = Account(_LOCAL_USER, password)
    key = installation.ids.entropy(_DIGEST_KEY_BYTES)
    return _Guard(AccountKeeper(account, key=key, store=accounts), password)


def _new_password(ids: Ids) -> str:
    """Random, and with the letters and digits that the rules ask for."""
    while True:
        password = ids.token()
        if all(any(test(c) for c in password) for test in (str.islower, str.isupper, str.isdigit)):
            return password


def _announce(launch: Launch, guard: _Guard) -> None:
    say = launch.announce
    say(f"Batuta listens on {launch.url}{launch.configuration.settings.context_path}")
    if guard.password is not None:
        say(f"  user      {_LOCAL_USER}")
        say(f"  password  {guard.password}   (told this once; kept as a hash in {launch.data})")
    elif not guard.keeper.is_initialised:
        say("  no account yet: set one with POST /api/v1/main/basicAuth, or in the configuration")


def _http_config(app: Application) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
