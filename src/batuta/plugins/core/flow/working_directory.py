"""Tasks that share a directory."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import NO_TASKS, Flowable, Tasks
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.definition import Definition, DurationText
from batuta.sdk.files import NamespaceFiles
from batuta.sdk.property import Property


class Cache(Definition):
    patterns: Property[list[str]] = Field(description="Globs of the files to keep between runs.")
    ttl: Property[DurationText] | None = Field(
        default=None, description="How long the files are kept; for ever when left out."
    )


class WorkingDirectory(
    Flowable,
    type="io.kestra.plugin.core.flow.WorkingDirectory",
    aliases=(
        "io.kestra.core.tasks.flows.WorkingDirectory",
        "io.kestra.core.tasks.flows.Worker",
    ),
):
    """Run tasks one after another in one directory on one worker.

    # What it does
    Makes a directory, puts `namespaceFiles` and `inputFiles` in it, runs the tasks there and keeps the
    files named by `outputFiles`.

    # Example
    ```yaml
    - id: dir
      type: io.kestra.plugin.core.flow.WorkingDirectory
      tasks:
        - id: write
          type: io.kestra.plugin.scripts.shell.Commands
          commands: ["echo hello > out.txt"]
        - id: read
          type: io.kestra.plugin.scripts.shell.Commands
          commands: ["cat out.txt"]
    ```

    # Outputs
    `outputFiles`, the URIs of the kept files by their names.
    """

    tasks: Tasks = Field(
        min_length=1,
        description="The tasks, in their order; none of them may be a control task.",
        json_schema_extra={"message": NO_TASKS},
    )
    cache: Cache | None = Field(default=None, description="Files to keep between runs.")
    input_files: Property[dict[str, Any] | str] | None = Field(
        default=None, description="Files to make in the directory: names and contents or URIs."
    )
    output_files: Property[list[str]] | None = Field(
        default=None, description="Globs of the files to keep."
    )
    namespace_files: NamespaceFiles | None = Field(
        default=None, description="Which files of the namespace to put in the directory."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.WorkDir(
            **build.control(self, self.tasks),
            tasks=build.branch(self.tasks),
            timeout=self.timeout,
            spec=build.spec(self, without=("tasks", "errors", "finally")),
            outputs_read=build.outputs_read(self, without=("errors", "finally")),
            worker_group=build.worker_group(self),
        )
