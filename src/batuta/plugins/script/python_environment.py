"""Python interpreters, libraries and virtual environments for scripts, made once and shared by all runs (06 §3).

Below the worker's cache directory:

    python/lib-<key>     libraries of one list of requirements, for one version of Python
    python/venv-<key>    private environments that stand in for the image of a container

A folder is made by one process at a time and counts only once its `.ready` file is there.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from batuta.sdk import TaskError

DEFAULT_VERSION = "3.13"
_READY = ".ready"
_ASK_SECONDS = 60
_LOCK_SECONDS = 0.05
_SHOWN_CHARS = 4000


class Interpreter(msgspec.Struct, frozen=True):
    """A Python of this machine."""

    path: str
    version: str
    """Major and minor."""


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a folder of libraries differ from others."""

    packages: tuple[str, ...]
    version: str
    platform: str | None = None
    """As uv names it, for a container; None for this machine."""
    pip: bool = False
    """Installed by pip instead of uv."""

    @property
    def key(self) -> str:
        text = "\n".join(
            [f"#pyversion: {self.version}", f"#platform: {self.platform}", *sorted(self.packages)]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=64)
def local_interpreter(search_path: str) -> Interpreter:
    """What `python` means on this PATH: the interpreter itself, not a version manager's stand-in for it.

    Asked once: such a stand-in costs more than many scripts. Without one it is the worker's own.
    """
    found = shutil.which("python", path=search_path) or shutil.which("python3", path=search_path)
    if found is None:
        return Interpreter(sys.executable, _own_version())
    answer = subprocess.run(  # noqa: S603 - the python on the PATH
        [
            found,
            "-c",
            "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=_ASK_SECONDS,
    )
    lines = answer.stdout.splitlines()
    if answer.returncode != 0 or len(lines) != 2:  # noqa: PLR2004 - path and version
        return Interpreter(sys.executable, _own_version())
    return Interpreter(lines[0] if _is_stand_in(found) else found, lines[1])


def _is_stand_in(path: str) -> bool:
    """A small script that starts with `#!`, as pyenv and asdf have it."""
    with Path(path).open("rb") as file:
        return file.read(2) == b"#!"


def _own_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


@lru_cache(maxsize=1)
def find_uv() -> str | None:
    """The uv program: UV_PATH, the home directory, PATH, or the one installed with this program."""
    beside = Path(sys.executable).parent / "uv"
    candidates = [os.environ.get("UV_PATH"), str(Path.home() / ".local/bin/uv")]
    found = next((each for each in candidates if each and Path(each).is_file()), None)
    return found or shutil.which("uv") or (str(beside) if beside.is_file() else None)


async def managed_interpreter(version: str) -> Interpreter:
    """The Python of a wanted version, found or fetched by uv. Raises `TaskError`."""
    found = await found_interpreter(version)
    if found is not None:
        return found
    uv = find_uv()
    if uv is None:
        raise TaskError(f"Python {version} is not on this machine, and there is no uv to fetch it")
    await _run([uv, "python", "install", version], what=f"Python {version} cannot be installed")
    found = await found_interpreter(version)
    if found is None:
        raise TaskError(f"Python {version} cannot be found after it was installed")
    return found


async def found_interpreter(version: str) -> Interpreter | None:
    """The Python of a wanted version, where this machine has it."""
    here = await this_interpreter()
    if here.version == version:
        return here
    uv = find_uv()
    if uv is None:
        return None
    try:
        path = await _run(
            [uv, "python", "find", "--no-python-downloads", version], what="No Python"
        )
    except TaskError:
        return None
    return Interpreter(path.strip(), ".".join(version.split(".")[:2]))


async def this_interpreter() -> Interpreter:
    """What `python` means to the worker."""
    return await asyncio.to_thread(local_interpreter, os.environ.get("PATH", os.defpath))


async def libraries(
    requirements: Requirements, interpreter: Interpreter, *, root: Path, cached: bool
) -> tuple[Path, bool]:
    """The folder that holds the packages, and whether it was there already. Raises `TaskError`.

    `cached` false: `root` is the run's own, and the folder is made anew.
    """
    folder = root / "python" / f"lib-{requirements.key}" if cached else root

    async def install() -> None:
        await _install(requirements, interpreter, folder)

    return folder, await _once(folder, install)


async def private_environment(interpreter: Interpreter, *, purpose: str, root: Path) -> Path:
    """A virtual environment without packages; runs with the same `purpose` share it. Raises `TaskError`.

    `purpose` is what will be installed into it; only then there is pip.
    """
    key = hashlib.sha256(f"{interpreter.path}\n{interpreter.version}\n{purpose}".encode())
    folder = root / "python" / f"venv-{key.hexdigest()[:32]}"

    async def make() -> None:
        await _run(
            [interpreter.path, "-m", "venv", *([] if purpose else ["--without-pip"]), str(folder)],
            what="The private Python environment cannot be made",
        )

    await _once(folder, make)
    return folder


async def _once(folder: Path, make: Callable[[], Awaitable[None]]) -> bool:
    """Make the folder unless it is ready; whether it was. Others that want it wait."""
    ready = folder / _READY
    if ready.exists():
        return True
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        while not _try_lock(lock.fileno()):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(_LOCK_SECONDS)
        if ready.exists():
            return True
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await make()
        ready.touch()
    return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _install(requirements: Requirements, interpreter: Interpreter, target: Path) -> None:
    uv = None if requirements.pip else find_uv()
    if uv is None:
        command = [interpreter.path, "-m", "pip", "install", "--quiet", "--target", str(target)]
        env: Mapping[str, str] = os.environ
    else:
        command = [uv, "pip", "install", "--quiet", "--target", str(target)]
        command += ["--index-strategy", "unsafe-best-match", "--link-mode", "copy"]
        command += ["--python-version", requirements.version, "--python", interpreter.path]
        if requirements.platform is not None:
            command += ["--python-platform", requirements.platform]
        env = _uv_environment()
    await _run(
        [*command, *requirements.packages],
        what=f"The dependencies {', '.join(requirements.packages)} cannot be installed",
        env=env,
    )
    await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)


def _uv_environment() -> Mapping[str, str]:
    """uv does not read pip's variables; an index that was set for pip is meant for uv too."""
    env = dict(os.environ)
    for ours, theirs in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ):
        if ours in env and theirs not in env:
            env[theirs] = env[ours]
    return env


async def _run(command: Sequence[str], *, what: str, env: Mapping[str, str] | None = None) -> str:
    """What the program wrote. Raises `TaskError` with the end of its complaints; ends it when cancelled."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        raise TaskError(f"{what}: {error}") from error
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode != 0:
        said = (err or out).decode(errors="replace").strip()[-_SHOWN_CHARS:]
        raise TaskError(f"{what}: {said}")
    return out.decode(errors="replace")
