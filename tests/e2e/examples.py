"""Flows that other people wrote, read from beside the repository and pointed at our own hosts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import SHARED

ZOOMCAMP = SHARED / "examples/zoomcamp"
MISSION = SHARED / "mission"
FENCE = re.compile(r"^```ya?ml\n(.*?)^```", re.DOTALL | re.MULTILINE)
WEB_HOSTS = (
    "https://dummyjson.com",
    "https://hub.docker.com",
    "https://github.com",
    "https://example.com",
)
DATABASE_HOST = "pgdatabase:5432"


def zoomcamp(name: str) -> str:
    path = ZOOMCAMP / f"{name}.yaml"
    if not path.exists():
        pytest.skip("the example flows are not on this machine")
    return path.read_text(encoding="utf-8")


def at_home(source: str, *, hosts: str, database: str = DATABASE_HOST) -> str:
    """The flow with its hosts replaced, and nothing else."""
    for host in WEB_HOSTS:
        source = source.replace(host, hosts)
    return source.replace(DATABASE_HOST, database)


def mission_blocks() -> Iterator[tuple[str, str]]:
    """Every YAML block of the mission's texts, named after file and position."""
    for path in sorted(MISSION.glob("*.txt")):
        for number, match in enumerate(FENCE.finditer(_text(path)), 1):
            yield f"{path.stem[:3]}-{number}", match[1]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
