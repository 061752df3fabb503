"""`batuta version`."""

from batuta import __version__
from batuta.cli.output import say


def version() -> None:
    """Print the version."""
    say(__version__)
