"""What all tests share: who runs them, and a summary that says aloud what could not be tested here."""

from collections import Counter
from typing import Any

import pytest
from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/e2e/",)
"""Folders whose tests share a server and a database, and so a process."""


class ByFile(LoadScopeScheduling):
    """Tests of one file run in one process: what they share is made once."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if folder in nodeid), nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A missing part never turns a test green: every reason for skipping is named and counted (spec 10)."""
    reasons = Counter(_reason(report) for report in terminalreporter.getreports("skipped"))
    if not reasons:
        return
    terminalreporter.section(f"not tested on this machine: {reasons.total()}")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:>5} × {reason}")


def _reason(report: pytest.TestReport) -> str:
    place = report.longrepr
    text = place[2] if isinstance(place, tuple) else str(place)
    return text.removeprefix("Skipped: ")
