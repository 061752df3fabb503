"""From the properties of a script task to the command that its runner executes (06 §1.2)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batuta.model import codec
from batuta.sdk import PropertyError, RunContext
from batuta.sdk.staging import Render

_URI = re.compile(r"kestra://[A-Za-z0-9\-._~+#=/]*")
DEFAULT_INTERPRETER = ("/bin/sh", "-c")


def render_list(raw: Any, render: Render, *, name: str) -> list[str]:
    """Texts of a list property (05 §1.3). Raises `PropertyError`."""
    value = _decoded(raw, render, name=name)
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise PropertyError(name, f"expected a list, got `{value}`")
    return [_text(item) for item in value if item is not None]


def render_map(raw: Any, render: Render, *, name: str) -> dict[str, str]:
    """Texts of a map property (05 §1.4); entries that render to null are left out. Raises `PropertyError`."""
    value = _decoded(raw, render, name=name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise PropertyError(name, f"expected a map, got `{value}`")
    return {str(key): _text(item) for key, item in value.items() if item is not None}


def _decoded(raw: Any, render: Render, *, name: str) -> Any:
    if not isinstance(raw, str):
        return render(raw)
    text = raw.strip()
    is_single = text.startswith("{{") and text.endswith("}}")
    if is_single:
        text = render(text)
    if text is None or not text.strip():
        return None
    try:
        value = codec.decode(text)
    except ValueError as error:
        raise PropertyError(name, f"expected JSON, got `{text}`: {error}") from error
    return value if is_single else render(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else codec.encode_text(value)


def assemble(
    *,
    interpreter: Sequence[str],
    before: Sequence[str],
    commands: Sequence[str],
    fail_fast: bool,
    target_os: str = "LINUX",
) -> tuple[str, ...]:
    """One shell for all commands; without interpreter and `beforeCommands` the commands are the argument vector."""
    if not interpreter and not before:
        return tuple(commands)
    windows = target_os == "WINDOWS"
    lines = [*_strict_mode(interpreter, fail_fast=fail_fast, windows=windows), *before, *commands]
    return (*interpreter, ("\r\n" if windows else "\n").join(lines))


def _strict_mode(interpreter: Sequence[str], *, fail_fast: bool, windows: bool) -> list[str]:
    if not fail_fast:
        return []
    if interpreter and Path(interpreter[0]).name in {"pwsh", "powershell"}:
        return ["$ErrorActionPreference = 'Stop'"]
    return [""] if windows else ["set -e"]


async def localize(texts: Sequence[str], ctx: RunContext) -> list[str]:
    """The texts with every file of internal storage replaced by the path of a copy in the working directory."""
    return [await _localized(text, ctx) for text in texts]


async def _localized(text: str, ctx: RunContext) -> str:
    if "kestra://" not in text:
        return text
    result, end = [], 0
    for match in _URI.finditer(text):
        suffix = Path(match[0]).suffix
        target = ctx.workdir / f"{ctx.token()}{suffix}"
        await ctx.files.fetch(match[0], target)
        result += [text[end : match.start()], str(target)]
        end = match.end()
    return "".join([*result, text[end:]])
