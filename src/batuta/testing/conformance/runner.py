"""Runs the cases of files and says which did not come out as recorded."""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from batuta.testing.conformance.casefile import expand

KINDS = ("yaml", "expressions", "validation", "flows", "cron", "conditions")

Case = tuple[str, Callable[[], str | None]]
"""A name, and a function that runs the case: None when it passed, else the difference."""

Result = tuple[str, str | None]


def results(kind: str, paths: list[Path]) -> Iterator[Result]:
    """Every case of the files in order; a file that is no case file raises `ValueError`."""
    module: Any = import_module(f"batuta.testing.conformance.{kind}")
    files = list(expand(paths))
    if kind == "flows":
        yield from module.run_files(files)
        return
    for path in files:
        yield from (run_case(case) for case in module.cases(path))


def run_case(case: Case) -> Result:
    """A case that raises has failed; the error is its difference."""
    name, run = case
    try:
        return name, run()
    except Exception as error:
        return name, f"{type(error).__name__}: {error}"


def report(outcomes: Iterable[Result], out: TextIO) -> int:
    """Print failing names with their differences and the totals; the process's exit code."""
    passed = failed = 0
    for name, difference in outcomes:
        if difference is None:
            passed += 1
            continue
        failed += 1
        out.write(f"FAILED {name}\n")
        out.writelines(f"    {line}\n" for line in difference.splitlines())
        out.flush()
    out.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0
