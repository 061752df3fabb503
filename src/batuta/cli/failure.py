"""A command that cannot go on: a text for the person who typed it, and the exit code."""

from pathlib import Path


class CommandError(Exception):
    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def read_file(file: Path) -> str:
    """Raises `CommandError`."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 (byte {error.start})") from None
