"""What an operation refuses to do, and why.

OperationError
├── ExpiredError          the thing was there, and its time is over
├── NotFoundError         the thing does not exist, or the caller may not know of it
├── InvalidEntityError    what was written breaks rules; all violations, each with its place
├── IllegalArgumentError  a value of the request makes no sense
├── UnprocessableError    a value of the request cannot be read
├── IllegalStateError     not now: the state of the thing does not allow it
├── BadRequestError       the request as such is wrong
├── BulkError             one or more items of a bulk request cannot be treated, so none was
└── UnavailableError      this server lacks what the operation needs
"""

from collections.abc import Sequence

import msgspec


class Violation(msgspec.Struct, frozen=True):
    """One broken rule: `path` names the property (`tasks[0].format`, an input's id)."""

    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None

    @property
    def text(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class OperationError(Exception):
    """`message` is for the person who asked; it holds no internals."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(OperationError):
    pass


class ExpiredError(OperationError):
    pass


class InvalidEntityError(OperationError):
    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(", ".join(violation.text for violation in violations))
        self.violations = tuple(violations)


class IllegalArgumentError(OperationError):
    pass


class UnprocessableError(OperationError):
    pass


class IllegalStateError(OperationError):
    pass


class BadRequestError(OperationError):
    pass


class BulkError(OperationError):
    """`invalids` are pairs of a message and the id it is about."""

    def __init__(self, message: str, invalids: Sequence[tuple[str, str]]) -> None:
        super().__init__(message)
        self.invalids = tuple(dict.fromkeys(invalids))


class UnavailableError(OperationError):
    pass
