"""`core.storage.LocalFiles`."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.sdk import Output, Placement, Property, RunContext, Task
from batuta.sdk.staging import capture_output_files, write_input_files


class LocalFilesOutput(Output, frozen=True, kw_only=True):
    uris: dict[str, str]


class LocalFiles(
    Task,
    type="io.kestra.plugin.core.storage.LocalFiles",
    aliases=("io.kestra.core.tasks.storages.LocalFiles",),
    deprecated=True,
    placement=Placement.SERVER,
):
    """Put files into the working directory, and keep files of it. Deprecated: use `inputFiles` and `outputFiles`.

    # What it does
    Writes `inputs`, then stores the files that fit `outputs` and takes them out of the directory. Meant for tasks of a
    WorkingDirectory.

    # Example
    ```yaml
    - id: keep
      type: io.kestra.plugin.core.storage.LocalFiles
      inputs:
        report.txt: "Report of {{ flow.id }}"
      outputs:
        - "*.csv"
    ```

    # Outputs
    `uris`: the stored files by their paths.
    """

    inputs: Property[dict[str, Any] | str] | None = Field(
        default=None, description="Files to write: names and contents, or URIs to copy from."
    )
    outputs: Property[list[str]] | None = Field(
        default=None, description="Globs of the files to keep."
    )

    @override
    async def run(self, ctx: RunContext) -> LocalFilesOutput:
        await write_input_files(self.inputs, ctx, render=_as_is)
        return LocalFilesOutput(uris=await capture_output_files(self.outputs, ctx))


def _as_is(value: Any) -> Any:
    """Names and contents are rendered before the task runs."""
    return value
