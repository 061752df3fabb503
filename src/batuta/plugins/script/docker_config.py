"""From the properties of the Docker runner to what the daemon's API takes. Pure."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from batuta.model import codec
from batuta.plugins.script.docker import Credentials, DeviceRequest, Docker
from batuta.plugins.script.runner import Invocation
from batuta.sdk import TaskError
from batuta.sdk.context import RunInfo

_SIZE = re.compile(r"(-?\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_PORT = re.compile(
    r"(?:(?:(?P<ip>[^:\[\]]+|\[[^\]]+\]):)?(?P<host>\d*):)?(?P<port>\d+)(?:/(?P<protocol>tcp|udp|sctp))?"
)
_LABEL_CHARS = 63
_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"


def labels_of(info: RunInfo) -> dict[str, str]:
    """Whose container it is."""
    values = {
        "namespace": info.namespace,
        "flow-id": info.flow_id,
        "task-id": info.task_id,
        "execution-id": info.execution_id,
        "taskrun-id": info.task_run_id,
        "taskrun-attempt": str(info.attempt - 1),
    }
    return {f"kestra.io/{name}": value[:_LABEL_CHARS] for name, value in values.items()}


def container_config(
    runner: Docker,
    invocation: Invocation,
    *,
    image: str,
    labels: Mapping[str, str],
    mounts: Sequence[Mapping[str, Any]],
    binds: Sequence[str],
) -> dict[str, Any]:
    """The body of the call that makes a container. Raises `TaskError` for a value that cannot be read."""
    ports = parse_ports(runner.port_bindings or [])
    config: dict[str, Any] = {
        "Image": image,
        "Cmd": list(invocation.command),
        "Env": [f"{name}={value}" for name, value in invocation.env.items()],
        "WorkingDir": str(invocation.workdir),
        "Labels": dict(labels),
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "HostConfig": _host_config(runner, mounts=mounts, binds=binds, ports=ports),
    }
    if runner.entry_point:
        config["Entrypoint"] = list(runner.entry_point)
    if runner.user:
        config["User"] = runner.user
    if ports:
        config["ExposedPorts"] = {port: {} for port in ports}
    return config


def _host_config(
    runner: Docker,
    *,
    mounts: Sequence[Mapping[str, Any]],
    binds: Sequence[str],
    ports: Mapping[str, list[dict[str, str]]],
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Mounts": [dict(mount) for mount in mounts],
        "Binds": list(binds),
        "ExtraHosts": runner.extra_hosts,
        "NetworkMode": runner.network_mode,
        "PortBindings": dict(ports) or None,
        "Privileged": runner.privileged,
        "ShmSize": None if runner.shm_size is None else parse_size(runner.shm_size),
        "DeviceRequests": [_device(request) for request in runner.device_requests or []] or None,
    }
    if runner.cpu is not None and runner.cpu.cpus is not None:
        config["NanoCpus"] = round(runner.cpu.cpus * 1e9)
    config |= _memory_config(runner)
    return {name: value for name, value in config.items() if value is not None}


def _memory_config(runner: Docker) -> dict[str, Any]:
    memory = runner.memory
    if memory is None:
        return {}
    sizes = {
        "Memory": memory.memory,
        "MemorySwap": memory.memory_swap,
        "MemoryReservation": memory.memory_reservation,
        "KernelMemory": memory.kernel_memory,
    }
    config: dict[str, Any] = {
        name: parse_size(text) for name, text in sizes.items() if text is not None
    }
    if memory.memory_swappiness is not None:
        config["MemorySwappiness"] = parse_size(memory.memory_swappiness)
    if memory.oom_kill_disable is not None:
        config["OomKillDisable"] = memory.oom_kill_disable
    return config


def _device(request: DeviceRequest) -> dict[str, Any]:
    values = {
        "Driver": request.driver,
        "Count": request.count,
        "DeviceIDs": request.device_ids,
        "Capabilities": request.capabilities,
        "Options": request.options,
    }
    return {name: value for name, value in values.items() if value is not None}


def parse_size(text: str) -> int:
    """Bytes of `512MB`, `1g`, `64KiB`, `-1`; units are powers of 1024. Raises `TaskError`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise TaskError(f"`{text}` is no size such as 512MB")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


def parse_ports(texts: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """`PortBindings` of `[ip:]hostPort:containerPort[/protocol]`. Raises `TaskError`."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for text in texts:
        match = _PORT.fullmatch(text.strip())
        if match is None:
            raise TaskError(f"`{text}` is no port binding such as 8080:80")
        binding = {"HostPort": match["host"] or ""}
        if match["ip"]:
            binding["HostIp"] = match["ip"].strip("[]")
        bindings.setdefault(f"{match['port']}/{match['protocol'] or 'tcp'}", []).append(binding)
    return bindings


def full_image(image: str) -> str:
    """With the tag `latest` when it has none."""
    name = image.rpartition("/")[2]
    return image if ":" in name or "@" in name else f"{image}:latest"


def registry_of(image: str) -> str:
    """The registry that an image comes from."""
    first, slash, _ = image.partition("/")
    return first if slash and (set(".:") & set(first) or first == "localhost") else _HUB


def qualified_image(image: str) -> str:
    """With its registry, also where that is the Hub."""
    if registry_of(image) != _HUB or image.startswith(f"{_HUB}/"):
        return image
    return f"{_HUB}/{image}" if "/" in image else f"{_HUB}/library/{image}"


def sign_in(runner: Docker, image: str) -> dict[str, str] | None:
    """What the registry of the image is told; None to say nothing. Raises `TaskError` for a broken `config`."""
    if runner.credentials is not None:
        return _of_credentials(runner.credentials, image)
    return None if runner.config is None else _of_config(runner.config, image)


def _of_credentials(credentials: Credentials, image: str) -> dict[str, str]:
    values = {
        "serveraddress": credentials.registry or registry_of(image),
        "username": credentials.username,
        "password": credentials.password,
        "registrytoken": credentials.registry_token,
        "identitytoken": credentials.identity_token,
    }
    if credentials.auth:
        values |= _of_auth(credentials.auth)
    return {name: value for name, value in values.items() if value is not None}


def _of_config(config: str | Mapping[str, Any], image: str) -> dict[str, str] | None:
    try:
        data = codec.decode(config) if isinstance(config, str) else config
        entries: Mapping[str, Any] = data.get("auths") or {}
    except (ValueError, AttributeError) as error:
        raise TaskError(f"The Docker `config` is no JSON map: {error}") from error
    registry = registry_of(image)
    for key in (registry, f"https://{registry}", *([_HUB_KEY] if registry == _HUB else [])):
        entry = entries.get(key)
        if isinstance(entry, Mapping):
            found = {str(name): str(value) for name, value in entry.items()}
            found |= _of_auth(found.pop("auth")) if "auth" in found else {}
            return {"serveraddress": registry, **found}
    return None


def _of_auth(auth: str) -> dict[str, str]:
    try:
        username, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except ValueError as error:
        raise TaskError("`auth` is no Base64 text of `user:password`") from error
    return {"username": username, "password": password}
