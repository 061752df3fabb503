"""What all script tasks have in common: their properties, and how they are run (06 §1)."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import Field
from typing_extensions import override

from batuta.plugins.script.choice import Place, choose_runner
from batuta.plugins.script.command import assemble, localize, render_list, render_map
from batuta.plugins.script.docker import DockerOptions
from batuta.plugins.script.output import OutputSink
from batuta.plugins.script.runner import Invocation
from batuta.sdk import Lazy, Property, RunContext, Task, TaskError, TaskRunner
from batuta.sdk.definition import Deprecated
from batuta.sdk.files import NamespaceFiles
from batuta.sdk.mark import ATTEMPT
from batuta.sdk.staging import (
    Render,
    capture_output_files,
    load_namespace_files,
    regular_files,
    store_file,
    write_input_files,
)


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The rendered texts of a task."""

    interpreter: list[str]
    before: list[str]
    commands: list[str]
    script: str | None
    env: dict[str, str]
    input_files: Any


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What a language adds to the command."""

    commands: list[str]
    env: Mapping[str, str] = {}
    """Wins over the author's, which it takes in where that matters."""
    mounts: tuple[Path, ...] = ()


class ScriptTask(Task):
    """Base of script tasks."""

    LIBRARY_ENV: ClassVar[Mapping[str, str]] = {}
    """Environment of the language; the author's wins."""

    before_commands: Lazy[list[str]] | None = Field(
        default=None, description="Commands that are run first, in the same shell."
    )
    interpreter: Lazy[list[str]] = Field(
        default=["/bin/sh", "-c"],
        description="The program that gets all commands as one text; empty to run the commands as they are.",
    )
    fail_fast: Property[bool] = Field(
        default=True, description="Whether the first command that fails ends the task."
    )
    env: Lazy[dict[str, str]] | None = Field(
        default=None,
        description="Environment variables of the commands. `BATUTA_ATTEMPT` is set too: the key of the attempt, `execution/task run/attempt`.",
    )
    task_runner: TaskRunner | None = Field(
        default=None, description="Where the commands run; in a Docker container when left out."
    )
    container_image: Property[str] | None = Field(
        default=None, description="The image of the container; a process ignores it."
    )
    input_files: Lazy[dict[str, Any] | str] | None = Field(
        default=None,
        description="Files to make in the working directory: names and contents, or URIs to copy from.",
    )
    output_files: Property[list[str]] | None = Field(
        default=None, description="Globs of the files to keep as outputs."
    )
    namespace_files: NamespaceFiles | None = Field(
        default=None, description="Files of the namespace to put in the working directory."
    )
    target_os: Property[Literal["LINUX", "WINDOWS", "AUTO"]] = Field(
        default="AUTO",
        alias="targetOS",
        description="The system whose line breaks the commands get.",
    )
    output_directory: Annotated[Property[bool] | None, Deprecated()] = Field(
        default=None,
        description="Make a directory `{{ outputDir }}` and keep all files in it; use `outputFiles`.",
    )
    runner: Annotated[Literal["PROCESS", "DOCKER"] | None, Deprecated()] = Field(
        default=None, description="Process or container; use `taskRunner`."
    )
    docker: Annotated[DockerOptions | None, Deprecated()] = Field(
        default=None, description="Options of the container; use `taskRunner`."
    )
    warning_on_std_err: Annotated[Property[bool] | None, Deprecated()] = Field(
        default=None, description="Accepted for old flows, without effect."
    )

    @override
    async def run(self, ctx: RunContext) -> Mapping[str, Any]:
        runner, place = await choose_runner(
            self.task_runner,
            legacy=self.runner,
            options=self.docker,
            image=self.container_image,
            ctx=ctx,
        )
        extra = {"workingDir": str(ctx.workdir)}
        output_dir = _make_output_dir(self, ctx)
        if output_dir is not None:
            extra["outputDir"] = str(output_dir)
        texts = await asyncio.to_thread(self._render, lambda text: ctx.render(text, extra))
        if self.namespace_files is not None:
            await load_namespace_files(self.namespace_files, ctx)
        await write_input_files(texts.input_files, ctx, render=_as_is)
        prepared = await self.prepare(texts, place, ctx)
        sink = OutputSink(ctx)
        invocation = Invocation(
            command=assemble(
                interpreter=texts.interpreter,
                before=await localize(texts.before, ctx),
                commands=prepared.commands,
                fail_fast=self.fail_fast,
                target_os=self.target_os,
            ),
            env={
                **self.LIBRARY_ENV,
                ATTEMPT: ctx.info.key,
                **texts.env,
                **prepared.env,
                **_runner_env(extra),
            },
            workdir=ctx.workdir,
            sink=sink,
            image=place.image,
            mounts=prepared.mounts,
        )
        ended = await runner.execute(invocation, ctx)
        outputs: dict[str, Any] = {
            "vars": sink.variables,
            "exitCode": ended.exit_code,
            "outputFiles": await self._captured(output_dir, ctx),
        }
        if ended.details is not None:
            outputs["taskRunner"] = dict(ended.details)
        if ended.exit_code != 0:
            raise _failure(ended.exit_code, outputs, ctx)
        return outputs

    async def prepare(self, texts: Texts, place: Place, ctx: RunContext) -> Prepared:
        """The commands of a language. The default: those of the author, with copies of stored files."""
        return Prepared(commands=await localize(texts.commands, ctx))

    def _render(self, render: Render) -> Texts:
        """In a thread: look-ups of templates wait for the server."""
        raw = self.input_files
        files = render(raw) if isinstance(raw, str) else _rendered_map(raw, render)
        return Texts(
            interpreter=render_list(self.interpreter, render, name="interpreter"),
            before=render_list(self.before_commands, render, name="beforeCommands"),
            commands=render_list(getattr(self, "commands", None), render, name="commands"),
            script=render(getattr(self, "script", None)),
            env=render_map(self.env, render, name="env"),
            input_files=files,
        )

    async def _captured(self, output_dir: Path | None, ctx: RunContext) -> dict[str, str]:
        stored = await capture_output_files(self.output_files, ctx)
        if output_dir is not None:
            for path in regular_files(output_dir):
                stored[path] = await store_file(output_dir, path, ctx)
        return stored


