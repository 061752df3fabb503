"""Runs one command in a container; the only user of aiodocker, which comes with the extra `docker`."""

import asyncio
import math
import tempfile
from typing import IO, Any

import aiodocker
from aiodocker.exceptions import DockerError

from batuta.model import codec
from batuta.model.instant import SECOND
from batuta.plugins.script.docker import Docker
from batuta.plugins.script.docker_config import (
    container_config,
    full_image,
    labels_of,
    qualified_image,
    sign_in,
)
from batuta.plugins.script.docker_files import pack_folders, unpack_directory
from batuta.plugins.script.docker_host import find_host
from batuta.plugins.script.output import LineCutter
from batuta.plugins.script.runner import Ended, Invocation
from batuta.sdk import RunContext, TaskError
from batuta.sdk.types import read_duration

VOLUMES_ENABLED = "kestra.tasks.scripts.docker.volume-enabled"
"""Setting: whether the author's `volumes` are mounted; so is the plugin configuration `volume-enabled`."""
_PLUGIN_CONFIGURATIONS = "kestra.plugins.configurations"
_PULL_ATTEMPTS = 5
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 5.0, 120.0
_NOT_FOUND, _CONFLICT, _SERVER_ERROR = 404, 409, 500
_STDERR = 2
_SPOOL_BYTES = 8 * 1024 * 1024
_CHUNK = 256 * 1024


async def run_container(runner: Docker, invocation: Invocation, ctx: RunContext) -> Ended:
    """Raises `TaskError` for what the daemon refuses; a cancellation stops the container."""
    if not invocation.image:
        raise TaskError("This task runner needs the `containerImage` property to be set")
    async with aiodocker.Docker(url=find_host(runner.host)) as client:
        try:
            return await _Run(client, runner, invocation, ctx=ctx).run(full_image(invocation.image))
        except DockerError as error:
            raise TaskError(f"Docker: {error.message}") from error


