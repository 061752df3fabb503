"""`scripts.shell.Script` and `scripts.shell.Commands` (06 §4)."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.script.choice import Place
from batuta.plugins.script.command import localize
from batuta.plugins.script.script import Prepared, ScriptTask, Texts
from batuta.sdk import Lazy, Property, RunContext


class ShellTask(ScriptTask):
    """Base of the shell tasks."""

    container_image: Property[str] | None = Field(
        default="ubuntu", description="The image of the container; a process ignores it."
    )


class Script(ShellTask, type="io.kestra.plugin.scripts.shell.Script"):
    """Run a shell script.

    # What it does
    Hands the text of `script` to the interpreter, in a container or as a process. The first command that fails ends the
    task, unless `failFast` is false. A line `::{"outputs": {…}}::` on stdout gives outputs.

    # Example
    ```yaml
    - id: day
      type: io.kestra.plugin.scripts.shell.Script
      taskRunner:
        type: io.kestra.plugin.core.runner.Process
      outputFiles: ["day.csv"]
      script: |
        echo "id,name" > day.csv
        echo '::{"outputs": {"lines": 1}}::'
    ```

    # Outputs
    `vars`: what the script reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    script: Lazy[str] = Field(description="The text of the script.")

    @override
    async def prepare(self, texts: Texts, place: Place, ctx: RunContext) -> Prepared:
        return Prepared(commands=await localize([texts.script or ""], ctx))


class Commands(ShellTask, type="io.kestra.plugin.scripts.shell.Commands"):
    """Run shell commands.

    # What it does
    Runs the commands in one shell, in a container or as a process: a `cd` or a variable holds for those that follow.

    # Example
    ```yaml
    - id: lines
      type: io.kestra.plugin.scripts.shell.Commands
      taskRunner:
        type: io.kestra.plugin.core.runner.Process
      inputFiles:
        day.csv: "{{ outputs.extract.uri }}"
      commands:
        - echo "::{\\"outputs\\":{\\"lines\\":$(wc -l < day.csv)}}::"
    ```

    # Outputs
    `vars`: what the commands reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    commands: Lazy[list[str]] = Field(description="The commands.")
