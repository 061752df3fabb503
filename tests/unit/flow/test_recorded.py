"""The recorded readings and verdicts of the original, where this machine has them."""

import json
from collections.abc import Callable

import pytest

from batuta.flow.compile import compile_flow
from batuta.flow.read import read_flow
from batuta.model.ids import FlowKey
from batuta.sdk import Registry
from batuta.testing.conformance import validation, yaml
from tests.paths import SHARED

CONFORMANCE = SHARED / "conformance"
VERDICTS = SHARED / "reference" / "validation-examples.json"

Check = Callable[[], str | None]


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="needs the recorded cases")
@pytest.mark.parametrize("kind", ["yaml", "validation"])
def test_all_recorded_cases_pass(kind: str) -> None:
    module = {"yaml": yaml, "validation": validation}[kind]
    outcomes = {name: check() for name, check in module.cases(CONFORMANCE / f"{kind}.yaml")}
    assert {name: said for name, said in outcomes.items() if said is not None} == {}
    assert len(outcomes) > 400


@pytest.mark.skipif(not VERDICTS.is_file(), reason="needs the example flows")
def test_example_flows_are_judged_as_recorded_and_valid_ones_compile() -> None:
    registry = Registry.installed()
    wrong = {}
    for name, recorded in json.loads(VERDICTS.read_text()).items():
        verdict = recorded.get("withoutExtend", recorded)
        reading = read_flow((SHARED / "examples" / name).read_text(), registry)
        if reading.is_valid != verdict["valid"]:
            wrong[name] = [str(problem) for problem in reading.errors]
        if reading.flow is not None:
            key = FlowKey("main", reading.flow.namespace, reading.flow.id)
            assert compile_flow(reading.flow, key=key, revision=1).tasks
    assert wrong == {}
