"""Which runner a script task gets (06 §1, §6), and what happens where no Docker daemon can be reached."""

import msgspec

from batuta.plugins.script.docker import Docker, DockerOptions
from batuta.plugins.script.docker_host import find_host, is_reachable
from batuta.plugins.script.process import Process
from batuta.plugins.script.runner import CommandRunner
from batuta.sdk import RunContext, TaskError, TaskRunner
from batuta.sdk.errors import unavailable_message

FALLBACK = "batuta.worker.docker-fallback"
"""Setting: run container tasks as processes where there is no Docker. On for a local server, off for servers."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the command will run."""

    image: str | None = None
    """Of the container that runs the command, or that a process stands in for."""
    is_container: bool = False
    is_fallback: bool = False
    """A process stands in for a container."""


async def choose_runner(
    chosen: TaskRunner | None,
    *,
    legacy: str | None,
    options: DockerOptions | None,
    image: str | None,
    ctx: RunContext,
) -> tuple[CommandRunner, Place]:
    """`legacy` (`runner`) wins over `taskRunner`; without both it is a container. Raises `TaskError`."""
    if legacy == "PROCESS" or (legacy is None and isinstance(chosen, Process)):
        return Process(type=Process.TYPE), Place()
    if legacy is None and chosen is not None:
        if not isinstance(chosen, CommandRunner):
            raise TaskError(unavailable_message(chosen.type))
        if not isinstance(chosen, Docker):
            return chosen, Place(image=image, is_container=True)
        docker = chosen
    else:
        docker = Docker(type=Docker.TYPE) if options is None else options.to_runner()
        image = image if options is None else options.image
    return await _docker_or_process(docker, image, ctx)


async def _docker_or_process(
    docker: Docker, image: str | None, ctx: RunContext
) -> tuple[CommandRunner, Place]:
    host = find_host(docker.host)
    if await is_reachable(host, ctx.now()):
        return docker, Place(image=image, is_container=True)
    if not ctx.setting(FALLBACK, False):
        raise TaskError(
            f"No Docker daemon can be reached at {host}. If this server runs in a container, mount the socket of its"
            " host into it (-v /var/run/docker.sock:/var/run/docker.sock); or use the task runner"
            f" {Process.TYPE}; or set `{FALLBACK}: true` to run such tasks as processes of the worker"
        )
    ctx.log.warn(
        f"No Docker daemon can be reached at {host}: the task runs as a process of the worker instead of a container"
        f" (setting `{FALLBACK}`)"
    )
    return Process(type=Process.TYPE), Place(image=image, is_fallback=True)
