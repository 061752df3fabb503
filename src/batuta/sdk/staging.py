"""Files put into and taken out of a working directory: `namespaceFiles`, `inputFiles`, `outputFiles` (05 §6)."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from batuta.model import codec
from batuta.model.instant import SECOND, Micros
from batuta.sdk.context import RunContext
from batuta.sdk.errors import TaskError
from batuta.sdk.files import NamespaceFiles
from batuta.sdk.glob import matches, selected

FILE_SCHEMES = ("kestra://", "file://", "nsfile://")
_CHUNK = 256 * 1024

Render = Callable[[Any], Any]


def inside(directory: Path, name: str) -> Path:
    """The path of `name` below `directory`. Raises `ValueError` when it leads out of it (05 §6.1)."""
    root = directory.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or path == root:
        raise ValueError(f"The path `{name}` is not inside the working directory")
    return path


async def load_namespace_files(option: NamespaceFiles, ctx: RunContext) -> int:
    """Load the files of a rendered `namespaceFiles`; the number of files."""
    if not option.enabled:
        return 0
    begin = ctx.now()
    namespaces = [str(ctx.render(name)) for name in option.namespaces]
    count = 0
    for namespace in namespaces:
        folder = ctx.workdir / namespace if option.folder_per_namespace else ctx.workdir
        for path in await ctx.namespace_files.list(namespace):
            if not selected(path, include=option.include, exclude=option.exclude):
                continue
            target = inside(folder, path.lstrip("/"))
            if _may_write(target, path, option=option, ctx=ctx):
                content = await ctx.namespace_files.read(namespace, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                count += 1
    took = ctx.now() - begin
    ctx.metrics.counter("namespacefiles.count", count)
    ctx.metrics.timer("namespacefiles.duration", took / SECOND)
    text = f"Loaded {count} namespace files from '{', '.join(namespaces)}' in {clock_text(took)}"
    ctx.log.write("INFO", text)
    return count


def _may_write(target: Path, path: str, *, option: NamespaceFiles, ctx: RunContext) -> bool:
    if option.if_exists == "OVERWRITE" or not target.exists():
        return True
    if option.if_exists == "FAIL":
        raise TaskError(f"The file `{path}` already exists in the working directory")
    if option.if_exists == "WARN":
        text = f"The file `{path}` already exists in the working directory, it is kept"
        ctx.log.write("WARN", text)
    return False


async def write_input_files(files: Any, ctx: RunContext, *, render: Render) -> list[str]:
    """Write `inputFiles` (05 §6.3): a map, or a text that renders to one. Returns the names.

    Raises `ValueError` for anything else and for a name that leads out of the working directory.
    """
    written = []
    for name, content in _entries(files, render):
        target = inside(ctx.workdir, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            target.touch(exist_ok=False)
        elif content.startswith(FILE_SCHEMES):
            await ctx.files.fetch(content, target)
        else:
            target.write_text(content, encoding="utf-8", newline="")
        written.append(name)
    return written


def _entries(files: Any, render: Render) -> Iterable[tuple[str, str | None]]:
    """Nulls of a map are left out, those of a JSON text are empty files."""
    if files is None:
        return []
    if isinstance(files, str):
        rendered = render(files)
        try:
            values = codec.decode(rendered or "{}")
        except ValueError as error:
            raise ValueError(f"Invalid files properties, expected a JSON map: {error}") from error
        if isinstance(values, Mapping):
            return [(key, None if item is None else _text(item)) for key, item in values.items()]
        raise ValueError(f"Invalid files properties with type {type(values).__name__}")
    if not isinstance(files, Mapping):
        raise ValueError(f"Invalid files properties with type {type(files).__name__}")  # noqa: TRY004
    found = [(render(str(key)), render(item)) for key, item in files.items() if item is not None]
    return [(str(key), _text(item)) for key, item in found if item is not None]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else codec.encode_text(value)


async def capture_output_files(patterns: Iterable[str] | None, ctx: RunContext) -> dict[str, str]:
    """Store the files that fit and return their URIs by relative path; they leave the directory (05 §6.4)."""
    wanted = list(patterns or ())
    if not wanted:
        return {}
    root = ctx.workdir.resolve()
    found = [path for path in regular_files(root) if any(matches(each, path) for each in wanted)]
    links_first = sorted(found, key=lambda path: not (root / path).is_symlink())
    stored = {path: await store_file(root, path, ctx) for path in links_first}
    return {path: stored[path] for path in found}


def regular_files(root: Path) -> list[str]:
    """Relative paths of all files below, in order. A link is followed to a file, unless that is outside."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            real = path.resolve() if path.is_symlink() else path
            if real.is_file() and real.is_relative_to(root):
                found.append(path.relative_to(root).as_posix())
    return sorted(found)


async def store_file(root: Path, relative: str, ctx: RunContext) -> str:
    """Store one file of the working directory under a name that differs for each path."""
    path = root / relative
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:20]
    name = f"{digest}-{quote(path.name, safe='')}"
    if path.is_symlink():
        uri = await ctx.files.put(_chunks(path), name=name)
        path.unlink()
        return uri
    return await ctx.files.put(path, name=name)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def clock_text(micros: Micros) -> str:
    """`HH:MM:SS.mmm`."""
    seconds, rest = divmod(micros, SECOND)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}.{rest // 1000:03d}"
