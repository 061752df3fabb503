"""What one rendering carries along: variables, names set by the template, macros, and what is left of its limits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from batuta.expr.context import Context, Layered
from batuta.expr.errors import LimitError
from batuta.expr.host import Host
from batuta.expr.limits import Limits
from batuta.expr.syntax.nodes import At
from batuta.expr.values import Value


class MacroCode(Protocol):
    """A compiled macro."""

    def call(
        self, s: "State", positional: list[Value], named: list[tuple[str, Value]], *, at: At
    ) -> Value: ...


Expression = Callable[["State"], Value]
Statement = Callable[["State", Callable[[Value], None]], None]
_MAX_SEARCH = 20_000
TOO_MUCH_TEXT = "The template makes too much text"


class Meter:
    """Counts down over one rendering and everything it renders inside."""

    __slots__ = ("chars", "depth", "limits", "steps", "text_chars")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.steps = limits.steps
        self.text_chars = limits.text_chars
        self.chars = limits.text_chars * 4
        self.depth = 0

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise LimitError(f"The template takes more than {self.limits.steps} steps")

    def charge(self, chars: int) -> None:
        """Text that was made on the way."""
        self.chars -= chars
        if self.chars < 0 or chars > self.text_chars:
            raise LimitError(TOO_MUCH_TEXT)

    def enter(self) -> None:
        self.depth += 1
        if self.depth > self.limits.depth:
            raise LimitError("Macros, blocks and render() are nested too deeply")

    def leave(self) -> None:
        self.depth -= 1


class State:
    """`local` holds what `set` and `for` have named; it lies over `variables`."""

    __slots__ = (
        "blocks",
        "host",
        "local",
        "macros",
        "meter",
        "outer",
        "owned",
        "roots",
        "variables",
    )

    def __init__(self, variables: Mapping[str, Value], host: Host, meter: Meter) -> None:
        self.variables = variables
        self.host = host
        self.local: dict[str, Value] = {}
        self.meter = meter
        self.macros: Mapping[str, MacroCode] = {}
        self.blocks: Mapping[str, Sequence[Statement]] = {}
        self.roots: frozenset[str] = frozenset()
        self.owned: dict[int, list[Value]] | None = None
        self.outer: State = self

    def change_list(self, old: list[Value], items: list[Value]) -> list[Value]:
        """`old` gets other items, visibly to this rendering only.

        The original changes lists of the context in place (02 §1.5); data of the engine must not change,
        so a list that is not this rendering's own is replaced by a copy wherever its variables hold it.
        """
        self.meter.spend(len(items))
        if self.owned is None:
            self.owned = {}
        if id(old) in self.owned:
            old[:] = items
            return old
        copy = list(items)
        self.owned[id(copy)] = copy
        search = _Substitution(old, copy)
        for name in self.roots:
            if name not in self.local and name in self.variables:
                changed = search.apply(self.variables[name])
                if changed is not None:
                    self.local[name] = changed
        for name, value in self.local.items():
            changed = search.apply(value)
            if changed is not None:
                self.local[name] = changed
        return copy

    def visible_map(self) -> Mapping[str, Value]:
        """The same as `visible`, without looking at variables that nobody asks for."""
        return Layered(dict(self.local), self.variables) if self.local else self.variables

    def visible(self) -> dict[str, Value]:
        """Every variable by name, what the template has set over what it was given."""
        return {**self.variables, **self.local}


class _Substitution:
    """Finds a list by identity inside plain data and gives copies of the path that leads to it."""

    __slots__ = ("left", "new", "old")

    def __init__(self, old: list[Value], new: list[Value]) -> None:
        self.old = old
        self.new = new
        self.left = _MAX_SEARCH

    def apply(self, value: Value) -> Value:
        """The value with the list replaced, or `None` if it does not hold it."""
        if value is self.old:
            return self.new
        self.left -= 1
        if self.left < 0:
            return None
        if type(value) is dict:
            return self._in_map(value)
        if type(value) is list:
            return self._in_list(value)
        return None

    def _in_map(self, value: dict[Value, Value]) -> Value:
        found = {}
        for key, item in value.items():
            changed = self.apply(item)
            if changed is not None:
                found[key] = changed
        return {**value, **found} if found else None

    def _in_list(self, value: list[Value]) -> Value:
        items = [self.apply(item) for item in value]
        if not any(changed is not None for changed in items):
            return None
        return [
            item if changed is None else changed for item, changed in zip(value, items, strict=True)
        ]


def state_for(context: Context, meter: Meter | None = None) -> State:
    """A fresh state over a context."""
    host = context.host
    return State(context.variables, host, meter or Meter(host.settings.limits))
