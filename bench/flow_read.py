"""Reading, checking and compiling flows; the cost of refusing bad sources."""

import resource
import time
from collections.abc import Mapping
from textwrap import indent

from batuta.engine.plan import Plan
from batuta.flow.compile import compile_flow
from batuta.flow.read import Reading, read_flow
from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.sdk import Registry
from bench.figure import Bound, Figure

TASKS = 50
LOADED_FLOWS = 1_000
REPEATS = 10
_LOG = "io.kestra.plugin.core.log.Log"


def source(number: int = 0, tasks: int = TASKS) -> str:
    """About five lines for each task; loops and conditions among them."""
    body = "\n".join(_task(index) for index in range(tasks))
    return f"id: flow-{number}\nnamespace: acme.data\nlabels:\n  team: data\ntasks:\n{indent(body, '  ')}\n"


def _task(index: int) -> str:
    log = f'- id: t{index}\n  type: {_LOG}\n  message: "{{{{ outputs.t0.value }}}} {index}"\n  timeout: PT5M\n  logLevel: INFO'
    if index % 10:
        return log
    return f"- id: each{index}\n  type: io.kestra.plugin.core.flow.ForEach\n  values: [a, b]\n  tasks:\n{indent(log, '    ')}"


def _compile(reading: Reading) -> Plan:
    flow = reading.flow
    if flow is None:
        raise ValueError(str(reading.errors))
    return compile_flow(flow, key=FlowKey("main", flow.namespace, flow.id), revision=1)


def one_flow() -> Mapping[str, float]:
    registry = Registry(["batuta.plugins.core"])
    text = source()
    read_flow(text, registry)
    begin = time.perf_counter()
    for _ in range(REPEATS):
        reading = read_flow(text, registry)
    read = time.perf_counter()
    for _ in range(REPEATS):
        _compile(reading)
    end = time.perf_counter()
    return {
        "read and check": (read - begin) / REPEATS * 1000,
        "compile": (end - read) / REPEATS * 1000,
    }


def many_flows() -> Mapping[str, float]:
    registry = Registry(["batuta.plugins.core"])
    texts = [source(number, 8) for number in range(LOADED_FLOWS)]
    begin = time.perf_counter()
    plans = [_compile(read_flow(text, registry)) for text in texts]
    from_source = time.perf_counter() - begin
    stored = [codec.encode(plan) for plan in plans]
    begin = time.perf_counter()
    for data in stored:
        codec.decode_as(Plan, data)
    return {"from source": from_source, "from stored plans": time.perf_counter() - begin}


BAD = {
    "too long": "# " + "x" * (2 << 20),
    "too deep": "v: " + "[" * 100_000,
    "alias bomb": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1} '] * 10)}]" for n in range(1, 30)),
    "control character": "v: x\n" * 100_000 + "w: \x07",
    "wide": "v: [" + "[], " * 200_000 + "]",
}


def refusals() -> Mapping[str, float]:
    registry = Registry(["batuta.plugins.core"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest = 0.0
    for text in BAD.values():
        begin = time.perf_counter()
        read_flow(text, registry)
        slowest = max(slowest, time.perf_counter() - begin)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"slowest": slowest * 1000, "memory": (after - before) / 1024}


FIGURES = (
    Figure(
        "flow-read",
        f"a flow of {TASKS} tasks in 270 lines",
        {"read and check": Bound("ms", 15, 8), "compile": Bound("ms")},
        one_flow,
    ),
    Figure(
        "flow-load",
        f"{LOADED_FLOWS} flows loaded",
        {"from source": Bound("s", 5), "from stored plans": Bound("s", 1)},
        many_flows,
        runs=3,
    ),
    Figure(
        "flow-refuse",
        "a bad source refused",
        {"slowest": Bound("ms", 100), "memory": Bound("MiB", 50)},
        refusals,
        runs=3,
    ),
)
