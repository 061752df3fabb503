"""The task Loop with one inline task: 1,000, 10,000 and 100,000 iterations, each an execution of its own."""

from collections.abc import Callable, Mapping

from bench.figure import Bound, Figure
from bench.process import fresh_server, seconds_of
from bench.server_foreach import peak_memory
from tests.e2e.batuta_server import Server

FLOW = """\
id: bench_loop
namespace: bench
inputs:
  - id: size
    type: INT
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.Loop
    values: "{{ range(1, inputs.size) }}"
    tasks:
      - id: one
        type: io.kestra.plugin.core.debug.Return
        format: "{{ item.value }}"
"""
MICROSECONDS = 1_000_000


def measure(size: int) -> Callable[[], Mapping[str, float]]:
    def run() -> Mapping[str, float]:
        with fresh_server() as server:
            _loop(server, 100)
            with peak_memory(server) as peak:
                seconds = _loop(server, size)
            growth = max(peak) - peak[0]
        return {"time": seconds, "item": seconds / size * MICROSECONDS, "growth": growth}

    return run


def _loop(server: Server, size: int) -> float:
    execution = server.run(FLOW, {"size": str(size)}, seconds=600)
    assert execution["state"]["current"] == "SUCCESS", server.output
    return seconds_of(execution)


FIGURES = tuple(
    Figure(
        name=f"loop-{size}",
        title=f"Loop over {size:,} values: time, time for each, memory growth",
        bounds={
            "time": Bound("s", size * 0.006, size * 0.001),
            "item": Bound("µs", 6_000, 1_000),
            "growth": Bound("MiB", 300, 100),
        },
        measure=measure(size),
        runs=runs,
    )
    for size, runs in ((1_000, 3), (10_000, 3), (100_000, 1))
)
