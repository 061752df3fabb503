"""What functions of jq are given besides their input."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from batuta.expr.jq.errors import JqError
from batuta.expr.jq.syntax import Node
from batuta.expr.jq.value import shown, type_name
from batuta.expr.values import Value


class Spend(NamedTuple):
    """`steps` takes from the budget; `now` is the time in seconds."""

    steps: Callable[[int], None]
    now: float


class Invocation(NamedTuple):
    """A call of a function that evaluates its arguments itself. `run` is the evaluator."""

    run: Any
    arguments: tuple[Node, ...]
    scope: Any
    value: Value

    def values(self, index: int, value: Value) -> Iterator[Value]:
        """What an argument gives for an input."""
        results: Iterator[Value] = self.run.values(self.arguments[index], self.scope, value)
        return results

    def first(self, index: int, value: Value) -> Value:
        return self.run.first(self.arguments[index], self.scope, value)

    def paths(self) -> Iterator[tuple[tuple[Any, ...], Value]]:
        """Where the first argument leads."""
        steps: Iterator[tuple[tuple[Any, ...], Value]] = self.run.paths(
            self.arguments[0], self.scope, ((), self.value)
        )
        return steps


Native = Callable[..., Value]
NATIVE: dict[tuple[str, int], Native] = {}


def plain(name: str, arity: int = 0) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Registers a function of its input and arguments."""

    def register(code: Callable[..., Value]) -> Callable[..., Value]:
        def native(_: Spend, value: Value, *arguments: Value) -> Value:
            return code(value, *arguments)

        NATIVE[name, arity] = native
        return code

    return register


def wrong(value: Value, what: str) -> JqError:
    return JqError(f"{type_name(value)} ({shown(value)}) {what}")


def need(value: Value, kind: str, what: str) -> Any:
    if type_name(value) != kind:
        raise wrong(value, what)
    return value
