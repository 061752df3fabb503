"""The plugin of the guide as a distribution of its own: built, installed, and run by the command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
PROGRAMS = Path(sys.executable).parent


def ran(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(120)
def test_the_plugin_of_the_guide_is_installed_and_runs(tmp_path: Path) -> None:
    guide = (ROOT / "docs/guide/write-a-plugin.md").read_text(encoding="utf-8")
    for name, text in BLOCK.findall(guide):
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    site = tmp_path / "site"
    uv = PROGRAMS / "uv"
    ran(uv, "pip", "install", "--quiet", "--no-deps", "--target", site, tmp_path / "project")
    said = ran(
        PROGRAMS / "batuta",
        "run",
        tmp_path / "project" / "flow.yaml",
        "--inputs",
        "name=Zoe",
        PYTHONPATH=str(site),
    )
    assert "Hello, Zoe! Hello, Zoe!" in said
    assert "SUCCESS" in said
