"""Script tasks and their runners: which type is which class. Nothing is imported before a type is used."""

_HERE = "batuta.plugins.script"
_SCRIPTS = "io.kestra.plugin.scripts"

TYPES = {
    "io.kestra.plugin.core.runner.Process": f"{_HERE}.process:Process",
    f"{_SCRIPTS}.node.Commands": f"{_HERE}.node:Commands",
    f"{_SCRIPTS}.node.Script": f"{_HERE}.node:Script",
    f"{_SCRIPTS}.python.Commands": f"{_HERE}.python:Commands",
    f"{_SCRIPTS}.python.Script": f"{_HERE}.python:Script",
    f"{_SCRIPTS}.runner.docker.Docker": f"{_HERE}.docker:Docker",
    f"{_SCRIPTS}.shell.Commands": f"{_HERE}.shell:Commands",
    f"{_SCRIPTS}.shell.Script": f"{_HERE}.shell:Script",
}

ALIASES: dict[str, str] = {}
