"""What a template can see: variables, and the host that answers its look-ups."""

from collections.abc import Callable, Iterator, Mapping

from typing_extensions import override

from batuta.expr.errors import EvaluationError, ExpressionError
from batuta.expr.host import NULL_HOST, Host
from batuta.expr.values import Value


class Context:
    """`variables` may be lazy: a key is looked up when a template names it."""

    __slots__ = ("host", "recursive", "variables")

    def __init__(self, variables: Mapping[str, Value], host: Host = NULL_HOST) -> None:
        self.variables = variables
        self.host = host
        self.recursive = host.settings.recursive_rendering

    def with_variables(self, more: Mapping[str, Value]) -> "Context":
        """`more` over these variables, which stay lazy."""
        return Context(Layered(more, self.variables), self.host)


class Layered(Mapping[str, Value]):
    """One map over another."""

    __slots__ = ("_lower", "_upper")

    def __init__(self, upper: Mapping[str, Value], lower: Mapping[str, Value]) -> None:
        self._upper = upper
        self._lower = lower

    @override
    def __getitem__(self, key: str) -> Value:
        try:
            return self._upper[key]
        except KeyError:
            return self._lower[key]

    @override
    def __contains__(self, key: object) -> bool:
        return key in self._upper or key in self._lower

    @override
    def __iter__(self) -> Iterator[str]:
        yield from self._lower
        yield from (key for key in self._upper if key not in self._lower)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)


class LazyVars(Mapping[str, Value]):
    """`vars` as the roles show it: an entry that holds a template is rendered when it is read (02 §3).

    `render` turns one raw value into what the author sees, usually `lambda raw: render_value(raw, context)`
    with the context that holds this very map. Results are kept; an entry that needs itself is an error that
    names the cycle. An error inside an entry is reported as the entry's, so `??` does not hide it.
    """

    __slots__ = ("_done", "_open", "_raw", "_render")

    def __init__(self, raw: Mapping[str, Value], render: Callable[[Value], Value]) -> None:
        self._raw = raw
        self._render = render
        self._done: dict[str, Value] = {}
        self._open: list[str] = []

    @property
    def raw(self) -> Mapping[str, Value]:
        """The entries as they were written: what SetVariables adds to."""
        return self._raw

    @override
    def __getitem__(self, key: str) -> Value:
        if key in self._done:
            return self._done[key]
        raw = self._raw[key]
        if key in self._open:
            path = " -> ".join(
                f"vars.{name}" for name in [*self._open[self._open.index(key) :], key]
            )
            raise EvaluationError(f"Variables refer to each other in a circle: {path}")
        self._open.append(key)
        try:
            value = self._render(raw)
        except ExpressionError as problem:
            raise EvaluationError(f"In `vars.{key}`: {problem.message}") from problem
        finally:
            self._open.pop()
        self._done[key] = value
        return value

    @override
    def __contains__(self, key: object) -> bool:
        return key in self._raw

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    @override
    def __len__(self) -> int:
        return len(self._raw)
