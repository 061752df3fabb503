"""`core.storage.Concat` and `core.storage.Reverse`."""

import asyncio
import codecs
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.model import codec
from batuta.plugins.core.storage.source import (
    check_internal,
    dotted,
    extension_of,
    local_copy,
    reversed_lines,
)
from batuta.plugins.core.storage.write import UriOutput
from batuta.sdk import Property, PropertyError, RunContext, Task, TaskError

_ONE_BYTE_ENDS = frozenset(
    {"utf-8", "ascii", "cp1252", "cp437", "big5", "gbk", "shift_jis", "euc_jp", "euc_kr"}
)


class Concat(
    Task,
    type="io.kestra.plugin.core.storage.Concat",
    aliases=("io.kestra.core.tasks.storages.Concat",),
):
    """Join files.

    # What it does
    Appends the files in order, and the separator after each of them, the last one included.

    # Example
    ```yaml
    - id: all
      type: io.kestra.plugin.core.storage.Concat
      files:
        - "{{ outputs.first.uri }}"
        - "{{ outputs.second.uri }}"
      separator: "\\n"
      extension: .csv
    ```

    # Outputs
    `uri`: the joined file.
    """

    files: Property[Any] = Field(
        description="Files of internal storage: a list, or a JSON array as text."
    )
    separator: Property[str] | None = Field(
        default=None, description="What stands behind each file."
    )
    extension: Property[str] = Field(default=".tmp", description="The extension of the result.")

    @override
    async def run(self, ctx: RunContext) -> UriOutput:
        uris = _uris(self.files)
        return UriOutput(
            uri=await ctx.files.put(self._content(uris, ctx), suffix=dotted(self.extension))
        )

    async def _content(self, uris: list[str], ctx: RunContext) -> AsyncIterator[bytes]:
        for uri in uris:
            check_internal(uri)
            try:
                async for chunk in ctx.files.open(uri):
                    yield chunk
            except FileNotFoundError as error:
                raise TaskError(f"Unable to find file '{uri}'") from error
            if self.separator:
                yield self.separator.encode()


def _uris(files: Any) -> list[str]:
    if isinstance(files, str):
        try:
            files = codec.decode(files)
        except ValueError as error:
            raise PropertyError("files", f"expected a list or a JSON array: {error}") from error
    if not isinstance(files, list):
        raise TaskError(f"Invalid files properties with type '{type(files).__name__}'")
    return [str(uri) for uri in files]


class Reverse(
    Task,
    type="io.kestra.plugin.core.storage.Reverse",
    aliases=("io.kestra.core.tasks.storages.Reverse",),
):
    """Turn the lines of a file around.

    # What it does
    Writes the lines last to first; the extension stays.

    # Example
    ```yaml
    - id: newest_first
      type: io.kestra.plugin.core.storage.Reverse
      from: "{{ outputs.log.uri }}"
    ```

    # Outputs
    `uri`: the new file.
    """

    from_: Property[str] = Field(alias="from", description="A file of internal storage.")
    separator: Property[str] = Field(default="\n", description="What stands behind each line.")
    charset: Property[str] = Field(default="UTF-8", description="The encoding of the file.")

    @override
    async def run(self, ctx: RunContext) -> UriOutput:
        try:
            encoding = codecs.lookup(self.charset).name
        except LookupError as error:
            raise PropertyError("charset", str(error)) from error
        source = await local_copy(self.from_, ctx)
        target = ctx.workdir / ctx.token()
        await asyncio.to_thread(
            _reverse, source, target, encoding=encoding, separator=self.separator
        )
        return UriOutput(uri=await ctx.files.put(target, suffix=extension_of(self.from_)))


def _reverse(source: Path, target: Path, *, encoding: str, separator: str) -> None:
    end = separator.encode(encoding)
    with target.open("wb") as out:
        if encoding in _ONE_BYTE_ENDS or encoding.startswith(("iso8859", "cp125")):
            for line in reversed_lines(source):
                out.write(line + end)
        else:
            for text in reversed(source.read_text(encoding).splitlines()):
                out.write(text.encode(encoding) + end)
