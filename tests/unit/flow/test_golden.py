"""Plans and graphs of whole flows, kept as files. `GOLDEN=write` writes them anew."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batuta.flow.compile import compile_flow
from batuta.flow.definition import Flow
from batuta.flow.graph import flow_graph, to_mermaid
from batuta.flow.read import read_flow
from batuta.model import codec
from batuta.model.ids import FlowKey
from tests.unit.flow.sources import REGISTRY

FOLDER = Path(__file__).parent / "golden"


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _plan(flow: Flow) -> str:
    plan = compile_flow(flow, key=FlowKey("main", flow.namespace, flow.id), revision=1)
    return _pretty(_sorted(codec.to_plain(plan)))


def _sorted(value: Any) -> Any:
    """Sets have no order."""
    if isinstance(value, dict):
        return {
            key: sorted(item) if key == "outputs_read" and item else _sorted(item)
            for key, item in value.items()
        }
    return [_sorted(item) for item in value] if isinstance(value, list) else value


SHAPES: dict[str, Callable[[Flow], str]] = {
    "plan.json": _plan,
    "graph.json": lambda flow: _pretty(flow_graph(flow).to_json()),
    "graph.mmd": lambda flow: to_mermaid(flow_graph(flow)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_flow_becomes_what_is_on_file(source: Path, shape: str) -> None:
    reading = read_flow(source.read_text(), REGISTRY)
    assert reading.problems == ()
    assert reading.flow is not None
    found = SHAPES[shape](reading.flow)
    path = source.with_suffix(f".{shape}")
    if os.environ.get("GOLDEN") == "write":
        path.write_text(found)
    assert found == path.read_text()
