"""What all tests share: a summary that says aloud what could not be tested here."""

from collections import Counter

import pytest


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
