"""What a script task asks of its runner (05 §20.1)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from batuta.plugins.script.output import OutputSink
from batuta.sdk import RunContext, TaskRunner


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One command to execute."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    """Without the environment of the worker."""
    workdir: Path
    sink: OutputSink
    image: str | None = None
    mounts: tuple[Path, ...] = ()
    """Folders outside the working directory that the command reads, at the same path."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    exit_code: int
    details: Mapping[str, Any] | None = None
    """For the output `taskRunner`."""


class CommandRunner(TaskRunner):
    """A task runner of this package."""

    async def execute(self, invocation: Invocation, ctx: RunContext) -> Ended:
        """Run the command until it ends. Cancellation stops it with everything it started."""
        raise TypeError(f"{type(self).__name__} declares no execute()")
