"""`scripts.jbang.Script` and `scripts.jbang.Commands` (06 §4)."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.script.choice import Place
from batuta.plugins.script.script import Prepared, ScriptTask, Texts, write_script
from batuta.sdk import Lazy, Property, RunContext


class JbangTask(ScriptTask):
    """Base of the JBang tasks."""

    container_image: Property[str] | None = Field(
        default="jbangdev/jbang-action",
        description="The image of the container; a process ignores it.",
    )


class Script(JbangTask, type="io.kestra.plugin.scripts.jbang.Script"):
    """Run a program of a Java language with JBang.

    # What it does
    Writes `script` to a file in the working directory and runs it with `jbang`, in a container or as a process. A line
    `::{"outputs": {…}}::` on stdout gives outputs.

    # Example
    ```yaml
    - id: program
      type: io.kestra.plugin.scripts.jbang.Script
      script: |
        class hello { public static void main(String... args) { System.out.println("Hello"); } }
    ```

    # Outputs
    `vars`: what the program reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    script: Lazy[str] = Field(description="The source of the program.")
    extension: Property[str] = Field(
        default=".java",
        description="The extension of the file: `.java`, `.jsh`, `.kt`, `.groovy` or `.md`.",
    )
    quiet: Property[bool] = Field(
        default=True, description="Whether JBang keeps what it does to itself."
    )

    @override
    async def prepare(self, texts: Texts, place: Place, ctx: RunContext) -> Prepared:
        extension = self.extension if self.extension.startswith(".") else f".{self.extension}"
        path = await write_script(texts, extension, ctx)
        return Prepared(commands=[f"jbang {'--quiet ' if self.quiet else ''}{path}"])


class Commands(JbangTask, type="io.kestra.plugin.scripts.jbang.Commands"):
    """Run commands with JBang at hand.

    # What it does
    Runs the commands in one shell, in a container with JBang or as a process.

    # Example
    ```yaml
    - id: program
      type: io.kestra.plugin.scripts.jbang.Commands
      commands:
        - jbang --quiet hello.java
    ```

    # Outputs
    `vars`: what the commands reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    commands: Lazy[list[str]] = Field(description="The commands.")
