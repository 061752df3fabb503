"""Script tasks and their runners: which type is which class. Nothing is imported before a type is used."""

_HERE = "batuta.plugins.script"
_SCRIPTS = "io.kestra.plugin.scripts"
_MODULES = ("jbang", "node", "powershell", "python", "shell")
_LANGUAGES = ("bun", "deno", "go", "groovy", "julia", "lua", "perl", "php", "r", "ruby")

TYPES = {
    "io.kestra.plugin.core.runner.Process": f"{_HERE}.process:Process",
    f"{_SCRIPTS}.runner.docker.Docker": f"{_HERE}.docker:Docker",
    **{
        f"{_SCRIPTS}.{name}.{kind}": f"{_HERE}.{name}:{kind}"
        for name in _MODULES
        for kind in ("Commands", "Script")
    },
    **{
        f"{_SCRIPTS}.{name}.{kind}": f"{_HERE}.language:{name}_{kind.lower()}"
        for name in _LANGUAGES
        for kind in ("Commands", "Script")
    },
}

ALIASES: dict[str, str] = {}
