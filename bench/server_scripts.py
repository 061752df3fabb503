"""Forty Python scripts that print a line, one after another, each in a process of its own."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.figure import Bound, Figure
from bench.process import fresh_server, seconds_of

SCRIPTS = 40
INTERPRETERS = Path(sys.executable).parent
"""First on the path of the server, as in a shell with this environment: another `python` may be slow to start by itself."""
TASK = """\
  - id: script_{number}
    type: io.kestra.plugin.scripts.python.Script
    taskRunner:
      type: io.kestra.plugin.core.runner.Process
    script: print("number {number}")
"""
FLOW = "id: bench_scripts\nnamespace: bench\ntasks:\n" + "".join(
    TASK.format(number=number) for number in range(SCRIPTS)
)


def measure() -> Mapping[str, float]:
    with fresh_server({"PATH": f"{INTERPRETERS}{os.pathsep}{os.environ['PATH']}"}) as server:
        server.run(FLOW)
        execution = server.run(FLOW)
        assert execution["state"]["current"] == "SUCCESS", server.output
        return {"time": seconds_of(execution)}


FIGURES = (
    Figure(
        name="7-scripts",
        title=f"{SCRIPTS} sequential Python script tasks (`print`), Process runner",
        bounds={"time": Bound("s", 2.0, 1.0)},
        measure=measure,
    ),
)
