"""The bench flow, `OutputValues` then `Log` of its output, started by POST: one at a time, and as many as go through."""

import asyncio
import statistics
import time
from collections.abc import Mapping

from bench.figure import Bound, Figure
from bench.process import fresh_server, post_many, seconds_of
from tests.e2e.batuta_server import Server

FLOW = """\
id: bench_flow
namespace: bench
tasks:
  - id: values
    type: io.kestra.plugin.core.output.OutputValues
    values:
      greeting: "hello from {{ flow.id }}"
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ outputs.values.values.greeting }}"
"""
PATH = "/executions/bench/bench_flow"
WARM_UP = 30
ONE_BY_ONE = 300
SUSTAINED = 3000
CONNECTIONS = 32
POLL_SECONDS = 0.05


def latency() -> Mapping[str, float]:
    with fresh_server() as server:
        server.save_flow(FLOW)
        for _ in range(WARM_UP):
            server.wait(server.begin(FLOW)["id"])
        times = sorted(
            seconds_of(server.wait(server.begin(FLOW)["id"])) * 1000 for _ in range(ONE_BY_ONE)
        )
    return {"p50": statistics.median(times), "p99": times[int(len(times) * 0.99)]}


def throughput() -> Mapping[str, float]:
    with fresh_server() as server:
        server.save_flow(FLOW)
        asyncio.run(post_many(server, PATH, count=WARM_UP, connections=4))
        wait_until(server, ended=WARM_UP)
        began = time.perf_counter()
        asyncio.run(post_many(server, PATH, count=SUSTAINED, connections=CONNECTIONS))
        wait_until(server, ended=WARM_UP + SUSTAINED)
        return {"rate": SUSTAINED / (time.perf_counter() - began)}


def wait_until(server: Server, *, ended: int) -> None:
    query = {"size": "1", "state": "SUCCESS"}
    while server.request("GET", "/executions/search", params=query).json()["total"] < ended:
        time.sleep(POLL_SECONDS)


FIGURES = (
    Figure(
        name="3-latency",
        title="bench flow, one at a time, created→ended",
        bounds={"p50": Bound("ms", 20, 5), "p99": Bound("ms", 60, 15)},
        measure=latency,
        runs=3,
    ),
    Figure(
        name="4-throughput",
        title="bench flow, sustained",
        bounds={"rate": Bound("executions/s", 100, 500, more_is_better=True)},
        measure=throughput,
        runs=3,
    ),
)
