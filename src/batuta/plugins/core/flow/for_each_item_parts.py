"""What a ForEachItem runs before and after the executions that it starts; no author writes these types."""

import asyncio

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.for_each_item import TYPE, Batch
from batuta.plugins.core.storage.cut import Cut, cut_file, parse_size
from batuta.plugins.core.storage.source import extension_of, local_copy
from batuta.sdk import Output, Placement, Property, RunContext, Task, TaskError


class SplitOutput(Output, frozen=True, kw_only=True):
    splits: str


class SplitItems(Task, type=f"{TYPE}$ForEachItemSplit"):
    """Cut the file of a ForEachItem into batches.

    # What it does
    Writes the batches and a file that lists their URIs, one in each line.

    # Outputs
    `splits`: the URI of the list.
    """

    items: Property[str] = Field(description="The file of internal storage to cut.")
    batch: Batch = Field(default=Batch(), description="How it is cut.")

    @override
    async def run(self, ctx: RunContext) -> SplitOutput:
        source = await local_copy(self.items, ctx)
        folder = ctx.workdir / ctx.token()
        folder.mkdir()
        batch = self.batch
        try:
            how = Cut(
                size=None if batch.bytes is None else parse_size(batch.bytes),
                partitions=batch.partitions,
                rows=batch.rows,
                separator=batch.separator.encode(),
            )
            parts = await asyncio.to_thread(cut_file, source, folder, how)
        except ValueError as error:
            raise TaskError(str(error)) from error
        suffix = extension_of(self.items)
        uris = [
            await ctx.files.put(part, suffix=suffix) for part in parts if part.stat().st_size > 0
        ]
        listing = "".join(f"{uri}\n" for uri in uris).encode()
        return SplitOutput(splits=await ctx.files.put(listing, suffix=".txt"))


class MergeOutputs(Task, type=f"{TYPE}$ForEachItemMergeOutputs", placement=Placement.SERVER):
    """Join the outputs of the executions that a ForEachItem has started, in the order of the batches.

    # Outputs
    `subflowOutputs`: the URI of the joined file; nothing when no execution had outputs.
    """

    base: Property[str] | None = Field(
        default=None, description="The folder that holds one folder for each batch."
    )
    batches: Property[int] | None = Field(default=None, description="How many there are.")

    @override
    async def run(self, ctx: RunContext) -> dict[str, str] | None:
        found: list[bytes] = []
        for number in range(self.batches or 0 if self.base else 0):
            uri = f"kestra://{self.base}/{number}/outputs.ion"
            if await ctx.files.exists(uri):
                content = await ctx.files.read(uri)
                found.append(content if content.endswith(b"\n") else content + b"\n")
        if not found:
            return None
        return {"subflowOutputs": await ctx.files.put(b"".join(found), suffix=".ion")}
