"""`core.runner.Process`: a command as a child process of the worker (05 §20.2)."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import IO

from typing_extensions import override

from batuta.plugins.script.output import LineCutter
from batuta.plugins.script.runner import CommandRunner, Ended, Invocation
from batuta.sdk import RunContext, TaskError
from batuta.sdk.mark import ATTEMPT, kill_marked

_READ_BYTES = 64 * 1024
_TERMINATE_SECONDS = 5.0
"""Between the request to end and the kill."""
_SIGNALLED = 128
"""Added by shells to the signal that ended a process."""
_QUIET_SECONDS = 0.5
"""After the command ended, output of processes that it left behind is read until there is none for so long."""


class Process(CommandRunner, type="io.kestra.plugin.core.runner.Process"):
    """Run the commands of a script task as a process of the worker.

    # What it does
    The command runs in the working directory with the environment of the worker and the task's own `env`. A kill or a
    timeout ends the process and all that it started. `containerImage` is ignored.

    # Example
    ```yaml
    - id: hello
      type: io.kestra.plugin.scripts.shell.Commands
      taskRunner:
        type: io.kestra.plugin.core.runner.Process
      commands:
        - echo "Hello World"
    ```

    # Outputs
    None of its own.
    """

    @override
    async def execute(self, invocation: Invocation, ctx: RunContext) -> Ended:
        process = _start(invocation, ctx)
        ctx.log.debug(f"Starting command with pid {process.pid} {list(invocation.command)}")
        ctx.on_kill(lambda: _signal(process, signal.SIGTERM))
        pipes = (
            _Pipe(process.stdout, invocation.sink.out, ctx),
            _Pipe(process.stderr, invocation.sink.err, ctx),
        )
        pumps = [asyncio.ensure_future(pipe.pump()) for pipe in pipes]
        try:
            await _until_ended(process, pumps)
            await _rest(pipes, pumps)
        except BaseException:  # a kill, or an output that cannot be taken
            await _terminate(process, ctx.info.key)
            raise
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            for pipe in pipes:
                pipe.close()
        code = process.wait()
        if code == 0:
            ctx.log.debug("The command ended with exit code 0")
        return Ended(exit_code=code if code >= 0 else _SIGNALLED - code)


def _start(invocation: Invocation, ctx: RunContext) -> subprocess.Popen[bytes]:
    """In a session of its own, so that signals reach it as a whole. Raises `TaskError` when it cannot be started."""
    command = list(invocation.command)
    if not command:
        raise TaskError("There is no command to run")
    try:
        return subprocess.Popen(  # noqa: S603 - running the author's command is the task
            command,
            cwd=invocation.workdir,
            env={**os.environ, **invocation.env, ATTEMPT: ctx.info.key},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TaskError(f"Cannot run program `{command[0]}`: {reason}") from error


class _Pipe:
    """One output of the command, cut into lines. The command waits while the log is behind."""

    def __init__(
        self, pipe: IO[bytes] | None, take: Callable[[str], None], ctx: RunContext
    ) -> None:
        if pipe is None:
            raise TaskError("The command has no output")
        self._pipe = pipe
        self._take = take
        self._ctx = ctx
        self.count = 0
        """Bytes read so far."""
        self.is_waiting = False
        """There is nothing to read now."""
        os.set_blocking(pipe.fileno(), False)

    async def pump(self) -> None:
        """Until the end of the output."""
        cutter = LineCutter(self._take)
        try:
            while data := await self._read():
                self.count += len(data)
                cutter.feed(data)
                await self._ctx.log.drain()
        finally:
            cutter.close()

    async def _read(self) -> bytes:
        while True:
            try:
                return os.read(self._pipe.fileno(), _READ_BYTES)
            except BlockingIOError:
                self.is_waiting = True
                await _readable(self._pipe.fileno())
                self.is_waiting = False

    def close(self) -> None:
        self._pipe.close()


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def _until_ended(
    process: subprocess.Popen[bytes], pumps: Sequence[asyncio.Future[None]]
) -> None:
    """Raises what a pump raises: the process would wait for ever for somebody to read."""
    ended = asyncio.ensure_future(_ended(process))
    watched: set[asyncio.Future[None]] = {ended, *pumps}
    try:
        while not ended.done():
            done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
    finally:
        ended.cancel()


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """The process has ended. Where the system can tell without it, it is not reaped, so its number stays its own."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or an old one
        await asyncio.to_thread(process.wait)
        return
    try:
        await _readable(descriptor)
    finally:
        os.close(descriptor)


async def _rest(pipes: tuple[_Pipe, ...], pumps: Sequence[asyncio.Future[None]]) -> None:
    """What is still in the pipes; processes that were left behind may hold them open for ever."""
    while True:
        before = sum(pipe.count for pipe in pipes)
        _, pending = await asyncio.wait(pumps, timeout=_QUIET_SECONDS)
        if not pending:
            return
        is_quiet = all(
            pipe.is_waiting for pipe, pump in zip(pipes, pumps, strict=True) if not pump.done()
        )
        if is_quiet and sum(pipe.count for pipe in pipes) == before:
            return


async def _terminate(process: subprocess.Popen[bytes], key: str) -> None:
    """The process and its descendants are gone when this returns."""
    _signal(process, signal.SIGTERM)
    await asyncio.wait([asyncio.ensure_future(_ended(process))], timeout=_TERMINATE_SECONDS)
    _signal(process, signal.SIGKILL)
    await asyncio.to_thread(kill_marked, ATTEMPT, lambda found: found == key)
    await asyncio.to_thread(process.wait)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole process group, unless the process was reaped: then its number may be another's."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            return
