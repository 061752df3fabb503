"""Script tasks in real containers. They need a daemon (DOCKER_HOST or the usual socket) and an image `python:3.11-slim`."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from batuta.model.instant import SECOND
from batuta.model.state import State
from batuta.plugins.script.docker_host import find_host
from batuta.server.protocol import JobFinished
from tests.plugins.wheel import make_wheel
from tests.unit.server.worker.kit import Bench, make_job

IMAGE = "python:3.11-slim"
DOCKER = "io.kestra.plugin.scripts.runner.docker.Docker"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
PYTHON = "io.kestra.plugin.scripts.python.Script"


def docker(*arguments: str) -> str:
    command = ["docker", "-H", find_host(None), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def missing() -> str | None:
    """Why containers cannot be tested here."""
    if shutil.which("docker") is None:
        return "the docker program is not installed"
    try:
        docker("image", "inspect", IMAGE)
    except subprocess.CalledProcessError as error:
        return f"no Docker daemon with the image {IMAGE}: {error.stderr.strip().splitlines()[-1]}"
    return None


REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def run(bench: Bench, runner: dict[str, Any], **spec: Any) -> JobFinished:
    changes = {name: spec.pop(name) for name in ("variables", "timeout") if name in spec}
    return await bench.run(
        {"type": SHELL, "containerImage": IMAGE, "taskRunner": {"type": DOCKER, **runner}, **spec},
        **changes,
    )


def containers(**labels: str) -> list[str]:
    filters = [
        text
        for name, value in labels.items()
        for text in ("--filter", f"label=kestra.io/{name}={value}")
    ]
    return docker("ps", "-aq", *filters).split()


def volumes(task_run: str) -> list[str]:
    label = f"label=kestra.io/taskrun-id={task_run}"
    return docker("volume", "ls", "-q", "--filter", label).split()


@pytest.mark.parametrize("strategy", ["VOLUME", "MOUNT"])
async def test_files_go_in_and_come_out_at_the_same_path(bench: Bench, strategy: str) -> None:
    finished = await run(
        bench,
        {"fileHandlingStrategy": strategy},
        env={"WHO": "ann"},
        inputFiles={"d/in.txt": "from {{ flow.id }}\n"},
        outputFiles=["*.out", "deep/**"],
        commands=[
            'test "$(pwd)" = "{{ workingDir }}"',
            "cat d/in.txt; echo $WHO",
            "echo err >&2",
            "echo x > a.out; mkdir deep; echo y > deep/b.txt",
            """echo '::{"outputs":{"n":1}}::'""",
        ],
    )
    assert finished.state is State.SUCCESS, finished.error
    assert bench.gateway.messages("INFO") == ["from flow", "ann"]
    assert bench.gateway.messages("ERROR") == ["err"]
    assert finished.outputs is not None
    assert finished.outputs["vars"] == {"n": 1}
    assert sorted(finished.outputs["outputFiles"]) == ["a.out", "deep/b.txt"]
    assert await bench.read(finished.outputs["outputFiles"]["deep/b.txt"]) == "y\n"
    assert len(finished.outputs["taskRunner"]["containerId"]) == 64
    task_run = finished.job_id.split("/")[1]
    assert containers(**{"taskrun-id": task_run}) == []
    assert volumes(task_run) == []


async def test_another_user_can_write_and_a_failure_keeps_the_files(bench: Bench) -> None:
    finished = await run(
        bench,
        {"user": "1000:1000"},
        outputFiles=["*.txt"],
        commands=["id -u > id.txt", "exit 4"],
    )
    assert finished.error == "Command failed with exit code 4"
    assert finished.outputs is not None
    assert await bench.read(finished.outputs["outputFiles"]["id.txt"]) == "1000\n"


async def test_limits_hosts_and_network_reach_the_container(bench: Bench) -> None:
    finished = await run(
        bench,
        {
            "cpu": {"cpus": 0.5},
            "memory": {"memory": "64MB"},
            "extraHosts": ["example.test:10.1.2.3"],
            "networkMode": "none",
            "shmSize": "8MB",
        },
        commands=[
            "grep example.test /etc/hosts",
            "ls /sys/class/net",
            "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
        ],
    )
    assert finished.state is State.SUCCESS, finished.error
    hosts, net, memory = bench.gateway.messages("INFO")
    assert hosts.split() == ["10.1.2.3", "example.test"]
    assert (net, memory) == ("lo", str(64 * 1024**2))


async def test_a_python_script_runs_in_the_image(bench: Bench) -> None:
    finished = await bench.run(
        {"type": PYTHON, "containerImage": IMAGE, "script": "import sys; print(sys.executable)"}
    )
    assert finished.state is State.SUCCESS, finished.error
    assert bench.gateway.messages("INFO") == ["/usr/bin/python"]


@pytest.mark.parametrize("strategy", ["VOLUME", "MOUNT"])
async def test_dependencies_reach_the_container(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    make_wheel(tmp_path / "wheels", "batuta_example", "1.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    finished = await bench.run(
        {
            "type": PYTHON,
            "containerImage": IMAGE,
            "taskRunner": {"type": DOCKER, "fileHandlingStrategy": strategy},
            "dependencies": ["batuta-example"],
            "script": "import batuta_example; print(batuta_example.VERSION)",
        }
    )
    assert finished.state is State.SUCCESS, finished.error
    assert bench.gateway.messages("INFO") == ["1.0"]


async def test_the_older_docker_options_name_the_image(bench: Bench) -> None:
    finished = await bench.run(
        {
            "type": SHELL,
            "runner": "DOCKER",
            "docker": {"image": IMAGE},
            "commands": ["echo 1 > {{ outputDir }}/a.txt"],
        }
    )
    assert finished.outputs is not None, finished.error
    assert list(finished.outputs["outputFiles"]) == ["a.txt"]


async def test_an_image_that_cannot_be_had_is_named(bench: Bench) -> None:
    finished = await run(
        bench, {"pullPolicy": "NEVER"}, containerImage="no-such-image:1", commands=["true"]
    )
    assert finished.state is State.FAILED
    assert "no-such-image:1" in str(finished.error)


async def test_without_an_image_the_error_says_so(bench: Bench) -> None:
    finished = await run(bench, {}, containerImage="{{ '' }}", commands=["true"])
    assert finished.error == "This task runner needs the `containerImage` property to be set"


async def test_volumes_are_ignored_with_a_warning_unless_enabled(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    volume = {"volumes": [f"{tmp_path}/shared:/shared"]}
    bench = Bench(tmp_path)
    await run(bench, volume, commands=["test ! -e /shared"])
    (warning,) = bench.gateway.messages("WARN")
    assert "kestra.tasks.scripts.docker.volume-enabled" in warning
    bench = Bench(tmp_path, settings={"kestra.tasks.scripts.docker.volume-enabled": True})
    finished = await run(bench, volume, commands=["echo 1 > /shared/a.txt"])
    assert finished.state is State.SUCCESS, finished.error
    assert (tmp_path / "shared" / "a.txt").read_text() == "1\n"


async def test_a_timeout_removes_the_container(bench: Bench) -> None:
    finished = await run(bench, {}, commands=["sleep 60"], timeout=2 * SECOND)
    assert finished.error == "Timeout after 00:00:02.000"
    assert containers(**{"taskrun-id": finished.job_id.split("/")[1]}) == []


async def test_a_kill_with_grace_lets_the_script_clean_up(bench: Bench) -> None:
    spec = {
        "type": SHELL,
        "containerImage": IMAGE,
        "taskRunner": {"type": DOCKER, "killGracePeriod": "PT10S"},
        "commands": ["trap 'echo cleaned; exit 0' TERM", "echo ready", "sleep 60 & wait"],
    }
    job = make_job(spec)
    attempt = bench.attempt(spec)
    attempt._job = job
    running = asyncio.ensure_future(attempt.run())
    while "ready" not in bench.gateway.messages("INFO"):
        await asyncio.sleep(0.05)
    attempt.kill()
    assert (await running).state is State.KILLED
    assert containers(**{"taskrun-id": job.info.task_run_id}) == []


async def test_without_waiting_the_task_ends_at_once_and_the_container_stays(bench: Bench) -> None:
    finished = await run(bench, {"wait": False}, commands=["sleep 30"])
    assert finished.state is State.SUCCESS
    task_run = finished.job_id.split("/")[1]
    (container,) = containers(**{"taskrun-id": task_run})
    docker("rm", "-f", container)
    docker("volume", "rm", *volumes(task_run))


async def test_a_container_that_outlived_its_worker_is_taken_over(bench: Bench) -> None:
    spec = {
        "type": SHELL,
        "containerImage": IMAGE,
        "taskRunner": {"type": DOCKER},
        "outputFiles": ["*.txt"],
        "commands": ["echo begin", "sleep 3", "echo x > left.txt", "echo end"],
    }
    job = make_job(spec)
    labels = [
        f"--label=kestra.io/{name}={value}"
        for name, value in (("execution-id", "exec"), ("taskrun-id", job.info.task_run_id))
    ]
    command = "echo begin; sleep 3; echo x > left.txt; echo end"
    first = docker("run", "-d", *labels, "-w", "/former", IMAGE, "/bin/sh", "-c", command)
    attempt = bench.attempt(spec)
    attempt._job = job
    finished = await attempt.run()
    assert finished.outputs is not None, finished.error
    assert finished.outputs["taskRunner"]["containerId"] == first
    assert list(finished.outputs["outputFiles"]) == ["left.txt"]
    assert bench.gateway.messages("INFO")[-2:] == ["begin", "end"]
    assert containers(**{"taskrun-id": job.info.task_run_id}) == []
