"""`batuta version`."""

from importlib.metadata import version as installed_version

from batuta.cli.output import say


def package_version() -> str:
    return installed_version("batuta")


def version() -> None:
    """Print the version."""
    say(package_version())
