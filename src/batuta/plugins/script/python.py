"""`scripts.python.Script` and `scripts.python.Commands` (06 §3)."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from batuta.model.instant import SECOND
from batuta.plugins.script.choice import Place
from batuta.plugins.script.command import localize
from batuta.plugins.script.python_environment import (
    DEFAULT_VERSION,
    Interpreter,
    Requirements,
    found_interpreter,
    libraries,
    managed_interpreter,
    private_environment,
    this_interpreter,
)
from batuta.plugins.script.script import Prepared, ScriptTask, Texts, write_script
from batuta.sdk import Lazy, Property, RunContext, TaskError

_VERSION = re.compile(r"\d+(\.\d+){0,2}")
_IMAGE_VERSION = re.compile(r"python:(\d+(?:\.\d+){0,2})")
_PIP = re.compile(r"\b(?:pip3?|uv) ")
LIBRARY_FOLDER = ".kestra_additional_python_lib"
"""In the working directory, where libraries are not shared by runs."""


class PythonTask(ScriptTask):
    """Base of the Python tasks."""

    LIBRARY_ENV: ClassVar[Mapping[str, str]] = {
        "PYTHONUNBUFFERED": "true",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    container_image: Property[str] | None = Field(
        default="python:3.13-slim", description="The image of the container; a process ignores it."
    )
    dependencies: Property[list[str]] | None = Field(
        default=None,
        description="Packages that the script needs, as requirements such as `polars==1.*`.",
    )
    python_version: Property[str] | None = Field(
        default=None, description="The version of Python, such as `3.12`."
    )
    dependency_cache_enabled: Property[bool] = Field(
        default=True, description="Whether installed packages are kept for other runs."
    )
    package_manager: Property[Literal["UV", "PIP"]] = Field(
        default="UV", description="What installs the packages; pip where there is no uv."
    )

    @override
    async def prepare(self, texts: Texts, place: Place, ctx: RunContext) -> Prepared:
        env: dict[str, str] = {}
        interpreter = await self._interpreter(place, ctx)
        mounts: tuple[Path, ...] = ()
        search_path: list[str] = []
        if place.is_fallback and interpreter is not None:
            venv = await private_environment(
                interpreter, purpose=_pip_texts(texts), root=ctx.cache_dir
            )
            env["VIRTUAL_ENV"] = str(venv)
            search_path.append(str(venv / "bin"))
            interpreter = Interpreter(str(venv / "bin" / "python"), interpreter.version)
        elif self.python_version is not None and interpreter is not None:
            search_path.append(str(Path(interpreter.path).parent))
        if self.dependencies:
            folder = await self._libraries(self.dependencies, place, interpreter, ctx=ctx)
            env["PYTHONPATH"] = _joined(str(folder), texts.env.get("PYTHONPATH"))
            search_path.append(str(folder / "bin"))
            mounts = (folder,) if place.is_container else ()
        if search_path and not place.is_container:
            before = texts.env.get("PATH") or os.environ.get("PATH", os.defpath)
            env["PATH"] = _joined(*search_path, before)
        commands = await self.python_commands(texts, interpreter, ctx)
        return Prepared(commands=commands, env=env, mounts=mounts)

    async def python_commands(
        self, texts: Texts, interpreter: Interpreter | None, ctx: RunContext
    ) -> list[str]:
        """The commands themselves; `interpreter` is None in a container."""
        return await localize(texts.commands, ctx)

    async def _interpreter(self, place: Place, ctx: RunContext) -> Interpreter | None:
        """The Python of this machine that runs the script; None in a container."""
        if place.is_container:
            return None
        if self.python_version is not None:
            if not _VERSION.fullmatch(self.python_version):
                raise TaskError(f"`{self.python_version}` is no version of Python such as 3.12")
            return await managed_interpreter(self.python_version)
        wanted = _version_of(place.image) if place.is_fallback else None
        found = None if wanted is None else await found_interpreter(wanted)
        if wanted is not None and found is None:
            ctx.log.debug(f"There is no Python {wanted} here, as the image {place.image} has it")
        return found or await this_interpreter()

    async def _libraries(
        self,
        packages: list[str],
        place: Place,
        interpreter: Interpreter | None,
        *,
        ctx: RunContext,
    ) -> Path:
        begin = ctx.now()
        version = self.python_version or (interpreter.version if interpreter else None)
        if version is None:
            version = _version_of(place.image)
        if version is None:
            version = DEFAULT_VERSION
            ctx.log.warn(
                f"The image {place.image} does not name a version of Python: packages are installed for {version}; say"
                " `pythonVersion` when it is another"
            )
        requirements = Requirements(
            packages=_checked(packages),
            version=version,
            platform=_platform_of(place.image) if place.is_container else None,
            pip=self.package_manager == "PIP",
        )
        cached = self.dependency_cache_enabled
        folder, was_there = await libraries(
            requirements,
            interpreter or await this_interpreter(),
            root=ctx.cache_dir if cached else ctx.workdir / LIBRARY_FOLDER,
            cached=cached,
        )
        if cached:
            what = "download" if was_there else "upload"
            ctx.metrics.timer(f"deps.cache.{what}.duration", (ctx.now() - begin) / SECOND)
        return folder


class Script(PythonTask, type="io.kestra.plugin.scripts.python.Script"):
    """Run a Python script.

    # What it does
    Writes `script` to a file in the working directory and runs it with Python, in a container or as a process. Packages
    named in `dependencies` are installed once and shared by all runs with the same list and version of Python. A line
    `::{"outputs": {…}}::` on stdout gives outputs; the package `kestra` writes such lines.

    # Example
    ```yaml
    - id: rows
      type: io.kestra.plugin.scripts.python.Script
      taskRunner:
        type: io.kestra.plugin.core.runner.Process
      dependencies: [kestra]
      outputFiles: ["*.csv"]
      script: |
        from kestra import Kestra
        with open("rows.csv", "w") as file:
            file.write("id\\n1\\n")
        Kestra.outputs({"rows": 1})
    ```

    # Outputs
    `vars`: what the script reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    script: Lazy[str] = Field(description="The source of the script.")

    @override
    async def python_commands(
        self, texts: Texts, interpreter: Interpreter | None, ctx: RunContext
    ) -> list[str]:
        path = await write_script(texts, ".py", ctx)
        return [f"{shlex.quote(interpreter.path) if interpreter else 'python'} {path}"]


