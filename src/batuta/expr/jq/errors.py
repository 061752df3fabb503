"""What goes wrong in jq programs."""

from batuta.expr.values import Value


class JqError(ValueError):
    """The program is wrong, too expensive, or failed; `value` is what `catch` sees."""

    def __init__(self, message: str, value: Value = None) -> None:
        super().__init__(message)
        self.value = message if value is None else value


class JqLimitError(JqError):
    """The budget is used up; `try` does not catch it."""


class BreakError(Exception):
    """Leaves the `label` with that number."""

    def __init__(self, label: int) -> None:
        super().__init__(label)
        self.label = label