async def write_script(texts: Texts, extension: str, ctx: RunContext) -> Path:
    """The script in a file of the working directory, with copies of the stored files that it names."""
    (source,) = await localize([texts.script or ""], ctx)
    path = ctx.workdir / f"{ctx.token()}{extension}"
    path.write_text(source, encoding="utf-8", newline="")
    return path


def _rendered_map(raw: Any, render: Render) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    return {render(str(key)): render(item) for key, item in raw.items() if item is not None}


def _as_is(value: Any) -> Any:
    return value


def _make_output_dir(task: ScriptTask, ctx: RunContext) -> Path | None:
    """The deprecated directory of outputs; the deprecated `runner` turns it on (06 §1)."""
    if not task.output_directory and task.runner is None:
        return None
    path = ctx.workdir / ctx.token()
    path.mkdir()
    return path


def _runner_env(extra: Mapping[str, str]) -> dict[str, str]:
    env = {"WORKING_DIR": extra["workingDir"]}
    if "outputDir" in extra:
        env["OUTPUT_DIR"] = extra["outputDir"]
    return env


def _failure(code: int, outputs: Mapping[str, Any], ctx: RunContext) -> TaskError:
    """Kestra logs the failure twice, once with the class of its exception; flows' recorded logs have both."""
    message = f"Command failed with exit code {code}"
    ctx.log.error(f"io.kestra.core.models.tasks.runners.TaskException: {message}")
    return TaskError(message, outputs=outputs)
