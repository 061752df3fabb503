"""`scripts.runner.docker.Docker`: a command in a container (06 §6.2), and the older `docker` object (06 §6.3)."""

from typing import Any, Literal

from pydantic import Field
from typing_extensions import override

from batuta.plugins.script.runner import CommandRunner, Ended, Invocation
from batuta.sdk import Property, RunContext, TaskError
from batuta.sdk.definition import Definition, DurationText


class Credentials(Definition):
    """How to sign in to the registry of the image."""

    registry: Property[str] | None = Field(
        default=None, description="The registry; the image's own when left out."
    )
    username: Property[str] | None = Field(default=None, description="The user.")
    password: Property[str] | None = Field(default=None, description="The password.")
    registry_token: Property[str] | None = Field(
        default=None, description="A bearer token of the registry."
    )
    identity_token: Property[str] | None = Field(
        default=None, description="A token that stands for user and password."
    )
    auth: Property[str] | None = Field(
        default=None, description="`user:password`, encoded as Base64."
    )


class Cpu(Definition):
    """Limits of the processors."""

    cpus: Property[float] | None = Field(
        default=None, description="How many processors may be used, such as `1.5`."
    )


class Memory(Definition):
    """Limits of the memory; sizes are written like `512MB`."""

    memory: Property[str] | None = Field(default=None, description="The most memory there is.")
    memory_swap: Property[str] | None = Field(
        default=None, description="Memory and swap together; `-1` for any amount of swap."
    )
    memory_swappiness: Property[str] | None = Field(
        default=None, description="How eagerly memory is swapped, from 0 to 100."
    )
    memory_reservation: Property[str] | None = Field(
        default=None, description="What is kept when the host is short of memory."
    )
    kernel_memory: Property[str] | None = Field(
        default=None, description="The most memory of the kernel."
    )
    oom_kill_disable: Property[bool] | None = Field(
        default=None, description="Whether the container survives a lack of memory."
    )


class DeviceRequest(Definition):
    """Devices for the container, such as graphics processors."""

    driver: Property[str] | None = Field(default=None, description="The driver.")
    count: Property[int] | None = Field(
        default=None, description="How many devices; `-1` for all of them."
    )
    device_ids: Property[list[str]] | None = Field(
        default=None, description="The devices by their ids."
    )
    capabilities: Property[list[list[str]]] | None = Field(
        default=None, description="What they must be able to do: alternatives of lists."
    )
    options: Property[dict[str, str]] | None = Field(
        default=None, description="Options of the driver."
    )


class ContainerOptions(Definition):
    """Properties that the runner and the older `docker` object share."""

    host: Property[str] | None = Field(
        default=None, description="The address of the daemon; found by itself when left out."
    )
    config: Property[str | dict[str, Any]] | None = Field(
        default=None, description="The content of a Docker `config.json`: sign-ins of registries."
    )
    credentials: Credentials | None = Field(
        default=None, description="How to sign in to the registry."
    )
    user: Property[str] | None = Field(
        default=None, description="The user that the command runs as."
    )
    extra_hosts: Property[list[str]] | None = Field(
        default=None, description="Names for `/etc/hosts`, as `host:ip`."
    )
    network_mode: Property[str] | None = Field(
        default=None, description="`bridge`, `host`, `none` or the name of a network."
    )
    volumes: Property[list[str]] | None = Field(
        default=None,
        description="Volumes as `source:target[:mode]`; ignored unless the server enables them.",
    )
    pull_policy: Property[Literal["IF_NOT_PRESENT", "ALWAYS", "NEVER"]] = Field(
        default="IF_NOT_PRESENT", description="When the image is pulled."
    )
    device_requests: list[DeviceRequest] | None = Field(
        default=None, description="Devices that the container gets."
    )
    cpu: Cpu | None = Field(default=None, description="Limits of the processors.")
    memory: Memory | None = Field(default=None, description="Limits of the memory.")
    shm_size: Property[str] | None = Field(
        default=None, description="The size of `/dev/shm`, such as `64MB`."
    )
    privileged: Property[bool] | None = Field(
        default=None, description="Whether the container has the rights of its host."
    )


class Docker(CommandRunner, ContainerOptions, type="io.kestra.plugin.scripts.runner.docker.Docker"):
    """Run the commands of a script task in a Docker container.

    # What it does
    Pulls the image when it is needed, makes a container with the files of the working directory at the same path, runs
    the commands, and takes the files back, also after a failure. A kill or a timeout stops the container. Where no daemon
    can be reached the task fails, unless the server lets such tasks run as processes
    (`batuta.worker.docker-fallback`).

    # Example
    ```yaml
    - id: hello
      type: io.kestra.plugin.scripts.shell.Commands
      containerImage: ubuntu:24.04
      taskRunner:
        type: io.kestra.plugin.scripts.runner.docker.Docker
        cpu:
          cpus: 1.5
        memory:
          memory: 512MB
      commands:
        - echo "Hello from $(hostname)"
    ```

    # Outputs
    `taskRunner.containerId`, the id of the container.
    """

    entry_point: Property[list[str]] = Field(
        default=[""],
        description="The entry point. One empty text clears that of the image, an empty list leaves it alone.",
    )
    port_bindings: Property[list[str]] | None = Field(
        default=None, description="Ports as `[ip:]hostPort:containerPort[/protocol]`."
    )
    file_handling_strategy: Property[Literal["MOUNT", "VOLUME"]] = Field(
        default="VOLUME",
        description="`VOLUME` copies the files in and out; `MOUNT` shares the working directory.",
    )
    delete: Property[bool] = Field(
        default=True, description="Whether the container is removed at the end."
    )
    wait: Property[bool] = Field(
        default=True, description="Whether the task lasts as long as the container."
    )
    kill_grace_period: DurationText = Field(
        default="PT0S", description="How long the container may take to stop when it is killed."
    )
    resume: Property[bool] = Field(
        default=True,
        description="Whether a container that is still there is taken over after the loss of a worker.",
    )

    @override
    async def execute(self, invocation: Invocation, ctx: RunContext) -> Ended:
        try:
            from batuta.plugins.script.docker_run import run_container
        except ModuleNotFoundError as error:
            raise TaskError(
                f"The Docker runner needs the extra `docker` (pip install 'batuta[docker]'): {error}"
            ) from error
        return await run_container(self, invocation, ctx)


class DockerOptions(ContainerOptions):
    """Options of the container of a script task; use `taskRunner`."""

    image: Property[str] = Field(min_length=1, description="The image.")
    entry_point: Property[list[str]] | None = Field(
        default=None, description="The entry point; that of the image when left out."
    )

    def to_runner(self) -> Docker:
        """The runner with the same properties."""
        values = {name: getattr(self, name) for name in ContainerOptions.model_fields}
        if self.entry_point is not None:
            values["entry_point"] = self.entry_point
        return Docker.model_construct(type=Docker.TYPE, **values)