class _Run:
    """One container from its making to its removal."""

    def __init__(
        self, client: Any, runner: Docker, invocation: Invocation, *, ctx: RunContext
    ) -> None:
        self._client = client  # partly untyped
        self._runner = runner
        self._invocation = invocation
        self._ctx = ctx
        self._labels = labels_of(ctx.info)
        self._volume: str | None = None
        self._inner_workdir = str(invocation.workdir)
        """Inside the container; one that is taken over has that of the former attempt."""
        self._copies = runner.file_handling_strategy == "VOLUME"

    async def run(self, image: str) -> Ended:
        container = await self._find_running() if self._runner.resume else None
        is_new = container is None
        if container is None:
            await self._pull(image)
        try:
            if container is None:
                container = await self._create(image)
            return await self._attend(container, is_new=is_new)
        except asyncio.CancelledError:
            if container is not None:
                await asyncio.shield(self._stop(container))
            raise
        finally:
            if self._runner.delete and (self._runner.wait or container is None):
                await asyncio.shield(self._remove(container))

    async def _find_running(self) -> Any:
        """The container of this task run that outlived its worker."""
        wanted = ("execution-id", "taskrun-id")
        filters = {
            "label": [f"kestra.io/{name}={self._labels[f'kestra.io/{name}']}" for name in wanted]
        }
        found = await self._client.containers.list(
            filters=codec.encode_text({**filters, "status": ["running"]})
        )
        if not found:
            return None
        container: Any = found[0]
        self._ctx.log.info(f"The container {container.id} is still running and is taken over")
        details = await container.show()
        self._inner_workdir = details["Config"]["WorkingDir"] or "/"
        self._volume = next(
            (mount["Name"] for mount in details.get("Mounts", []) if mount.get("Type") == "volume"),
            None,
        )
        return container

    async def _create(self, image: str) -> Any:
        invocation, runner = self._invocation, self._runner
        mounts, binds = [], self._author_volumes()
        if self._copies:
            volume = await self._client.volumes.create({"Labels": self._labels})
            self._volume = volume.name
            mounts.append(
                {"Type": "volume", "Source": volume.name, "Target": str(invocation.workdir)}
            )
        else:
            binds.append(f"{invocation.workdir}:{invocation.workdir}")
            binds += [f"{folder.resolve()}:{folder}:ro" for folder in invocation.mounts]
        config = container_config(
            runner, invocation, image=image, labels=self._labels, mounts=mounts, binds=binds
        )
        container: Any = await self._client.containers.create(config)
        if self._copies:
            folders = (invocation.workdir, *invocation.mounts)
            with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as file:
                await asyncio.to_thread(pack_folders, folders, file, writable=invocation.workdir)
                await container.put_archive("/", _chunks(file))
        return container

    async def _attend(self, container: Any, *, is_new: bool) -> Ended:
        """Start it, pass on what it writes, wait for its end and take its files."""
        details = {"containerId": container.id}
        if not self._runner.wait:
            await container.start()
            return Ended(exit_code=0, details=details)
        async with container.attach(stdout=True, stderr=True, logs=not is_new) as stream:
            if is_new:
                await container.start()
                self._ctx.log.debug(
                    f"Container {container.id} started from {self._invocation.image}"
                )
            await self._pass_on(stream)
        code = int((await container.wait())["StatusCode"])
        if self._copies:
            await self._fetch(container)
        return Ended(exit_code=code, details=details)

    async def _pass_on(self, stream: Any) -> None:
        out, err = LineCutter(self._invocation.sink.out), LineCutter(self._invocation.sink.err)
        try:
            while (message := await stream.read_out()) is not None:
                (err if message.stream == _STDERR else out).feed(message.data)
                await self._ctx.log.drain()
        finally:
            out.close()
            err.close()

    async def _pull(self, image: str) -> None:
        policy = self._runner.pull_policy
        if policy == "NEVER" or (policy == "IF_NOT_PRESENT" and await self._has(image)):
            return
        auth = sign_in(self._runner, image)
        wait = _FIRST_WAIT_SECONDS
        for attempt in range(1, _PULL_ATTEMPTS + 1):
            try:
                await self._client.images.pull(
                    image if auth is None else qualified_image(image), auth=auth
                )
            except DockerError as error:
                if error.status < _SERVER_ERROR or attempt == _PULL_ATTEMPTS:
                    raise TaskError(
                        f"The image {image} cannot be pulled: {error.message}"
                    ) from error
                self._ctx.log.warn(f"The image {image} cannot be pulled yet: {error.message}")
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
            else:
                self._ctx.log.debug(f"Image pulled [{image}]")
                return

    async def _has(self, image: str) -> bool:
        try:
            await self._client.images.inspect(image)
        except DockerError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True

    def _author_volumes(self) -> list[str]:
        volumes = list(self._runner.volumes or [])
        if volumes and not _volumes_enabled(self._ctx):
            self._ctx.log.warn(
                f"The volumes {volumes} are ignored: the server does not enable them (setting `{VOLUMES_ENABLED}`)"
            )
            return []
        return volumes

    async def _fetch(self, container: Any) -> None:
        """Through a file, because a container may leave more than fits into memory."""
        workdir = self._invocation.workdir
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as file:
            async with self._client._query(  # noqa: SLF001 - its get_archive reads all into memory
                f"containers/{container.id}/archive", params={"path": self._inner_workdir}
            ) as response:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(unpack_directory, file, workdir)

    async def _stop(self, container: Any) -> None:
        grace = read_duration(self._runner.kill_grace_period)
        try:
            if grace > 0:
                await container.stop(t=math.ceil(grace / SECOND))
            else:
                await container.kill()
        except DockerError as error:
            if error.status not in {_NOT_FOUND, _CONFLICT}:  # gone, or not running
                self._ctx.log.warn(f"The container cannot be stopped: {error.message}")

    async def _remove(self, container: Any) -> None:
        try:
            if container is not None:
                await container.delete(force=True, v=True)
            if self._volume is not None:
                await (await self._client.volumes.get(self._volume)).delete(force=True)
        except DockerError as error:
            self._ctx.log.warn(f"The container cannot be removed: {error.message}")


def _volumes_enabled(ctx: RunContext) -> bool:
    if ctx.setting(VOLUMES_ENABLED, False):
        return True
    entries = ctx.setting(_PLUGIN_CONFIGURATIONS) or []
    return any(
        entry.get("type") == Docker.TYPE and (entry.get("values") or {}).get("volume-enabled")
        for entry in entries
        if isinstance(entry, dict)
    )


async def _chunks(file: IO[bytes]) -> Any:
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        yield chunk
