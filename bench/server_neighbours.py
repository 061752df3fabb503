"""Small executions beside one with very many task runs: how long they take, quiet and beside it, and what it needs."""

import json
import statistics
import time
from collections.abc import Iterator, Mapping
from functools import partial

from bench.figure import Bound, Figure
from bench.process import fresh_server, seconds_of
from bench.server_flow import FLOW as SMALL
from bench.server_flow import WARM_UP
from bench.server_foreach import peak_memory
from tests.e2e.batuta_server import Server

ITEMS = 100_000
QUIET = 300
MOST = 20_000
"""Small executions, whatever happens."""
LOOK = 10
"""Small executions between two looks at the big one."""


def big(limit: int) -> str:
    """A ForEach over values that are given as an input, `limit` of them at once (0: all)."""
    return f"""\
id: bench_big
namespace: bench
inputs:
  - id: items
    type: JSON
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{{{ inputs.items }}}}"
    concurrencyLimit: {limit}
    tasks:
      - id: one
        type: io.kestra.plugin.core.debug.Return
        format: "{{{{ taskrun.value }}}}"
"""


def neighbours(limit: int, *, items: int = ITEMS) -> Mapping[str, float]:
    with fresh_server() as server:
        server.save_flow(SMALL)
        server.save_flow(big(limit))
        for _ in range(WARM_UP):
            _small(server)
        quiet = [_small(server) for _ in range(QUIET)]
        values = json.dumps([f"item {number}" for number in range(items)])
        with peak_memory(server) as memory:
            began = time.perf_counter()
            server.begin(big(limit), {"items": values})
            beside = [_small(server) for _ in _until_ended(server)]
        took = time.perf_counter() - began
        quiet += [_small(server) for _ in range(QUIET)]  # the machine may have changed meanwhile
        return {
            "quiet p99": _p99(quiet),
            "beside p50": statistics.median(beside),
            "p99": _p99(beside),
            "ratio": _p99(beside) / _p99(quiet),
            "item": took / items * 1e6,
            "growth": max(memory) - memory[0],
        }


def _until_ended(server: Server) -> Iterator[int]:
    """Numbers, as long as the big execution runs. It is not looked at itself: it is long."""
    for number in range(MOST):
        yield number
        if number % LOOK == 0 and _has_ended(server):
            return


def _has_ended(server: Server) -> bool:
    """The second page is empty, but tells how many there are."""
    query = {"size": "1", "page": "2", "flowId": "bench_big", "state": "SUCCESS"}
    total: int = server.request("GET", "/executions/search", params=query).json()["total"]
    return total > 0


def _small(server: Server) -> float:
    """Milliseconds from created to ended."""
    return seconds_of(server.wait(server.begin(SMALL)["id"])) * 1000


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


_BOUNDS = {
    "quiet p99": Bound("ms"),
    "beside p50": Bound("ms"),
    "p99": Bound("ms"),
    "ratio": Bound("×", must=2),
    "item": Bound("µs"),
    "growth": Bound("MiB"),
}

FIGURES = (
    Figure(
        name="8-neighbours",
        title="bench flow beside a ForEach over 100,000 values, all at once",
        bounds=_BOUNDS,
        measure=partial(neighbours, 0),
        runs=1,
    ),
    Figure(
        name="9-neighbours-10",
        title="bench flow beside a ForEach over 100,000 values, 10 at once",
        bounds=_BOUNDS,
        measure=partial(neighbours, 10),
        runs=1,
    ),
)
