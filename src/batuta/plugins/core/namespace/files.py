"""`core.namespace.UploadFiles`, `DownloadFiles` and `DeleteFiles`."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from pydantic import Field
from typing_extensions import override

from batuta.model import codec
from batuta.plugins.core.level import Level
from batuta.plugins.core.storage.source import check_internal, is_internal
from batuta.sdk import Output, Placement, Property, PropertyError, RunContext, Task, TaskError
from batuta.sdk.glob import matches, selected


class Conflict(StrEnum):
    OVERWRITE = "OVERWRITE"
    ERROR = "ERROR"
    SKIP = "SKIP"


class FilesOutput(Output, frozen=True, kw_only=True):
    files: dict[str, str]


class UploadFiles(Task, type="io.kestra.plugin.core.namespace.UploadFiles"):
    """Put files into a namespace.

    # What it does
    Takes files of the working directory (inside a WorkingDirectory task) by patterns, or files of internal storage by
    name, and stores them as namespace files.

    # Example
    ```yaml
    - id: publish
      type: io.kestra.plugin.core.namespace.UploadFiles
      namespace: "{{ flow.namespace }}"
      destination: reports/
      filesMap:
        daily.csv: "{{ outputs.report.uri }}"
    ```

    # Outputs
    None.

    # Notes
    Names of `filesMap` are appended to `destination`: end it with `/`. A URI without file is passed over.
    """

    namespace: Property[str] = Field(description="The namespace.")
    files: Property[list[str]] = Field(
        default=[],
        description="Patterns for files of the working directory, or URIs of internal storage.",
    )
    files_map: Property[Any] = Field(
        default=None,
        description="Names in the namespace and URIs of internal storage: a map, or JSON text.",
    )
    destination: Property[str] = Field(default="/", description="The folder to put them in.")
    conflict: Property[Conflict] = Field(
        default=Conflict.OVERWRITE, description="What happens to files that exist."
    )

    @override
    async def run(self, ctx: RunContext) -> None:
        if not self.files and self.files_map is None:
            raise TaskError("files or filesMap is required")
        existing = set(await ctx.namespace_files.list(self.namespace))
        for uri in self.files:
            if is_internal(uri):
                name = str(PurePosixPath(self.destination, PurePosixPath(uri).name))
                await self._copy(uri, name, existing=existing, ctx=ctx)
        patterns = [pattern for pattern in self.files if not is_internal(pattern)]
        if patterns:
            for path in await asyncio.to_thread(_matching, ctx.workdir, patterns):
                name = str(
                    PurePosixPath(self.destination, path.relative_to(ctx.workdir).as_posix())
                )
                content = await asyncio.to_thread(path.read_bytes)
                await self._store(name, content, existing=existing, ctx=ctx)
        for name, uri in _files_map(self.files_map).items():
            check_internal(uri)
            await self._copy(uri, self.destination + name, existing=existing, ctx=ctx)

    async def _copy(self, uri: str, name: str, *, existing: set[str], ctx: RunContext) -> None:
        """05 §12.1: a URI without file is passed over."""
        if await ctx.files.exists(uri):
            await self._store(name, await ctx.files.read(uri), existing=existing, ctx=ctx)

    async def _store(
        self, name: str, content: bytes, *, existing: set[str], ctx: RunContext
    ) -> None:
        path = relative(name)
        if path in existing:
            match self.conflict:
                case Conflict.ERROR:
                    raise TaskError(
                        f"File '{path}' already exists in namespace '{self.namespace}' and conflict is set to ERROR"
                    )
                case Conflict.SKIP:
                    ctx.log.write(Level.DEBUG, f"File {path} exists and is skipped")
                    return
                case Conflict.OVERWRITE:
                    ctx.log.write(Level.DEBUG, f"File {path} is replaced")
        await ctx.namespace_files.write(self.namespace, path, content)


def relative(name: str) -> str:
    """A path without a leading slash. Raises `PropertyError` for one that leaves the namespace."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or not parts:
        raise PropertyError("files", f"`{name}` is no path inside a namespace")
    return "/".join(parts)


