"""Memory of all processes when there is nothing to do: just started, and after a task ran in a worker."""

import time
from collections.abc import Mapping

from bench.figure import Bound, Figure
from bench.process import fresh_server, memory_mib

SETTLE_SECONDS = 3.0
FLOW = """\
id: bench_idle
namespace: bench
tasks:
  - id: script
    type: io.kestra.plugin.scripts.shell.Script
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    script: echo done
"""


def measure() -> Mapping[str, float]:
    with fresh_server() as server:
        time.sleep(SETTLE_SECONDS)
        started = memory_mib(server)
        server.run(FLOW)
        time.sleep(SETTLE_SECONDS)
        return {"idle": started, "after a task": memory_mib(server)}


FIGURES = (
    Figure(
        name="2-idle",
        title="idle memory, all processes (PSS)",
        bounds={"idle": Bound("MiB", 130, 60), "after a task": Bound("MiB")},
        measure=measure,
        runs=3,
    ),
)
