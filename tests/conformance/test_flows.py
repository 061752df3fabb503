"""Recorded runs of flows against our own roles, all at once; each case is a test of its own here."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import pytest

from batuta.testing.conformance.runner import results
from tests.conformance.open_cases import open_cases
from tests.paths import ROOT, SHARED

OWN = ROOT / "tests/conformance/data/flows"
THEIRS = SHARED / "conformance/flows"
"""Runs of Kestra's own test flows are not copied into this repository."""

OPEN = open_cases("flows")
pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.stem for path in folder.glob(pattern))


@lru_cache
def outcomes(folder: Path, pattern: str) -> Mapping[str, str | None]:
    """The first test of a folder runs all of its cases side by side, the others look theirs up."""
    return dict(results("flows", sorted(folder.glob(pattern))))


def check(name: str, difference: str | None) -> None:
    if name in OPEN and difference is None:
        assert not OPEN[name], f"{name} is as recorded now: take it off the list"
    elif name in OPEN and difference is not None:
        pytest.xfail(f"open: {difference.splitlines()[0]}")
    assert difference is None, f"\n{difference}"


@pytest.mark.parametrize("name", names(OWN, "*.yaml"))
def test_own_case(name: str) -> None:
    check(name, outcomes(OWN, "*.yaml")[name])


@pytest.mark.parametrize("name", names(THEIRS, "kestra-*.yaml") or [None])
def test_case_of_kestra(name: str | None) -> None:
    if name is None:
        pytest.skip("the recorded runs of Kestra's own test flows are not on this machine")
    check(name, outcomes(THEIRS, "kestra-*.yaml")[name])