class Commands(PythonTask, type="io.kestra.plugin.scripts.python.Commands"):
    """Run commands with Python at hand.

    # What it does
    Runs the commands in one shell, in a container with Python or as a process; otherwise as `scripts.python.Script`.

    # Example
    ```yaml
    - id: tests
      type: io.kestra.plugin.scripts.python.Commands
      taskRunner:
        type: io.kestra.plugin.core.runner.Process
      namespaceFiles:
        include: ["etl/**"]
      commands:
        - python etl/main.py
    ```

    # Outputs
    `vars`: what the commands reported · `exitCode` · `outputFiles`: URIs by path · `taskRunner`: details of the runner.
    """

    commands: Lazy[list[str]] = Field(description="The commands.")


def _joined(*paths: str | None) -> str:
    return os.pathsep.join(path for path in paths if path)


def _version_of(image: str | None) -> str | None:
    match = _IMAGE_VERSION.search(image or "")
    return match[1] if match else None


def _platform_of(image: str | None) -> str:
    """Of the packages that fit a container on this machine; Alpine has a C library of its own."""
    machine = os.uname().machine
    libc = "musl" if "alpine" in (image or "") else "gnu"
    return f"{machine}-unknown-linux-{libc}"


def _checked(packages: list[str]) -> tuple[str, ...]:
    """Requirements are arguments of a program: none of them may be an option of it."""
    for package in packages:
        if package.strip().startswith("-"):
            raise TaskError(f"`{package}` is no requirement of a package")
    return tuple(package.strip() for package in packages if package.strip())


def _pip_texts(texts: Texts) -> str:
    """Commands that install packages get an environment that only runs with the same commands share."""
    return "\n".join(text for text in [*texts.before, *texts.commands] if _PIP.search(text))