def _matching(folder: Path, patterns: list[str]) -> list[Path]:
    """Files below the folder, never through a link."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and any(matches(pattern, path.relative_to(folder).as_posix()) for pattern in patterns)
    )


def _files_map(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = codec.decode(value)
        except ValueError as error:
            raise PropertyError("filesMap", f"expected a map or JSON text: {error}") from error
    if not isinstance(value, Mapping) or not all(isinstance(uri, str) for uri in value.values()):
        raise PropertyError("filesMap", "expected a map of names and URIs")
    return dict(value)


def _patterns(value: Any) -> list[str]:
    """`files`: one pattern, a list of them, or a JSON array as text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = codec.decode(value)
        except ValueError as error:
            raise PropertyError("files", f"no JSON array: {error}") from error
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise PropertyError("files", "expected a pattern or a list of patterns")


async def _selected(namespace: str, files: Any, ctx: RunContext) -> list[str]:
    patterns = _patterns(files)
    try:
        return [
            path
            for path in await ctx.namespace_files.list(namespace)
            if selected(path, include=patterns)
        ]
    except ValueError as error:
        raise PropertyError("files", str(error)) from error


class DownloadFiles(
    Task, type="io.kestra.plugin.core.namespace.DownloadFiles", placement=Placement.SERVER
):
    """Copy files of a namespace into the execution.

    # What it does
    Copies all namespace files that fit a pattern into internal storage of the execution.

    # Example
    ```yaml
    - id: queries
      type: io.kestra.plugin.core.namespace.DownloadFiles
      namespace: "{{ flow.namespace }}"
      files:
        - "**.sql"
    ```

    # Outputs
    `files`: path with a leading slash → URI.

    # Notes
    A pattern that starts with a word fits at any depth; `*.sql` fits nothing: write `**.sql`. Metric: counter
    `downloaded`.
    """

    namespace: Property[str] = Field(description="The namespace.")
    files: Property[Any] = Field(description="A pattern, or a list of patterns.")
    destination: Property[str] = Field(
        default="", description="Put before the name of the stored file."
    )

    @override
    async def run(self, ctx: RunContext) -> FilesOutput:
        found: dict[str, str] = {}
        for path in await _selected(self.namespace, self.files, ctx):
            content = await ctx.namespace_files.read(self.namespace, path)
            name = relative(f"{self.destination}{path}")
            found[f"/{path}"] = await ctx.files.put(content, name=quote(name, safe="/"))
        ctx.metrics.counter("downloaded", len(found))
        return FilesOutput(files=found)


class DeleteFiles(
    Task, type="io.kestra.plugin.core.namespace.DeleteFiles", placement=Placement.SERVER
):
    """Delete files of a namespace.

    # What it does
    Deletes all namespace files that fit a pattern.

    # Example
    ```yaml
    - id: clean
      type: io.kestra.plugin.core.namespace.DeleteFiles
      namespace: "{{ flow.namespace }}"
      files: "tmp/**"
      deleteParentFolder: true
    ```

    # Outputs
    None.

    # Notes
    Metric: counter `deleted`.
    """

    namespace: Property[str] = Field(description="The namespace.")
    files: Property[Any] = Field(description="A pattern, or a list of patterns.")
    delete_parent_folder: Property[bool] = Field(
        default=False, description="Whether folders that become empty are deleted, too."
    )

    @override
    async def run(self, ctx: RunContext) -> None:
        paths = await _selected(self.namespace, self.files, ctx)
        for path in paths:
            await ctx.namespace_files.delete(self.namespace, path)
        if self.delete_parent_folder:
            await self._delete_empty(paths, ctx)
        ctx.metrics.counter("deleted", len(paths))

    async def _delete_empty(self, paths: list[str], ctx: RunContext) -> None:
        left = await ctx.namespace_files.list(self.namespace)
        folders = {
            str(folder) for path in paths for folder in PurePosixPath(path).parents if folder.name
        }
        for folder in sorted(folders, key=lambda each: -each.count("/")):
            if any(path.startswith(f"{folder}/") for path in left):
                continue
            try:
                await ctx.namespace_files.delete(self.namespace, folder)
            except OSError as error:
                ctx.log.write(Level.WARN, f"The folder {folder} could not be deleted: {error}")
