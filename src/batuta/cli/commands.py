"""The commands by name: where each is found and what it does in one line."""

from typing import NamedTuple


class Command(NamedTuple):
    """`target` is `module:function`, imported on use."""

    name: str
    target: str
    help: str
    group: str = ""

    @property
    def group_help(self) -> str:
        return GROUPS[self.group]


GROUPS = {
    "server": "Start a server.",
    "flow": "Look at flows in files, without a server.",
    "plugins": "Look at the installed task types.",
}

COMMANDS = (
    Command("local", "batuta.cli.server:local", "Start a server for this machine.", "server"),
    Command(
        "standalone",
        "batuta.cli.server:standalone",
        "Start a server with all roles, from a configuration.",
        "server",
    ),
    Command("run", "batuta.cli.run:run", "Run a flow from a file and show its progress."),
    Command("validate", "batuta.cli.flow:validate", "Say what is wrong with flows.", "flow"),
    Command("plan", "batuta.cli.flow:plan", "Print what the engine will work with.", "flow"),
    Command("graph", "batuta.cli.flow:graph", "Draw the tasks of a flow as Mermaid text.", "flow"),
    Command("expr", "batuta.cli.expr:evaluate", "Evaluate a template."),
    Command("list", "batuta.cli.plugins:list_types", "List all task types.", "plugins"),
    Command("doc", "batuta.cli.plugins:doc", "Print the documentation of a type.", "plugins"),
    Command("version", "batuta.cli.version:version", "Print the version."),
)


def root_help() -> str:
    """What `batuta --help` prints."""
    names = [f"{command.group} {command.name}".strip() for command in COMMANDS]
    width = max(len(name) for name in names) + 2
    lines = [
        f"  {name:<{width}}{command.help}" for name, command in zip(names, COMMANDS, strict=True)
    ]
    return "\n".join(
        [
            "Usage: batuta COMMAND",
            "",
            "Runs Kestra flows: started in a second, small, durable.",
            "",
            "Commands:",
            *lines,
            "",
            "Every command explains itself: batuta COMMAND --help",
            "",
        ]
    )
