"""What the core needs, from the metadata that was built, and what importing it costs."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata, requires

import pytest

CORE_LIMIT = 24
LICENCES = re.compile(r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla)\b|0BSD")
HEAVY = (
    "pydantic",
    "sqlalchemy",
    "starlette",
    "babel",
    "yaml",
    "structlog",
    "rich",
    "cryptography",
)


def core_dependencies() -> list[str]:
    names = []
    for requirement in requires("batuta") or []:
        if "extra ==" not in requirement:
            match = re.match(r"[A-Za-z0-9._-]+", requirement)
            assert match is not None
            names.append(match[0])
    return names


def test_the_core_has_few_dependencies() -> None:
    assert 0 < len(core_dependencies()) <= CORE_LIMIT, core_dependencies()


def test_dependencies_have_an_allowed_licence() -> None:
    refused = {}
    for name in core_dependencies():
        try:
            about = metadata(name)
        except PackageNotFoundError:  # another platform's dependency
            continue
        words = " ".join(
            [about.get("License-Expression") or "", (about.get("License") or "")[:200]]
            + [line for line in about.get_all("Classifier") or [] if line.startswith("License")]
        )
        if not LICENCES.search(words):
            refused[name] = words.strip() or "none stated"
    assert not refused


@pytest.mark.parametrize("module", ["batuta", "batuta.model.codec"])
def test_importing_the_root_loads_nothing_heavy(module: str) -> None:
    program = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not set(HEAVY) & set(loaded)
