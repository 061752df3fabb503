"""What is wrong with something a person wrote, as data: text, place, and what would be right."""

from enum import StrEnum

import msgspec
from typing_extensions import override


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEPRECATION = "deprecation"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake. `line` and `column` count from 1; `path` is a property path such as `tasks[0].message`.

    `pointer` says the same as a JSON pointer, `/tasks/0/message`, which is exact where names hold dots.
    """

    code: str
    message: str
    severity: Severity = Severity.ERROR
    path: str = ""
    pointer: str = ""
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None

    @override
    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: " if self.line is not None else ""
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{place}{path}{self.message}{hint}"
