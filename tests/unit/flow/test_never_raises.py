"""Whatever a source holds, reading it gives problems, never an exception."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batuta.flow.compile import compile_flow
from batuta.flow.dependency import links_of
from batuta.flow.graph import flow_graph
from batuta.flow.read import read_flow
from batuta.flow.yaml import read_yaml
from batuta.flow.yaml.emit import block
from batuta.model.ids import FlowKey
from tests.unit.flow.sources import REGISTRY

SOURCE = (Path(__file__).parent / "golden/control.yaml").read_text()
VALUE = read_yaml(SOURCE).value


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps: list[Any] = []
    if isinstance(value, dict):
        steps = list(value)
    elif isinstance(value, list):
        steps = list(range(len(value)))
    return [path, *(each for step in steps for each in _paths(value[step], (*path, step)))]


PATHS = [path for path in _paths(VALUE) if path]
ODD = st.sampled_from(
    [
        None,
        "",
        "x",
        "{{ x }}",
        "PT1S",
        0,
        -1,
        1.5,
        True,
        10**30,
        [],
        {},
        [None],
        [[]],
        {"type": None},
        {"type": "x"},
        {"type": "io.kestra.plugin.core.log.Log"},
    ]
)


def _judge(source: str) -> None:
    reading = read_flow(source, REGISTRY, exists=lambda _namespace, _id: False)
    assert (reading.flow is None) == bool(reading.errors)
    if reading.flow is not None:
        compile_flow(reading.flow, key=FlowKey("main", "a", "b"), revision=1)
        flow_graph(reading.flow)
        links_of(reading.flow)


@given(st.sampled_from(PATHS), ODD)
def test_any_value_may_stand_anywhere(path: tuple[Any, ...], value: Any) -> None:
    data = deepcopy(VALUE)
    owner = data
    for step in path[:-1]:
        owner = owner[step]
    owner[path[-1]] = value
    _judge(block(data, 0))


@given(st.integers(0, len(SOURCE)), st.sampled_from("\t:-\"'{}[]&*<|>#%@!?,\x00\ufeffé\n"))
def test_any_character_may_stand_anywhere(offset: int, character: str) -> None:
    _judge(SOURCE[:offset] + character + SOURCE[offset:])


@given(st.text(max_size=60))
def test_any_text_may_be_a_source(text: str) -> None:
    _judge(text)
