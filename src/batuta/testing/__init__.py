"""The public test kit: run a flow in memory, hold time and ids in your hand, compare with recorded behaviour.

from batuta.testing import run_flow

def test_my_task() -> None:
    done = run_flow(SOURCE, inputs={"name": "Ada"}, plugins=[MyTask])
    assert done.outputs["mine"] == {"value": 42}
"""

from batuta.testing.clock import FakeClock, SeededIds
from batuta.testing.run import FlowRun, FlowTimeoutError, run_flow

__all__ = ["FakeClock", "FlowRun", "FlowTimeoutError", "SeededIds", "run_flow"]
