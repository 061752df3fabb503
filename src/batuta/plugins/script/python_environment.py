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
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from batuta.sdk import TaskError

DEFAULT_VERSION = "3.13"
_READY = ".ready"
_INSTALL_SECONDS = 3600
_SHOWN_CHARS = 4000
_SHIM_BYTES = 1024


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
        timeout=_INSTALL_SECONDS,
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
    return await asyncio.to_thread(_managed_interpreter, version)


@lru_cache(maxsize=64)
def _managed_interpreter(version: str) -> Interpreter:
    local = local_interpreter(os.environ.get("PATH", ""))
    if local.version == version:
        return local
    uv = find_uv()
    if uv is None:
        raise TaskError(
            f"Python {version} was asked for, {local.version} is here, and there is no uv to fetch it"
        )
    found = _uv(uv, ["python", "find", version])
    if found is None:
        _run([uv, "python", "install", version], what=f"Python {version} cannot be installed")
        found = _uv(uv, ["python", "find", version])
    if found is None:
        raise TaskError(f"Python {version} cannot be found after it was installed")
    return Interpreter(found, ".".join(version.split(".")[:2]))


def _uv(uv: str, arguments: Sequence[str]) -> str | None:
    answer = subprocess.run(  # noqa: S603 - uv with our own arguments
        [uv, *arguments], capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
    )
    return answer.stdout.strip() if answer.returncode == 0 else None


async def libraries(
    requirements: Requirements, interpreter: Interpreter, *, root: Path, cached: bool
) -> tuple[Path, bool]:
    """The folder that holds the packages, and whether it was there already. Raises `TaskError`.

    `cached` false: `root` is the run's own, and the folder is made anew.
    """
    folder = root / "python" / f"lib-{requirements.key}" if cached else root

    def install(target: Path) -> None:
        _install(requirements, interpreter, target)

    return folder, await asyncio.to_thread(_once, folder, install)


async def private_environment(interpreter: Interpreter, *, purpose: str, root: Path) -> Path:
    """A virtual environment with pip and nothing else; runs with the same `purpose` share it. Raises `TaskError`."""
    key = hashlib.sha256(f"{interpreter.path}\n{interpreter.version}\n{purpose}".encode())
    folder = root / "python" / f"venv-{key.hexdigest()[:32]}"

    def make(target: Path) -> None:
        _run(
            [interpreter.path, "-m", "venv", *([] if purpose else ["--without-pip"]), str(target)],
            what="The private Python environment cannot be made",
        )

    await asyncio.to_thread(_once, folder, make)
    return folder


def _once(folder: Path, make: Callable[[Path], None]) -> bool:
    """Make the folder unless it is ready; whether it was. Others that want it wait."""
    ready = folder / _READY
    if ready.exists():
        return True
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists():
            return True
        if folder.exists():
            shutil.rmtree(folder)
        make(folder)
        ready.touch()
    return False


def _install(requirements: Requirements, interpreter: Interpreter, target: Path) -> None:
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
    _run(
        [*command, *requirements.packages],
        what=f"The dependencies {', '.join(requirements.packages)} cannot be installed",
        env=env,
    )
    target.mkdir(parents=True, exist_ok=True)


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


def _run(command: Sequence[str], *, what: str, env: Mapping[str, str] | None = None) -> None:
    """Raises `TaskError` with the end of what the program said."""
    try:
        answer = subprocess.run(  # noqa: S603 - arguments are a list, requirements are no options
            list(command),
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_SECONDS,
            env=env,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TaskError(f"{what}: {error}") from error
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip()[-_SHOWN_CHARS:]
        raise TaskError(f"{what}: {said}")
