"""A loop with one inline task for each value: over 100 values, and over 10,000."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.figure import Bound, Figure
from bench.process import fresh_server, memory_mib, seconds_of
from tests.e2e.batuta_server import Server

FLOW = """\
id: bench_foreach
namespace: bench
inputs:
  - id: items
    type: JSON
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ inputs.items }}"
    tasks:
      - id: one
        type: io.kestra.plugin.core.debug.Return
        format: "{{ taskrun.value }}"
"""
SAMPLE_SECONDS = 0.1


def small() -> Mapping[str, float]:
    with fresh_server() as server:
        _loop(server, 10)
        return {"time": _loop(server, 100)}


def large() -> Mapping[str, float]:
    with fresh_server() as server:
        _loop(server, 100)
        with peak_memory(server) as peak:
            seconds = _loop(server, 10_000)
        return {"time": seconds, "growth": max(peak) - peak[0]}


def _loop(server: Server, size: int) -> float:
    items = json.dumps([f"item {number}" for number in range(size)])
    execution = server.run(FLOW, {"items": items}, seconds=120)
    assert execution["state"]["current"] == "SUCCESS", server.output
    return seconds_of(execution)


@contextmanager
def peak_memory(server: Server) -> Iterator[list[float]]:
    """Samples of the memory of all processes, the first from before."""
    samples = [memory_mib(server)]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_SECONDS):
            samples.append(memory_mib(server))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


FIGURES = (
    Figure(
        name="5-foreach-100",
        title="ForEach over 100 values, one inline task each",
        bounds={"time": Bound("s", 0.5, 0.1)},
        measure=small,
    ),
    Figure(
        name="6-foreach-10000",
        title="ForEach over 10,000 values: time, memory growth",
        bounds={"time": Bound("s", 30, 5), "growth": Bound("MiB", 300, 100)},
        measure=large,
        runs=3,
    ),
)
