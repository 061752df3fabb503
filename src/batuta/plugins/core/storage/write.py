"""`core.storage.Write`, `Size`, `Delete` and `PurgeCurrentExecutionFiles`."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.storage.source import check_internal, dotted
from batuta.sdk import Output, Placement, Property, RunContext, Task, TaskError


class UriOutput(Output, frozen=True, kw_only=True):
    uri: str


class Write(Task, type="io.kestra.plugin.core.storage.Write", placement=Placement.SERVER):
    """Store a text as a file.

    # What it does
    Renders `content` and stores it in internal storage; a map or list becomes JSON.

    # Example
    ```yaml
    - id: rows
      type: io.kestra.plugin.core.storage.Write
      extension: .csv
      content: |
        id,name
        1,{{ inputs.name }}
    ```

    # Outputs
    `uri`: where the file is.
    """

    content: Property[str] = Field(description="The content of the file.")
    extension: Property[str] | None = Field(
        default=None, description="The extension, with or without the dot."
    )

    @override
    async def run(self, ctx: RunContext) -> UriOutput:
        suffix = dotted(self.extension or "")
        return UriOutput(uri=await ctx.files.put(self.content.encode(), suffix=suffix))


class SizeOutput(Output, frozen=True, kw_only=True):
    size: int


class Size(
    Task,
    type="io.kestra.plugin.core.storage.Size",
    aliases=("io.kestra.core.tasks.storages.Size",),
    placement=Placement.SERVER,
):
    """Tell the size of a file.

    # Example
    ```yaml
    - id: size
      type: io.kestra.plugin.core.storage.Size
      uri: "{{ outputs.download.uri }}"
    ```

    # Outputs
    `size`: in bytes.
    """

    uri: Property[str] = Field(description="A file of internal storage.")

    @override
    async def run(self, ctx: RunContext) -> SizeOutput:
        check_internal(self.uri)
        try:
            return SizeOutput(size=await ctx.files.size(self.uri))
        except FileNotFoundError as error:
            raise TaskError(f"Unable to find file '{self.uri}'") from error


class DeleteOutput(Output, frozen=True, kw_only=True):
    uri: str
    deleted: bool


class Delete(
    Task,
    type="io.kestra.plugin.core.storage.Delete",
    aliases=("io.kestra.core.tasks.storages.Delete",),
    placement=Placement.SERVER,
):
    """Delete a file of internal storage.

    # Example
    ```yaml
    - id: clean
      type: io.kestra.plugin.core.storage.Delete
      uri: "{{ outputs.download.uri }}"
    ```

    # Outputs
    `uri`: the file; `deleted`: whether it was there.
    """

    uri: Property[str] = Field(description="A file of internal storage.")
    error_on_missing: Property[bool] = Field(
        default=False, description="Whether a missing file is a failure."
    )

    @override
    async def run(self, ctx: RunContext) -> DeleteOutput:
        check_internal(self.uri)
        deleted = await ctx.files.delete(self.uri)
        if not deleted and self.error_on_missing:
            raise TaskError(f"Unable to find file '{self.uri}'")
        return DeleteOutput(uri=self.uri, deleted=deleted)


class PurgeOutput(Output, frozen=True, kw_only=True):
    uris: list[str]


class PurgeCurrentExecutionFiles(
    Task,
    type="io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles",
    aliases=(
        "io.kestra.core.tasks.storages.PurgeExecution",
        "io.kestra.plugin.core.storage.PurgeExecution",
    ),
    placement=Placement.SERVER,
):
    """Delete all files of this execution.

    # What it does
    Removes the files of its inputs, tasks and trigger from internal storage: usually the last task of a flow.

    # Example
    ```yaml
    - id: purge_files
      type: io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles
    ```

    # Outputs
    `uris`: what was removed.

    # Notes
    Files behind outputs of earlier tasks are gone afterwards, too.
    """

    @override
    async def run(self, ctx: RunContext) -> PurgeOutput:
        return PurgeOutput(uris=await ctx.files.delete_execution_files())
