"""A figure: what is measured, how often, against which bounds, and how a result is kept as JSON."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Bound:
    """`must` and `aim` are upper bounds, or lower ones where more is better."""

    unit: str
    must: float | None = None
    aim: float | None = None
    more_is_better: bool = False

    def is_met(self, value: float) -> bool:
        if self.must is None:
            return True
        return value >= self.must if self.more_is_better else value <= self.must


@dataclass(frozen=True)
class Figure:
    """`measure` does one run and gives a value for each name in `bounds`."""

    name: str
    title: str
    bounds: Mapping[str, Bound]
    measure: Callable[[], Mapping[str, float]]
    runs: int = 5


def run(figure: Figure) -> dict[str, Any]:
    """Measure, and keep the result in `results/NAME.json`."""
    before = os.getloadavg()
    runs = [dict(figure.measure()) for _ in range(figure.runs)]
    result = {
        "name": figure.name,
        "title": figure.title,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": machine(),
        "load": {"before": _rounded(before), "after": _rounded(os.getloadavg())},
        "values": {
            name: {
                "median": statistics.median(one[name] for one in runs),
                "runs": [one[name] for one in runs],
                "unit": bound.unit,
                "must": bound.must,
                "aim": bound.aim,
                "met": bound.is_met(statistics.median(one[name] for one in runs)),
            }
            for name, bound in figure.bounds.items()
        },
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{figure.name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return result


def machine() -> dict[str, Any]:
    """What the numbers depend on besides our code."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def results() -> list[dict[str, Any]]:
    """What was measured last, by name."""
    return [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]


def _rounded(load: tuple[float, float, float]) -> list[float]:
    return [round(part, 2) for part in load]


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
