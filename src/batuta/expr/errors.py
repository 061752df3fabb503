"""What can go wrong in a template (02 §2.6).

    ExpressionError
    ├── ExpressionSyntaxError    the template does not parse
    ├── MissingVariableError     a variable, attribute or index that does not exist
    ├── EvaluationError          the language refuses what was asked
    │   ├── NestedError          the same inside `render()`
    │   └── LimitError           a bound of `Limits` was reached
    ├── RuntimeFaultError        a value of the wrong kind or a format that nobody understands ("raw" in 02)
    └── RenderRecursionError     rendering until stable did not become stable

An error is raised with a position only; the template that is being rendered adds its text with `locate`.
`message` is the one-line text that Kestra shows, `pointer()` the text for people: place, caret, cause, near names.
"""

from collections.abc import Iterable
from typing import ClassVar, Self

from typing_extensions import override

Position = int | tuple[int, int] | None
"""An offset in the template, or (offset to point at, offset whose line is reported)."""

_MAX_CANDIDATES = 2_000
_SHOWN = 3


class ExpressionError(Exception):
    """`detail` is the message without the place; `line` and `column` count from 1 once known."""

    kind: ClassVar[str] = "evaluation"
    _java_class: ClassVar[str] = "PebbleException"
    _placeless: ClassVar[bool] = False
    """The message names no place of its own, since it carries another message with one."""

    def __init__(self, detail: str, position: Position = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.position = position
        self.template: str | None = None
        self.line: int | None = None
        self.column: int | None = None

    def locate(self, template: str) -> Self:
        """Adds the source text and counts line and column; the innermost template wins."""
        if self.template is None:
            self.template = template
            if self.position is not None:
                focus, counted = (
                    self.position
                    if isinstance(self.position, tuple)
                    else (self.position, self.position)
                )
                self.line = line_of(template, counted)
                self.column = focus - _line_start(template, focus) + 1
        cause = self.__cause__
        if isinstance(cause, ExpressionError):
            cause.locate(template)
        return self

    @property
    def message(self) -> str:
        if self._placeless:
            return f"io.pebbletemplates.pebble.error.{self._java_class}: {self.detail} (?:?)"
        place = f"{self.template if self.template is not None else '?'}:{self.line or '?'}"
        return f"io.pebbletemplates.pebble.error.{self._java_class}: {self.detail} ({place})"

    def pointer(self) -> str:
        """Several lines: what, where with a caret, why."""
        lines = [self.detail]
        excerpt = self._excerpt()
        if excerpt:
            lines += excerpt
        hint = self.hint()
        if hint:
            lines.append(hint)
        cause = self.__cause__
        if isinstance(cause, ExpressionError):
            lines.append(f"because: {cause.pointer()}")
        return "\n".join(lines)

    def hint(self) -> str:
        return ""

    def _excerpt(self) -> list[str]:
        if self.template is None or self.position is None:
            return []
        focus = self.position[0] if isinstance(self.position, tuple) else self.position
        start = _line_start(self.template, focus)
        text = self.template[start:].split("\n", 1)[0].rstrip("\r")
        label = f"  line {line_of(self.template, focus)} | "
        return [f"{label}{text}", f"{' ' * (len(label) + focus - start)}^"]

    @override
    def __str__(self) -> str:
        return self.message


class ExpressionSyntaxError(ExpressionError):
    kind = "syntax"
    _java_class = "ParserException"


class EvaluationError(ExpressionError):
    pass


class NestedError(EvaluationError):
    """Something went wrong inside `render()`; `detail` is the inner message."""

    _placeless = True


class LimitError(EvaluationError):
    pass


class RuntimeFaultError(ExpressionError):
    kind = "runtime"

    @property
    @override
    def message(self) -> str:
        return self.detail


class RenderRecursionError(ExpressionError):
    kind = "recursion"
    _placeless = True

    def __init__(self) -> None:
        super().__init__("Too many rendering attempts")


class MissingVariableError(ExpressionError):
    """`name` is the part that does not exist; `nearest` are existing names that look like it."""

    kind = "missing_variable"

    def __init__(
        self, name: str, position: Position = None, *, known: Iterable[object] = ()
    ) -> None:
        super().__init__(f"Unable to find `{name}`", position)
        self.name = name
        self.nearest: tuple[str, ...] = ()
        self._known: Iterable[object] | None = known

    @override
    def locate(self, template: str) -> Self:
        if self._known is not None:
            self.nearest = nearest_names(self.name, self._known)
            self._known = None
        return super().locate(template)

    @property
    @override
    def message(self) -> str:
        return (
            f"Unable to find `{self.name}` used in the expression `{self.template}` "
            f"at line {self.line or '?'}"
        )

    @override
    def hint(self) -> str:
        if not self.nearest:
            return ""
        return f"did you mean {' or '.join(f'`{name}`' for name in self.nearest)}?"


def place(problem: ExpressionError, at: Position) -> None:
    """Gives an error that was raised without a position the position of what was evaluated."""
    if problem.position is None and problem.template is None:
        problem.position = at


def nearest_names(name: str, known: Iterable[object]) -> tuple[str, ...]:
    """Up to three of `known` that look like `name`, best first."""
    names: list[str] = []
    for candidate in known:
        if len(names) >= _MAX_CANDIDATES:
            break
        if isinstance(candidate, str):
            names.append(candidate)
    exact = [candidate for candidate in names if candidate.lower() == name.lower()]
    if exact:
        return tuple(exact)
    from difflib import get_close_matches

    return tuple(get_close_matches(name, names, _SHOWN))


def line_of(template: str, position: int) -> int:
    """Line of an offset, from 1; `\\r\\n`, `\\n` and `\\r` each end a line."""
    before = template[:position]
    return (
        1
        + before.count("\n")
        + (before.count("\r") - before.count("\r\n") if "\r" in before else 0)
    )


def _line_start(template: str, position: int) -> int:
    return max(template.rfind("\n", 0, position), template.rfind("\r", 0, position)) + 1
