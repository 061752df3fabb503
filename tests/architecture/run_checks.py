"""`make check`: format, lint, types, imports and the rules of the house, side by side, in under a minute."""

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
FOLDERS = ("src", "tests", "bench")
AT_ONCE = 3
"""Type checking takes longest and starts first; the small checks pass by while it runs."""


@dataclass(frozen=True)
class Check:
    name: str
    command: Sequence[str]


@dataclass(frozen=True)
class Verdict:
    check: Check
    passed: bool
    seconds: float
    output: str


CHECKS = (
    Check("types", ("mypy", "--no-error-summary")),
    Check("imports", ("lint-imports",)),
    Check("rules", ("python", "-m", "pytest", "-q", "--no-header", "tests/architecture")),
    Check("lint", ("ruff", "check", "--quiet", *FOLDERS)),
    Check("format", ("ruff", "format", "--quiet", "--check", "--diff", *FOLDERS)),
)


def run(check: Check) -> Verdict:
    started = time.perf_counter()
    program, *arguments = check.command
    done = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Verdict(check, done.returncode == 0, time.perf_counter() - started, done.stdout)


def main() -> int:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = []
        for verdict in pool.map(run, CHECKS):
            verdicts.append(verdict)
            state = "ok" if verdict.passed else "FAILED"
            print(f"{verdict.check.name:<8} {state:<7} {verdict.seconds:5.1f} s", flush=True)
    failed = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in failed:
        print(f"\n── {verdict.check.name}: {' '.join(verdict.check.command)}\n{verdict.output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
