"""`core.log.Fetch`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.model.instant import from_iso, to_datetime
from batuta.model.ion import write_row
from batuta.plugins.core.execution.reference import execution_named
from batuta.plugins.core.level import Level
from batuta.sdk import Output, Placement, Property, RunContext, Task


class FetchOutput(Output, frozen=True, kw_only=True):
    uri: str
    size: int


class Fetch(
    Task,
    type="io.kestra.plugin.core.log.Fetch",
    aliases=("io.kestra.core.tasks.log.Fetch",),
    placement=Placement.SERVER,
):
    """Collect the log of an execution in a file.

    # What it does
    Writes the entries from a level upward, by time, as rows of an Ion file: those of this execution, or of another
    one.

    # Example
    ```yaml
    - id: collect
      type: io.kestra.plugin.core.log.Fetch
      level: WARN
      tasksId: [load, check]
    ```

    # Outputs
    `uri`: the file; `size`: the number of entries.

    # Notes
    `namespace` and `flowId` go together and say where the execution of `executionId` belongs.
    """

    execution_id: Property[str] | None = Field(
        default=None, description="The execution; this one when absent."
    )
    namespace: Property[str] | None = Field(
        default=None, description="The namespace of that execution."
    )
    flow_id: Property[str] | None = Field(default=None, description="The flow of that execution.")
    tasks_id: Property[list[str]] | None = Field(
        default=None, description="Tasks whose entries are wanted; all when absent."
    )
    level: Property[Level] = Field(
        default=Level.INFO, description="The lowest level that is wanted."
    )

    @override
    async def run(self, ctx: RunContext) -> FetchOutput:
        named = execution_named(
            ctx,
            execution_id=self.execution_id,
            namespace=self.namespace,
            flow_id=self.flow_id,
        )
        wanted = {**named, "level": self.level.value, "taskIds": self.tasks_id or []}
        path = ctx.workdir / f"{ctx.token()}.ion"
        size, page = 0, 1
        with path.open("wb") as file:
            # Page by page: a log may be longer than memory.
            while entries := await ctx.ask("logs.read", {**wanted, "page": page}):
                file.writelines(_rows(entries))
                size += len(entries)
                page += 1
        return FetchOutput(uri=await ctx.files.put(path, suffix=".ion"), size=size)


def _rows(entries: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    for entry in entries:
        yield write_row({**entry, "timestamp": to_datetime(from_iso(entry["timestamp"]))})
