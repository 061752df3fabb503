"""What a server would ask of threads and of the network, answered by the world instead: late, or with a failure."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from batuta.engine.commands import Step
from batuta.engine.events import AnyEvent
from batuta.engine.execution import Execution
from batuta.engine.plan import Plan
from batuta.engine.step import step
from batuta.expr.errors import EvaluationError
from batuta.sdk.context import RunInfo
from batuta.server.answers import Answers
from batuta.server.executor import move
from batuta.server.executor.thread import AttemptThreads, ThreadAttempt
from batuta.server.protocol import JobFinished
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.level2.strand import answer_of

ADDRESS = "http://localhost/here"
_LATE = (0.0, 0.0, 0.001, 0.1, 2.0, 40.0)
"""Seconds; the last is more patience than a look-up has."""


@contextmanager
def edges(dice: Dice, heard: Callable[[AnyEvent], None]) -> Iterator[None]:
    """`heard` is told of every event that an execution takes in."""

    def step_heard(plan: Plan, execution: Execution, event: AnyEvent) -> Step:
        heard(event)
        return step(plan, execution, event)

    answer = Answers.answer

    async def answer_some_time(  # noqa: PLR0917 - as the server calls it
        self: Answers, info: RunInfo, operation: str, arguments: Mapping[str, Any]
    ) -> Any:
        await asyncio.sleep(dice.pick(_LATE))
        if dice.chance(10):
            raise EvaluationError("nobody answers")
        if operation == "http":
            return "true"
        return await answer(self, info, operation, arguments)

    async def run_here(_: AttemptThreads, attempt: ThreadAttempt) -> JobFinished:
        try:
            return await attempt.attempt.run()
        except asyncio.CancelledError:
            attempt.kill()
            raise

    with (
        patch.object(move, "step", step_heard),
        patch.object(Answers, "answer", answer_some_time),
        patch.object(AttemptThreads, "run", run_here),
        patch.object(asyncio, "run_coroutine_threadsafe", answer_of),
    ):
        yield
