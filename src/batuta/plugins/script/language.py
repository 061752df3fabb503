"""Script tasks of further languages (06 §4). They differ in image, file extension and command only."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from pydantic import Field, create_model
from typing_extensions import override

from batuta.plugins.script.choice import Place
from batuta.plugins.script.script import Prepared, ScriptTask, Texts, write_script
from batuta.sdk import Lazy, Property, RunContext, Task

_PREFIX = "io.kestra.plugin.scripts"
_SCRIPT_DOC = """Run a {language} program.

# What it does
Writes `script` to a file in the working directory and runs it with `{program}`, in a container or as a process. A line
`::{{"outputs": {{…}}}}::` on stdout gives outputs.

# Example
```yaml
- id: program
  type: {type}
  script: |
    {example}
```

# Outputs
`vars`: what the program reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
"""
_COMMANDS_DOC = """Run commands with {language} at hand.

# What it does
Runs the commands in one shell, in a container with {language} or as a process.

# Example
```yaml
- id: program
  type: {type}
  namespaceFiles:
    enabled: true
  commands:
    - {command} program{extension}
```

# Outputs
`vars`: what the commands reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
"""


class LanguageScript(ScriptTask):
    """Base of the script tasks: the file is run by a command in front of its path."""

    EXTENSION: ClassVar[str] = ""
    COMMAND: ClassVar[str] = ""

    script: Lazy[str] = Field(description="The source of the program.")

    @override
    async def prepare(self, texts: Texts, place: Place, ctx: RunContext) -> Prepared:
        path = await write_script(texts, self.EXTENSION, ctx)
        return Prepared(commands=[f"{self.COMMAND} {path}"])


class LanguageCommands(ScriptTask):
    """Base of the command tasks."""

    commands: Lazy[list[str]] = Field(description="The commands.")


class LanguageCommandsIfAny(ScriptTask):
    """As `LanguageCommands`, for the languages where Kestra does not insist on commands."""

    commands: Lazy[list[str]] | None = Field(default=None, description="The commands.")


def _image(image: str) -> Any:
    return (
        Property[str] | None,
        Field(default=image, description="The image of the container; a process ignores it."),
    )


def _script(
    name: str, language: str, *, image: str, extension: str, command: str, example: str
) -> type[Task]:
    type_name = f"{_PREFIX}.{name}.Script"
    made: type[LanguageScript] = create_model(
        "Script",
        __base__=LanguageScript,
        __module__=__name__,
        __doc__=_SCRIPT_DOC.format(
            language=language, program=command.split(maxsplit=1)[0], type=type_name, example=example
        ),
        __cls_kwargs__={"type": type_name},
        container_image=_image(image),
    )
    made.EXTENSION, made.COMMAND = extension, command
    return made


def _commands(name: str, language: str, *, image: str, extension: str, command: str) -> type[Task]:
    type_name = f"{_PREFIX}.{name}.Commands"
    base: Any = LanguageCommandsIfAny if name in _WITHOUT_COMMANDS else LanguageCommands
    made = create_model(
        "Commands",
        __base__=base,
        __module__=__name__,
        __doc__=_COMMANDS_DOC.format(
            language=language, type=type_name, extension=extension, command=command
        ),
        __cls_kwargs__={"type": type_name},
        container_image=_image(image),
    )
    return cast("type[Task]", made)


_LANGUAGES: Mapping[str, tuple[str, str, str, str, str]] = {
    "r": ("R", "r-base", ".R", "Rscript", "cat(1 + 2)"),
    "ruby": ("Ruby", "ruby", ".rb", "ruby", "puts 1 + 2"),
    "julia": ("Julia", "julia", ".jl", "julia", "println(1 + 2)"),
    "go": ("Go", "golang", ".go", "go run", "package main; func main() { println(1 + 2) }"),
    "bun": ("Bun", "oven/bun", ".ts", "bun run", "console.log(1 + 2)"),
    "deno": ("Deno", "denoland/deno", ".ts", "deno run", "console.log(1 + 2)"),
    "perl": ("Perl", "perl", ".pl", "perl", "print 1 + 2;"),
    "lua": ("Lua", "nickblah/lua", ".lua", "lua", "print(1 + 2)"),
    "php": ("PHP", "php", ".php", "php", "<?php echo 1 + 2;"),
    "groovy": ("Groovy", "groovy", ".groovy", "groovy", "println 1 + 2"),
}
"""Name, image, file extension, command and an example, by the part of the type's name."""

_WITHOUT_COMMANDS = frozenset({"deno", "lua", "perl"})


def __getattr__(name: str) -> type[Task]:
    """`r_script`, `r_commands`, …: a class is made when the registry asks for it."""
    language, _, kind = name.rpartition("_")
    if language not in _LANGUAGES or kind not in {"script", "commands"}:
        raise AttributeError(name)
    title, image, extension, command, example = _LANGUAGES[language]
    if kind == "script":
        return _script(
            language, title, image=image, extension=extension, command=command, example=example
        )
    return _commands(language, title, image=image, extension=extension, command=command)
