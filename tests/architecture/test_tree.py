"""The files of the repository: nothing of one machine, nothing unfinished, nothing large."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT, SHARED

TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".sql",
    ".json",
    ".txt",
    ".cfg",
    ".ini",
    ".ts",
    ".tsx",
}
NAMED = {"Makefile", "run", ".gitignore", ".importlinter", "LICENSE"}
LARGEST_BYTES = 1_000_000
LOCKED = {"uv.lock"}

MACHINE_PATHS = re.compile(
    r"(?<![\w.}/-])(?:" + "|".join(map(re.escape, (str(ROOT), str(SHARED.resolve())))) + r")\b"
    r"|(?<![\w.}/-])/(?:home/\w+|Users/\w+|root)/[\w.]"
)
"""The folders of this machine, and home folders; examples live below /srv, /opt, /app or /tmp."""

PRIVATE_HOSTS = re.compile(
    r"\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b|\b[\w-]+\.(?:corp|lan)\b"
)

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|raise NotImplementedError)\b")
BANNED_MODULES = re.compile(r"(?:^|_)(?:utils?|helpers?|common|misc|managers?|base2|data|info)$")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split("\0")
    files = [ROOT / name for name in listed if name] or [
        path for folder in ("src", "tests", "docs", "bench") for path in (ROOT / folder).rglob("*")
    ]
    return [path for path in files if path.is_file()]


FILES = tracked()


def is_text(path: Path) -> bool:
    return (path.suffix in TEXT or path.name in NAMED) and path.name not in LOCKED


TEXTS = [
    (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    for path in FILES
    if is_text(path)
]


def matches(pattern: re.Pattern[str], *, below: str = "") -> list[str]:
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in TEXTS
        if name.startswith(below) and name != "tests/architecture/test_tree.py"
        for match in pattern.finditer(text)
    ]


def test_there_are_files_to_look_at() -> None:
    assert len(TEXTS) > 50


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not matches(MACHINE_PATHS)


def test_no_file_names_a_private_host() -> None:
    assert not matches(PRIVATE_HOSTS, below="src")


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "docs"])
def test_nothing_is_left_unfinished(folder: str) -> None:
    found = matches(UNFINISHED, below=folder)
    assert not [hit for hit in found if "_generated/" not in hit]


def test_modules_are_named_after_what_they_own() -> None:
    names = [path.relative_to(ROOT) for path in FILES if path.suffix == ".py"]
    assert not [str(path) for path in names if BANNED_MODULES.search(path.stem)]


def test_no_file_is_large() -> None:
    large = [path for path in FILES if path.stat().st_size > LARGEST_BYTES]
    assert not [str(path) for path in large if path.name not in LOCKED]


def test_continuous_integration_runs_what_people_run() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith(("#", "set "))] == ["make test"]


def test_recorded_cases_of_others_are_not_copied() -> None:
    names = [path.name for path in FILES if "conformance" in path.parts]
    assert not [name for name in names if name.startswith("kestra-")]
