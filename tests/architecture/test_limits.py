"""Nothing grows beyond its size, unless exceptions.toml says why."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.limits import Size, oversized
from tests.paths import ROOT

FOLDERS = ("src/batuta", "tests", "bench")
EXCEPTIONS: Mapping[str, list[dict[str, Any]]] = tomllib.loads(
    (ROOT / "tests/architecture/exceptions.toml").read_text(encoding="utf-8")
)
MEASURES = {"module": "lines", "class": "lines", "methods": "count", "package": "modules"}


def allowed(size: Size) -> int:
    for entry in EXCEPTIONS.get(size.kind, []):
        if entry["path"] == size.path:
            return int(entry[MEASURES[size.kind]])
    return size.limit


def test_nothing_is_larger_than_its_limit() -> None:
    found = [size for size in oversized(ROOT, FOLDERS) if size.measured > allowed(size)]
    assert not found, "\n" + "\n".join(
        f"{size.path}: {size.kind} of {size.measured}, limit {allowed(size)}" for size in found
    )


def test_every_exception_is_needed_and_has_a_reason() -> None:
    assert set(EXCEPTIONS) <= set(MEASURES)
    over = {(size.kind, size.path): size.measured for size in oversized(ROOT, FOLDERS)}
    for kind, entries in EXCEPTIONS.items():
        for entry in entries:
            assert len(entry["reason"]) > 20, f"{entry['path']}: say why"
            assert (kind, entry["path"]) in over, f"{entry['path']}: no longer over the limit"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n" + "    x = 1\n" * 79, []),
        ("def f():\n" + "    x = 1\n" * 80, ["function"]),
        ('def f():\n    """One\n    two.\n    """\n' + "    x = 1\n" * 79, []),
        ("class A:\n" + "    x = 1\n" * 300, ["class"]),
        ("class A:\n" + "".join(f"    def m{n}(self): ...\n" for n in range(21)), ["methods"]),
        ("class A:\n" + "".join(f"    def _m{n}(self): ...\n" for n in range(21)), []),
        ("class A(Protocol):\n" + "".join(f"    def m{n}(self): ...\n" for n in range(21)), []),
        ("x = 1\n" * 601, ["module"]),
    ],
)
def test_sizes_are_measured(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text(text)
    assert [size.kind for size in oversized(tmp_path, ("src",))] == expected


def test_a_package_of_too_many_modules_is_found(tmp_path: Path) -> None:
    for number in range(21):
        (tmp_path / f"m{number}.py").write_text("")
    (tmp_path / "__init__.py").write_text("")
    assert [size.kind for size in oversized(tmp_path, (".",))] == ["package"]
