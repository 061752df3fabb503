"""A command that cannot go on: a text for the person who typed it, and the exit code."""


class CommandError(Exception):
    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
