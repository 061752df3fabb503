"""The command line. Modules of commands are imported when their command is called."""

import sys

from batuta.cli.commands import COMMANDS, root_help
from batuta.cli.failure import CommandError
from batuta.cli.output import complain
from batuta.cli.quick import is_plain_server, server_options


def main() -> None:
    arguments = sys.argv[1:]
    if not arguments or arguments in (["--help"], ["-h"]):
        # The list of commands needs no parser, whose import takes most of the 300 ms that 08 §4 allows.
        sys.stdout.write(root_help())
        return
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Exit code of a command line."""
    try:
        return _quick(arguments) if is_plain_server(arguments) else _parsed(arguments)
    except CommandError as error:
        complain(f"Error: {error}")
        return error.code


def _quick(arguments: list[str]) -> int:
    from batuta.cli import launch

    start = launch.launch_local if arguments[1] == "local" else launch.launch_standalone
    return start(**server_options(arguments[2:]))


def _parsed(arguments: list[str]) -> int:
    from cyclopts import App

    from batuta.cli.version import package_version

    app = App(name="batuta", help_format="plaintext", version=package_version)
    groups: dict[str, App] = {}
    for command in COMMANDS:
        target = app
        if command.group:
            target = groups.get(command.group) or App(name=command.group, help=command.group_help)
            if command.group not in groups:
                groups[command.group] = target
                app.command(target)
        target.command(command.target, name=command.name, help=command.help)
    code = app(arguments, result_action="return_value")
    return code if isinstance(code, int) else 0
