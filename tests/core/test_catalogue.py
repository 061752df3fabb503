"""The behaviours of 01 §11 by their numbers: recorded runs, flows with a number of task runs, refused flows, other tests.

The number stands first in the name of each test. `test_every_number_has_a_test` knows all of them.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from batuta.operations.errors import OperationError
from batuta.testing.conformance.casefile import load
from batuta.testing.conformance.flows import SURROUNDINGS
from batuta.testing.conformance.runner import results
from batuta.testing.system import System, is_over
from tests.conformance.open_cases import open_cases
from tests.core.catalogue import (
    BY_OTHERS,
    CORE,
    FLOWS,
    NOT_OURS,
    NUMBERED,
    RECORDED,
    REFUSED,
    VARIED,
    Flow,
)
from tests.paths import ROOT, SHARED

OWN = ROOT / "tests/conformance/data/flows"
THEIRS = SHARED / "conformance/flows"
OPEN = open_cases("flows")
pytestmark = [pytest.mark.timeout(200), pytest.mark.slow]

Pairs = list[tuple[str, str]]


def pairs(table: Mapping[str, str]) -> Pairs:
    return [(number, name) for number, names in table.items() for name in names.split()]


def titled(found: Pairs) -> list[str]:
    return [f"{number}_{name}" for number, name in found]


def place(name: str) -> Path:
    own = OWN / f"{name}.yaml"
    return own if own.exists() else THEIRS / f"{name}.yaml"


# -- recorded runs --------------------------------------------------------------------------------------------


@lru_cache
def outcomes() -> Mapping[str, str | None]:
    """The first test runs all of the cases side by side, the others look theirs up."""
    names = sorted({name for _, name in pairs(RECORDED)})
    return dict(results("flows", [place(name) for name in names if place(name).exists()]))


@pytest.mark.parametrize(("number", "name"), pairs(RECORDED), ids=titled(pairs(RECORDED)))
def test_recorded(number: str, name: str) -> None:
    if not place(name).exists():
        pytest.skip("the recorded runs of Kestra's own test flows are not on this machine")
    difference = outcomes()[name]
    assert name in OPEN or difference is None, f"{number}\n{difference}"


# -- flows with what is to come of them -----------------------------------------------------------------------


async def _outcome(flow: Flow) -> tuple[str, int, list[str]]:
    async with System.open(SURROUNDINGS) as system:
        for source in flow.sources:
            await system.save_flow(source)
        execution_id = await system.start(system.flow_keys[0], inputs=flow.inputs)
        view = await system.until(execution_id, is_over, seconds=60)
        assert is_over(view), view.row.execution.state
        texts = [bytes(output).decode() for output in view.outputs.values()]
        return view.row.execution.state.value, len(view.runs), texts


async def _all_outcomes(flows: Mapping[str, Flow]) -> Mapping[str, Any]:
    places = asyncio.Semaphore(16)

    async def one(flow: Flow) -> Any:
        async with places:
            try:
                return await _outcome(flow)
            except Exception as error:
                return str(error), 0, []

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(one(flow)) for name, flow in flows.items()}
    return {name: task.result() for name, task in tasks.items()}


@lru_cache
def varied() -> Mapping[str, Flow]:
    """Flows of recorded cases with other inputs."""
    found = {}
    for name, (case, inputs, state, runs) in VARIED.items():
        if place(case).exists():
            sources = tuple(load(place(case))["flows"])
            found[name] = Flow(sources, state=state, runs=runs, inputs=inputs)
    return found


@lru_cache
def flow_outcomes() -> Mapping[str, Any]:
    return asyncio.run(_all_outcomes({**FLOWS, **varied()}))


@pytest.mark.parametrize("name", [*FLOWS, *VARIED])
def test_flow(name: str) -> None:
    flow = FLOWS.get(name) or varied().get(name)
    if flow is None:
        pytest.skip("the recorded runs of Kestra's own test flows are not on this machine")
    state, runs, texts = flow_outcomes()[name]
    assert (state, runs) == (flow.state, flow.runs)
    if flow.output is not None:
        assert any(re.search(flow.output, text) for text in texts), texts


PAUSED_FLOW = f"""
id: upstream
namespace: company.team
tasks:
  - {{id: a, type: {CORE}.log.Log, message: hello}}
  - {{id: p, type: {CORE}.flow.Pause, pauseDuration: PT0.5S}}
  - {{id: b, type: {CORE}.log.Log, message: hello}}
"""
LISTENER = f"""
id: listener
namespace: company.team
triggers:
  - id: listen
    type: {CORE}.trigger.Flow
    states: [RUNNING, PAUSED, SUCCESS, WARNING, FAILED]
    conditions: [{{type: {CORE}.condition.ExecutionFlow, namespace: company.team, flowId: upstream}}]
tasks: [{{id: t, type: {CORE}.debug.Return, format: "{{{{ trigger.state }}}}"}}]
"""


async def test_083_a_listener_hears_of_every_state() -> None:
    async with System.open() as system:
        await system.save_flow(PAUSED_FLOW)
        await system.save_flow(LISTENER)
        first = await system.start(system.flow_keys[0])
        assert len((await system.until(first, is_over)).runs) == 3

        async def heard() -> bool:
            views = [
                view
                for view in await system.executions()
                if view.row.execution.flow.id == "listener"
            ]
            return len(views) == 4 and all(map(is_over, views))

        await system.quiet(0.2, heard, seconds=20)
        texts = [
            bytes(output).decode()
            for view in await system.executions()
            if view.row.execution.flow.id == "listener"
            for output in view.outputs.values()
        ]
    states = [re.findall("RUNNING|PAUSED|SUCCESS", text)[-1] for text in texts]
    assert states == ["RUNNING", "PAUSED", "RUNNING", "SUCCESS"]


# -- flows that are refused -----------------------------------------------------------------------------------


@lru_cache
def refusals() -> Mapping[str, list[str]]:
    async def one(source: str) -> list[str]:
        async with System.open() as system:
            try:
                await system.save_flow(source)
            except OperationError as error:
                return [f"{v.path}: {v.message}" for v in getattr(error, "violations", ())]
            return ["accepted"]

    async def every() -> Mapping[str, list[str]]:
        return {name: await one(source) for name, (source, _) in REFUSED.items()}

    return asyncio.run(every())


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    told, expected = refusals()[name], REFUSED[name][1]
    assert len(told) == len(expected), told
    for one, text in zip(told, expected, strict=True):
        whole, *more = text.split("*")
        assert one == text or (more and one.startswith(whole)), one


# -- tests elsewhere ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "where"), pairs(BY_OTHERS), ids=titled(pairs(BY_OTHERS)))
def test_by_another_test(number: str, where: str) -> None:
    """The test of this behaviour stands where it belongs; here it is only looked for."""
    path, _, name = where.partition("::")
    assert number
    assert re.search(rf"def {name}\b", (ROOT / "tests" / path).read_text(encoding="utf-8"))


def _numbered() -> Iterator[int]:
    for path in NUMBERED:
        for name in re.findall(
            r"def test_((?:\d{3}_)+)", (ROOT / "tests" / path).read_text(encoding="utf-8")
        ):
            yield from map(int, re.findall(r"\d{3}", name))


def test_every_number_has_a_test() -> None:
    tables = (RECORDED, FLOWS, VARIED, REFUSED, BY_OTHERS, NOT_OURS)
    numbers = {int(name[:3]) for table in tables for name in table} | set(_numbered())
    assert sorted(numbers) == list(range(1, 152))
