"""The tour of the README does what it says, command by command."""

import os
import re
import subprocess
from pathlib import Path

from tests.e2e.batuta_server import BATUTA, PASSWORD, USER, Server
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    match = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE
    )
    assert match is not None
    return match[1]


def blocks(text: str, language: str) -> list[str]:
    return [match[2] for match in BLOCK.finditer(text) if match[1] == language]


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        env={**os.environ, "ACCOUNT": f"{USER}:{PASSWORD}", "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_tour_works(server: Server, tmp_path: Path) -> None:
    tour = section("A tour in five minutes")
    (flow,) = blocks(tour, "yaml")
    (tmp_path / "hello.yaml").write_text(flow)
    account, alone, served = blocks(tour, "bash")
    assert account.startswith("export ACCOUNT=")
    alone = alone.replace(".venv/bin/batuta", str(BATUTA))
    served = served.replace("http://localhost:8080", server.url)
    printed = run(alone, tmp_path)
    assert "Hello, Ada! Good evening." in printed
    answer = run(served, tmp_path)
    assert '"SUCCESS"' in answer
    assert "Hello, Grace!" in answer


def test_the_commands_of_the_readme_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", section("Two commands"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_table_shows_every_figure_with_its_bounds() -> None:
    """The values are of the day of their measurement; who measures anew need not write them down."""
    from bench.__main__ import table
    from bench.figure import results

    def without_values(text: str) -> list[list[str]]:
        rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
        return [[row[1], *row[3:]] for row in rows]

    assert without_values(section("Figures")) == without_values(table(results()))
