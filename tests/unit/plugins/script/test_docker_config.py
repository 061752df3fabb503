"""What the Docker daemon is asked for (06 §6.2)."""

import base64
from pathlib import Path
from typing import Any

import pytest

from batuta.plugins.script.docker import Docker, DockerOptions
from batuta.plugins.script.docker_config import (
    container_config,
    full_image,
    labels_of,
    parse_ports,
    parse_size,
    qualified_image,
    registry_of,
    sign_in,
)
from batuta.plugins.script.runner import Invocation
from batuta.sdk import Registry, TaskError
from batuta.sdk.context import RunInfo
from batuta.sdk.rendering import render_definition

REGISTRY = Registry(["batuta.plugins.script"])


def runner(**properties: Any) -> Docker:
    spec = {"type": Docker.TYPE, **properties}
    return render_definition(Docker, spec, render=lambda value: value, registry=REGISTRY)


def config_of(made: Docker) -> dict[str, Any]:
    invocation = Invocation(
        command=("/bin/sh", "-c", "true"),
        env={"A": "1"},
        workdir=Path("/work/x"),
        sink=None,  # type: ignore[arg-type]
    )
    return container_config(
        made, invocation, image="ubuntu:latest", labels={"l": "1"}, mounts=[], binds=[]
    )


def test_the_plain_container_clears_the_entry_point_of_its_image() -> None:
    assert config_of(runner()) == {
        "Image": "ubuntu:latest",
        "Cmd": ["/bin/sh", "-c", "true"],
        "Env": ["A=1"],
        "WorkingDir": "/work/x",
        "Labels": {"l": "1"},
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Entrypoint": [""],
        "HostConfig": {"Mounts": [], "Binds": []},
    }


def test_every_property_reaches_the_daemon() -> None:
    config = config_of(
        runner(
            user="1000:1000",
            entryPoint=[],
            extraHosts=["db:10.0.0.1"],
            networkMode="host",
            portBindings=["8080:80", "127.0.0.1:5353:53/udp"],
            deviceRequests=[{"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}],
            cpu={"cpus": 1.5},
            memory={
                "memory": "512MB",
                "memorySwap": "-1",
                "memorySwappiness": "10",
                "memoryReservation": "256m",
                "kernelMemory": "64MiB",
                "oomKillDisable": True,
            },
            shmSize="64MB",
            privileged=True,
        )
    )
    assert "Entrypoint" not in config
    assert config["User"] == "1000:1000"
    assert config["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}}
    assert config["HostConfig"] == {
        "Mounts": [],
        "Binds": [],
        "ExtraHosts": ["db:10.0.0.1"],
        "NetworkMode": "host",
        "PortBindings": {
            "80/tcp": [{"HostPort": "8080"}],
            "53/udp": [{"HostPort": "5353", "HostIp": "127.0.0.1"}],
        },
        "Privileged": True,
        "ShmSize": 64 * 1024**2,
        "DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}],
        "NanoCpus": 1_500_000_000,
        "Memory": 512 * 1024**2,
        "MemorySwap": -1,
        "MemorySwappiness": 10,
        "MemoryReservation": 256 * 1024**2,
        "KernelMemory": 64 * 1024**2,
        "OomKillDisable": True,
    }


def test_the_older_options_make_the_same_runner() -> None:
    options = render_definition(
        DockerOptions,
        {"image": "alpine", "networkMode": "host", "cpu": {"cpus": 2}, "pullPolicy": "NEVER"},
        render=lambda value: value,
        registry=REGISTRY,
    )
    made = options.to_runner()
    assert (made.network_mode, made.pull_policy) == ("host", "NEVER")
    assert made.cpu is not None
    assert made.cpu.cpus == 2
    assert (made.delete, made.wait, made.entry_point) == (True, True, [""])


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MB", 512 * 1024**2),
        ("1g", 1024**3),
        ("64KiB", 65536),
        ("100", 100),
        ("1.5GB", 3 * 1024**3 // 2),
        ("-1", -1),
    ],
)
def test_sizes_are_read_in_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "5X", "MB"])
def test_a_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(TaskError, match="is no size"):
        parse_size(text)


def test_a_text_that_is_no_port_is_refused() -> None:
    with pytest.raises(TaskError, match="`http` is no port binding"):
        parse_ports(["http"])


@pytest.mark.parametrize(
    ("image", "full", "qualified", "registry"),
    [
        ("python", "python:latest", "docker.io/library/python", "docker.io"),
        ("python:3.12", "python:3.12", "docker.io/library/python:3.12", "docker.io"),
        ("kestra/kestra:v1", "kestra/kestra:v1", "docker.io/kestra/kestra:v1", "docker.io"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest", "ghcr.io/a/b", "ghcr.io"),
        ("localhost:5000/b", "localhost:5000/b:latest", "localhost:5000/b", "localhost:5000"),
        ("a@sha256:0f", "a@sha256:0f", "docker.io/library/a@sha256:0f", "docker.io"),
    ],
)
def test_names_of_images_are_completed(
    image: str, full: str, qualified: str, registry: str
) -> None:
    assert (full_image(image), qualified_image(image), registry_of(image)) == (
        full,
        qualified,
        registry,
    )


AUTH = base64.b64encode(b"ann:s3cr3t").decode()


@pytest.mark.parametrize(
    ("properties", "image", "expected"),
    [
        ({}, "python", None),
        (
            {"credentials": {"username": "ann", "password": "p"}},
            "ghcr.io/a/b",
            {"serveraddress": "ghcr.io", "username": "ann", "password": "p"},
        ),
        (
            {"credentials": {"registry": "r.example", "auth": AUTH}},
            "python",
            {"serveraddress": "r.example", "username": "ann", "password": "s3cr3t"},
        ),
        (
            {"config": f'{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{AUTH}"}}}}}}'},
            "python",
            {"serveraddress": "docker.io", "username": "ann", "password": "s3cr3t"},
        ),
        ({"config": {"auths": {"ghcr.io": {"identitytoken": "t"}}}}, "python", None),
        (
            {"config": {"auths": {"ghcr.io": {"identitytoken": "t"}}}},
            "ghcr.io/a/b",
            {"serveraddress": "ghcr.io", "identitytoken": "t"},
        ),
    ],
)
def test_the_registry_is_told_who_pulls(
    properties: dict[str, Any], image: str, expected: dict[str, str] | None
) -> None:
    assert sign_in(runner(**properties), image) == expected


@pytest.mark.parametrize(
    "properties", [{"config": "no json"}, {"credentials": {"auth": "***"}}, {"config": "[]"}]
)
def test_a_broken_sign_in_is_refused(properties: dict[str, Any]) -> None:
    with pytest.raises(TaskError):
        sign_in(runner(**properties), "python")


def test_labels_say_whose_container_it_is_and_are_cut() -> None:
    info = RunInfo(
        tenant="main",
        namespace="n" * 70,
        flow_id="f",
        flow_revision=1,
        execution_id="e",
        task_id="t",
        task_type="x",
        task_run_id="r",
        attempt=2,
    )
    assert labels_of(info) == {
        "kestra.io/namespace": "n" * 63,
        "kestra.io/flow-id": "f",
        "kestra.io/task-id": "t",
        "kestra.io/execution-id": "e",
        "kestra.io/taskrun-id": "r",
        "kestra.io/taskrun-attempt": "1",
    }
