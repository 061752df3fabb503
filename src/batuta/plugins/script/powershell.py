"""`scripts.powershell.Script` and `scripts.powershell.Commands` (06 §4)."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.script.choice import Place
from batuta.plugins.script.script import Prepared, ScriptTask, Texts, write_script
from batuta.sdk import Lazy, Property, RunContext


class PowershellTask(ScriptTask):
    """Base of the PowerShell tasks."""

    container_image: Property[str] | None = Field(
        default="ghcr.io/kestra-io/powershell:latest",
        description="The image of the container; a process ignores it.",
    )
    interpreter: Lazy[list[str]] = Field(
        default=["pwsh", "-NoProfile", "-NonInteractive", "-Command"],
        description="The program that gets all commands as one text; empty to run the commands as they are.",
    )


class Script(PowershellTask, type="io.kestra.plugin.scripts.powershell.Script"):
    """Run a PowerShell script.

    # What it does
    Writes `script` to a file in the working directory and runs it with `pwsh`, in a container or as a process. A line
    `::{"outputs": {…}}::` on stdout gives outputs.

    # Example
    ```yaml
    - id: script
      type: io.kestra.plugin.scripts.powershell.Script
      script: |
        'Hello from PowerShell' | Write-Output
    ```

    # Outputs
    `vars`: what the script reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    script: Lazy[str] = Field(description="The text of the script.")

    @override
    async def prepare(self, texts: Texts, place: Place, ctx: RunContext) -> Prepared:
        path = await write_script(texts, ".ps1", ctx)
        return Prepared(commands=[f".\\{path.name}"])


class Commands(PowershellTask, type="io.kestra.plugin.scripts.powershell.Commands"):
    """Run PowerShell commands.

    # What it does
    Runs the commands in one PowerShell, in a container or as a process.

    # Example
    ```yaml
    - id: commands
      type: io.kestra.plugin.scripts.powershell.Commands
      commands:
        - Write-Output "Hello"
    ```

    # Outputs
    `vars`: what the commands reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    commands: Lazy[list[str]] = Field(description="The commands.")
