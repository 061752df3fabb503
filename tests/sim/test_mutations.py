"""The checks can fail: an engine with a fault is found out by few worlds, and the shortest way to it breaks it too."""

from collections.abc import Callable
from typing import Any

import pytest

from batuta.engine import branch, ending, operation, surgery
from batuta.engine.commands import AnyCommand, ReleaseSlot, SetTimer, StartChild
from batuta.engine.execution import Branch, Progress, TaskRun
from batuta.engine.nodes import each, leaf, parallel
from batuta.engine.turn import Turn
from batuta.engine.values import to_items
from batuta.model.state import State
from batuta.testing.simulate import run
from batuta.testing.simulate.shrink import breach_of, shortest
from batuta.testing.simulate.world import World

SEEDS = 600

Patch = pytest.MonkeyPatch


def _emitting(patch: Patch, change: Callable[[AnyCommand], int]) -> None:
    """Each command is given so often as `change` says."""
    emit = Turn.emit

    def mutated(self: Turn, command: AnyCommand) -> None:
        for _ in range(change(command)):
            emit(self, command)

    patch.setattr(Turn, "emit", mutated)


def _keep_the_slot(patch: Patch) -> None:
    _emitting(patch, lambda command: not isinstance(command, ReleaseSlot))


def _forget_a_retry(patch: Patch) -> None:
    def times(command: AnyCommand) -> int:
        return not (isinstance(command, SetTimer) and command.timer_id.startswith("retry/"))

    _emitting(patch, times)


def _start_children_twice(patch: Patch) -> None:
    _emitting(patch, lambda command: 1 + isinstance(command, StartChild))


def _accept_stale_results(patch: Patch) -> None:
    patch.setattr(leaf, "is_out", lambda turn, run, _: turn.progress(run).attempt > 0)


def _use_numbers_of_attempts_twice(patch: Patch) -> None:
    patch.setattr(leaf, "next_number", lambda _, run: len(run.attempts or ()) + 1)


def _wait_for_ever_after_a_kill(patch: Patch) -> None:
    patch.setattr(ending, "bound", lambda _: None)


def _exceed_the_limit_of_parallel_tasks(patch: Patch) -> None:
    patch.setattr(parallel, "has_room", lambda *_: True)
    patch.setattr(each, "has_room", lambda *_: True)


def _lose_a_warning(patch: Patch) -> None:
    patch.setattr(branch, "worse", lambda known, other: known if other is State.WARNING else other)


def _skip(patch: Patch, skipped: Branch) -> None:
    tasks = branch._list

    def mutated(node: Any, wanted: Branch) -> Any:
        return () if wanted is skipped else tasks(node, wanted)

    patch.setattr(branch, "_list", mutated)


def _skip_errors(patch: Patch) -> None:
    _skip(patch, Branch.ERRORS)


def _skip_finally(patch: Patch) -> None:
    _skip(patch, Branch.FINALLY)


def _skip_after_execution(patch: Patch) -> None:
    _skip(patch, Branch.AFTER)


def _lose_a_value_of_a_loop(patch: Patch) -> None:
    patch.setattr(each, "to_items", lambda given: to_items(given)[:2])


def _leave_a_row_as_it_was(patch: Patch) -> None:
    put = Turn.put

    def mutated(self: Turn, task_run: TaskRun) -> TaskRun:
        found = put(self, task_run)
        if task_run.state is State.RETRYING:
            self._touched.pop(task_run.id)
        return found

    patch.setattr(Turn, "put", mutated)


def _kill_what_has_ended(patch: Patch) -> None:
    kill = operation.kill

    def mutated(turn: Turn, event: Any) -> None:
        if turn.state.is_terminal:
            turn.become(State.KILLED)
        kill(turn, event)

    patch.setattr(operation, "kill", mutated)


def _end_before_what_runs(patch: Patch) -> None:
    ended = branch.child_ended

    def mutated(turn: Turn, scope: Any, child: TaskRun, *, flowing: Any) -> None:
        ended(turn, scope, child, flowing=flowing)
        if child.state is State.WARNING:
            turn.note(scope, live=0)

    patch.setattr(branch, "child_ended", mutated)


def _forget_attempts_at_a_restart(patch: Patch) -> None:
    patch.setattr(surgery, "_begins_again", lambda _: Progress())


MUTATIONS = (
    _keep_the_slot,
    _forget_a_retry,
    _start_children_twice,
    _accept_stale_results,
    _use_numbers_of_attempts_twice,
    _wait_for_ever_after_a_kill,
    _exceed_the_limit_of_parallel_tasks,
    _lose_a_warning,
    _skip_errors,
    _skip_finally,
    _skip_after_execution,
    _lose_a_value_of_a_loop,
    _leave_a_row_as_it_was,
    _kill_what_has_ended,
    _end_before_what_runs,
    _forget_attempts_at_a_restart,
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__.strip("_"))
def test_an_engine_with_a_fault_is_found_out(mutate: Callable[[Patch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mutate(patch)
        for seed in range(SEEDS):
            world = World(seed, marks=2)
            breach = run(world)
            if breach is None:
                continue
            happened = shortest(world.plan, world.start, world.happened)
            assert breach_of(world.plan, world.start, happened) == breach
            assert len(happened) <= len(world.happened)
            break
        else:
            pytest.fail(f"nobody noticed in {SEEDS} worlds")
    assert breach_of(world.plan, world.start, happened) is None
