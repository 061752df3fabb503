"""Recorded runs of flows (`conformance/flows`), each in a small system of its own, many side by side."""

import asyncio
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from batuta.testing.conformance.casefile import load, parse
from batuta.testing.conformance.compare import compare
from batuta.testing.conformance.steps import Session
from batuta.testing.system import Surroundings, System

AT_ONCE = 48
"""Cases in progress together: most of their time is waiting."""
THREADS = 256
"""Tasks that sleep hold a thread each."""
CASE_SECONDS = 100.0
"""More than any case may take, its own time limit included."""

SURROUNDINGS = Surroundings(
    environment={"ENV_STAGE": "testing"},
    secrets={"API_KEY": "s3cr3t-value"},
    globals={"company": "acme"},
    encryption_key=b64encode(bytes(range(32))).decode(),
)
"""Where the cases were recorded."""


def run_files(paths: list[Path]) -> Iterator[tuple[str, str | None]]:
    """The name of every case and its difference, in the order of the files."""
    yield from asyncio.run(_run_all(paths))


async def _run_all(paths: list[Path]) -> list[tuple[str, str | None]]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    differences = known_differences()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> tuple[str, str | None]:
        async with places:
            try:
                case = _case(path)
            except ValueError as error:
                return path.stem, str(error)
            return case["name"], await _difference(adjusted(case, differences))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(path)) for path in paths]
    return [task.result() for task in tasks]


def _case(path: Path) -> Mapping[str, Any]:
    """Raises `ValueError` for a file that is no case."""
    case = load(path)
    if not isinstance(case, Mapping) or not {"flows", "expect"} <= case.keys():
        raise ValueError(f"{path}: expected a case with `flows` and `expect`")
    return {"name": path.stem, **case}


def known_differences() -> Mapping[str, Mapping[str, Any]]:
    """Keys of `expect` that are ours, by case; null takes a key away."""
    found: Mapping[str, Mapping[str, Any]] = load(Path(__file__).with_name("flow_differences.yaml"))
    return found


def adjusted(
    case: Mapping[str, Any], differences: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """The case with what we do otherwise on purpose in the place of what was recorded."""
    ours = differences.get(case["name"])
    if ours is None:
        return case
    expect = {**case["expect"], **ours}
    return {**case, "expect": {key: value for key, value in expect.items() if value is not None}}


async def _difference(case: Mapping[str, Any]) -> str | None:
    try:
        async with asyncio.timeout(CASE_SECONDS), System.open(SURROUNDINGS) as system:
            actual = await Session(system, case).run()
    except TimeoutError:
        return f"did not end within {CASE_SECONDS:.0f} seconds"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    differences = compare(case["expect"], actual, wordings=wordings(case["flows"]))
    return "\n".join(differences) or None


def wordings(sources: Iterable[str]) -> frozenset[str]:
    """Ids of the tasks that log what the author wrote: Log tasks, and failures with a message of their own."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, Mapping):
            if str(value.get("type", "")).endswith("log.Log") or "errorMessage" in value:
                found.add(str(value.get("id")))
            walk(list(value.values()))

    for source in sources:
        with suppress(ValueError):
            walk(parse(source))
    return frozenset(found)
