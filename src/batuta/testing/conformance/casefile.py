"""Files of recorded cases, read with PyYAML itself: our own reader is among the things that are judged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml


def load(path: Path) -> Any:
    """The plain data of one case file. Raises `ValueError` naming the file when it is no YAML."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse(text: str) -> Any:
    """The plain data of a text. Raises `ValueError` when it is no YAML."""
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def load_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a file that holds a list of them. Raises `ValueError` for any other shape."""
    cases = load(path)
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise ValueError(f"{path}: expected a list of cases")
    return cases


def expand(paths: list[Path]) -> Iterator[Path]:
    """Files as they are; of a folder, every YAML file in it, by name. Raises `FileNotFoundError`."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob("*.yaml"))
        elif path.is_file():
            yield path
        else:
            raise FileNotFoundError(f"{path} does not exist")
