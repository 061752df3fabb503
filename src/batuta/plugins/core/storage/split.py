"""`core.storage.Split`."""

import asyncio

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.storage.cut import Cut, cut_file, parse_size
from batuta.plugins.core.storage.source import extension_of, local_copy
from batuta.sdk import Output, Property, RunContext, Task, TaskError


class SplitOutput(Output, frozen=True, kw_only=True):
    uris: list[str]


class Split(
    Task,
    type="io.kestra.plugin.core.storage.Split",
    aliases=("io.kestra.core.tasks.storages.Split",),
):
    """Cut a file of lines into several files.

    # What it does
    Cuts by a regular expression, by size, into a number of parts, or by a number of lines; the first of these that is
    given counts.

    # Example
    ```yaml
    - id: parts
      type: io.kestra.plugin.core.storage.Split
      from: "{{ outputs.rows.uri }}"
      rows: 1000
    ```

    # Outputs
    `uris`: the parts, in order.

    # Notes
    `partitions` deals the lines in turn. A part may exceed `bytes` by one line.
    """

    from_: Property[str] = Field(alias="from", description="A file of internal storage.")
    regex_pattern: Property[str] | None = Field(
        default=None, description="Lines go by its first group; others are dropped."
    )
    bytes: Property[str] | None = Field(
        default=None, description="How large a part is at least: `10MB`, `200KB`, `1024`."
    )
    partitions: Property[int] | None = Field(
        default=None, description="Into how many parts the lines are dealt."
    )
    rows: Property[int] | None = Field(default=None, description="How many lines a part has.")
    separator: Property[str] = Field(default="\n", description="What stands behind each line.")

    @override
    async def run(self, ctx: RunContext) -> SplitOutput:
        source = await local_copy(self.from_, ctx)
        folder = ctx.workdir / ctx.token()
        folder.mkdir()
        try:
            how = Cut(
                pattern=self.regex_pattern,
                size=None if self.bytes is None else parse_size(self.bytes),
                partitions=self.partitions,
                rows=self.rows,
                separator=self.separator.encode(),
            )
            parts = await asyncio.to_thread(cut_file, source, folder, how)
        except ValueError as error:
            raise TaskError(str(error)) from error
        suffix = extension_of(self.from_, ".tmp")
        return SplitOutput(uris=[await ctx.files.put(part, suffix=suffix) for part in parts])
