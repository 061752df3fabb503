"""Dependencies and environments of Python scripts, with wheels from a local folder (06 §3)."""

from pathlib import Path
from typing import Any

import pytest

from batuta.model.state import State
from batuta.plugins.script.choice import FALLBACK
from batuta.plugins.script.python_environment import find_uv
from batuta.server.protocol import JobFinished
from tests.plugins.wheel import make_wheel
from tests.unit.server.worker.kit import PROCESS, Bench

PYTHON = "io.kestra.plugin.scripts.python"
SHELL = "io.kestra.plugin.scripts.shell"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of our own: nothing else can be installed."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "batuta_example", "1.0")
    make_wheel(folder, "batuta_example", "2.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-docker.sock")
    return folder


@pytest.fixture
def bench(tmp_path: Path, wheels: Path) -> Bench:
    return Bench(tmp_path, settings={FALLBACK: True})


async def script(bench: Bench, source: str, **spec: Any) -> JobFinished:
    return await bench.run({"type": f"{PYTHON}.Script", "script": source, **spec})


PRINT_VERSION = "import batuta_example; print(batuta_example.VERSION)"
needs_uv = pytest.mark.skipif(find_uv() is None, reason="uv is not installed")


@needs_uv
async def test_dependencies_are_installed_once_for_each_list(bench: Bench) -> None:
    for packages in (["batuta-example"], ["batuta-example"], ["batuta-example<2"]):
        finished = await script(bench, PRINT_VERSION, taskRunner=PROCESS, dependencies=packages)
        assert finished.state is State.SUCCESS, finished.error
    assert bench.gateway.messages("INFO") == ["2.0", "2.0", "1.0"]
    names = [line.name for line in bench.gateway.measures]
    assert names == [
        "deps.cache.upload.duration",
        "deps.cache.download.duration",
        "deps.cache.upload.duration",
    ]


async def test_pip_installs_too(bench: Bench) -> None:
    finished = await script(
        bench,
        PRINT_VERSION,
        taskRunner=PROCESS,
        dependencies=["batuta-example"],
        packageManager="PIP",
    )
    assert finished.state is State.SUCCESS, finished.error


@needs_uv
async def test_without_the_cache_nothing_is_kept(bench: Bench) -> None:
    finished = await script(
        bench,
        PRINT_VERSION,
        taskRunner=PROCESS,
        dependencies=["batuta-example"],
        dependencyCacheEnabled=False,
    )
    assert finished.state is State.SUCCESS, finished.error
    assert bench.gateway.measures == []
    assert not (bench.place.cache_dir / "python").exists()


@needs_uv
async def test_a_package_that_does_not_exist_is_named(bench: Bench) -> None:
    finished = await script(bench, "pass", taskRunner=PROCESS, dependencies=["no-such-package-xyz"])
    assert finished.state is State.FAILED
    assert "The dependencies no-such-package-xyz cannot be installed" in str(finished.error)


@needs_uv
async def test_the_authors_own_path_of_modules_is_kept(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.py").write_text("X = 'own'")
    finished = await script(
        bench,
        "import own; print(own.X)\n" + PRINT_VERSION,
        taskRunner=PROCESS,
        env={"PYTHONPATH": str(tmp_path / "mine"), "PYTHONUNBUFFERED": ""},
        dependencies=["batuta-example"],
    )
    assert finished.state is State.SUCCESS, finished.error
    assert bench.gateway.messages("INFO") == ["own", "2.0"]


async def test_an_option_is_no_package(bench: Bench) -> None:
    finished = await script(
        bench, "pass", taskRunner=PROCESS, dependencies=["--index-url=http://evil"]
    )
    assert finished.error == "`--index-url=http://evil` is no requirement of a package"


@needs_uv
async def test_without_a_daemon_a_container_task_runs_in_a_private_environment(
    bench: Bench,
) -> None:
    source = "import sys\nprint(sys.prefix != sys.base_prefix)\n" + PRINT_VERSION
    finished = await script(
        bench,
        source,
        containerImage="python:3.11-alpine",
        taskRunner={"type": "io.kestra.plugin.scripts.runner.docker.Docker"},
        dependencies=["batuta-example"],
    )
    assert finished.state is State.SUCCESS, finished.error
    assert bench.gateway.messages("INFO") == ["True", "2.0"]
    (warning,) = bench.gateway.messages("WARN")
    assert "no-docker.sock" in warning
    assert FALLBACK in warning


@needs_uv
@pytest.mark.slow
async def test_commands_that_install_packages_do_so_in_an_environment_of_their_own(
    bench: Bench,
) -> None:
    commands = {"type": f"{PYTHON}.Commands", "commands": ["python -c '" + PRINT_VERSION + "'"]}
    finished = await bench.run({**commands, "beforeCommands": ["pip install -q batuta-example"]})
    assert finished.state is State.SUCCESS, finished.error
    finished = await bench.run(commands)
    assert finished.state is State.FAILED
    assert "ModuleNotFoundError: No module named 'batuta_example'" in bench.gateway.messages(
        "ERROR"
    )


@pytest.mark.parametrize("legacy", [{}, {"docker": {"image": "alpine"}}, {"runner": "DOCKER"}])
async def test_any_container_task_falls_back_with_one_warning(
    bench: Bench, legacy: dict[str, Any]
) -> None:
    finished = await bench.run({"type": f"{SHELL}.Commands", "commands": ["echo here"], **legacy})
    assert finished.state is State.SUCCESS
    assert bench.gateway.messages("INFO") == ["here"]
    assert len(bench.gateway.messages("WARN")) == 1


async def test_where_the_fallback_is_off_the_error_says_what_can_be_done(
    tmp_path: Path, wheels: Path
) -> None:
    bench = Bench(tmp_path)
    finished = await bench.run({"type": f"{SHELL}.Commands", "commands": ["echo here"]})
    assert finished.state is State.FAILED
    for part in ("no-docker.sock", FALLBACK, "io.kestra.plugin.core.runner.Process"):
        assert part in str(finished.error)


async def test_a_version_that_is_none_is_refused(bench: Bench) -> None:
    finished = await script(bench, "pass", taskRunner=PROCESS, pythonVersion="; rm -rf /")
    assert finished.error == "`; rm -rf /` is no version of Python such as 3.12"
