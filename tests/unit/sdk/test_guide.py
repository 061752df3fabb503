"""The plugin of the guide is installed and run as the guide says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batuta.flow.read import read_flow
from batuta.sdk import Registry
from batuta.sdk.schema import document
from batuta.testing.context import fake_context, run_task
from tests.paths import ROOT

_BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The files of the guide by name; its package can be imported, as after an installation."""
    guide = (ROOT / "docs/guide/write-a-plugin.md").read_text()
    # Code blocks inside docstrings are indented, so only those of the page begin a line.
    files: dict[str, str] = dict(_BLOCK.findall(guide))
    site = tmp_path / "site"
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    info = site / "acme_batuta_greet-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-batuta-greet\nVersion: 1.0.0\n"
    )
    (info / "entry_points.txt").write_text("[batuta.plugins]\nacme-greet = acme_greet\n")
    monkeypatch.syspath_prepend(str(site))
    yield files
    for name in [name for name in sys.modules if name.startswith("acme_greet")]:
        del sys.modules[name]


def test_the_flow_of_the_guide_is_valid(installed: dict[str, str]) -> None:
    reading = read_flow(installed["flow.yaml"], Registry.installed())
    assert reading.problems == ()
    wrong = read_flow(installed["flow.yaml"].replace("times", "time"), Registry.installed())
    assert wrong.errors[0].suggestion == "did you mean `times`?"


async def test_the_task_of_the_guide_runs(installed: dict[str, str], tmp_path: Path) -> None:
    assert installed
    registry = Registry.installed()
    ctx = fake_context(tmp_path, variables={"inputs": {"name": "Ana"}})
    spec = {
        "id": "greet",
        "type": "com.acme.Hello",
        "name": "{{ inputs.name }}",
        "times": "2",
        "letter": True,
    }
    output = await run_task(spec, ctx, registry=registry)
    assert output.greeting == "Hello, Ana! Hello, Ana!"
    assert await ctx.files.read(output.letter_uri) == b"Hello, Ana! Hello, Ana!"


def test_the_task_of_the_guide_is_documented(installed: dict[str, str]) -> None:
    assert installed
    page = document("com.acme.greet.Hello", Registry.installed().facts("com.acme.greet.Hello"))
    assert page["properties"]["title"] == "Greet somebody."
    assert page["properties"]["properties"]["tone"]["default"] == "FRIENDLY"


def test_the_test_of_the_guide_passes(installed: dict[str, str], tmp_path: Path) -> None:
    assert "test_hello.py" in installed
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "asyncio_mode=auto",
            ".",
        ],
        cwd=tmp_path / "site",
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
