"""Server commands in their plain form, read without the command-line library.

Its import takes as long as all else until the first answer of a server. Whatever is not exactly `--name value` with
known names and good values is left to the library, which also explains mistakes and gives help.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_COMMANDS = (["server", "local"], ["server", "standalone"])
OPTIONS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "--port": ("port", int),
    "--host": ("host", str),
    "--data": ("data", Path),
    "--config": ("config", Path),
    "-c": ("config", Path),
    "--log-level": ("log_level", str),
    "-l": ("log_level", str),
    "--worker-group": ("worker_group", lambda text: (text,)),
    "-g": ("worker_group", lambda text: (text,)),
}


def is_plain_server(arguments: list[str]) -> bool:
    if arguments[:2] not in _COMMANDS:
        return False
    try:
        server_options(arguments[2:])
    except ValueError:
        return False
    return True


def server_options(arguments: list[str]) -> dict[str, Any]:
    """Values by parameter. Raises `ValueError` for anything unusual."""
    if len(arguments) % 2:
        raise ValueError("an option without its value")
    found: dict[str, Any] = {}
    for name, text in zip(arguments[::2], arguments[1::2], strict=True):
        parameter, convert = OPTIONS.get(name, ("", str))
        if not parameter or parameter in found or text.startswith("-"):
            raise ValueError(f"{name} {text}")
        found[parameter] = convert(text)
    return found
