"""Retries whose delays cannot work together (01 §1.7)."""

from collections.abc import Mapping
from typing import Any

from batuta.flow.problems import Problems
from batuta.flow.yaml import Path
from batuta.model.duration import parse_duration

_RULES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "constant": (("interval", "maxDuration"),),
    "exponential": (("interval", "maxInterval"), ("interval", "maxDuration")),
    "random": (
        ("minInterval", "maxInterval"),
        ("minInterval", "maxDuration"),
        ("maxInterval", "maxDuration"),
    ),
}


def check_retry(retry: Any, path: Path, problems: Problems) -> None:
    """`retry` as it was read, or None."""
    if not isinstance(retry, Mapping):
        return
    for small, large in _RULES.get(str(retry.get("type")), ()):
        lower, upper = retry.get(small), retry.get(large)
        if lower is None or upper is None:
            continue
        if parse_duration(lower) >= parse_duration(upper):
            problems.error(
                "retry", f"'{small}' must be less than '{large}' but is {lower}", (*path, small)
            )
