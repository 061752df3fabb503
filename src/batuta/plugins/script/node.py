"""`scripts.node.Script` and `scripts.node.Commands` (06 §4)."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.script.choice import Place
from batuta.plugins.script.script import Prepared, ScriptTask, Texts, write_script
from batuta.sdk import Lazy, Property, RunContext


class NodeTask(ScriptTask):
    """Base of the Node.js tasks."""

    container_image: Property[str] | None = Field(
        default="node", description="The image of the container; a process ignores it."
    )


class Script(NodeTask, type="io.kestra.plugin.scripts.node.Script"):
    """Run a JavaScript program with Node.js.

    # What it does
    Writes `script` to a file in the working directory and runs it with `node`, in a container or as a process. A line
    `::{"outputs": {…}}::` on stdout gives outputs; the package `@kestra-io/libs` writes such lines.

    # Example
    ```yaml
    - id: sum
      type: io.kestra.plugin.scripts.node.Script
      taskRunner:
        type: io.kestra.plugin.core.runner.Process
      script: |
        console.log(`::${JSON.stringify({outputs: {sum: 1 + 2}})}::`)
    ```

    # Outputs
    `vars`: what the script reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    script: Lazy[str] = Field(description="The source of the program.")

    @override
    async def prepare(self, texts: Texts, place: Place, ctx: RunContext) -> Prepared:
        return Prepared(commands=[f"node {await write_script(texts, '.js', ctx)}"])


class Commands(NodeTask, type="io.kestra.plugin.scripts.node.Commands"):
    """Run commands with Node.js at hand.

    # What it does
    Runs the commands in one shell, in a container with Node.js or as a process.

    # Example
    ```yaml
    - id: program
      type: io.kestra.plugin.scripts.node.Commands
      taskRunner:
        type: io.kestra.plugin.core.runner.Process
      namespaceFiles:
        include: ["app/**"]
      beforeCommands:
        - npm install --prefix app
      commands:
        - node app/main.js
    ```

    # Outputs
    `vars`: what the commands reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    commands: Lazy[list[str]] = Field(description="The commands.")
