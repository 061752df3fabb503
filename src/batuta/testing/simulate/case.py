"""A world of the engine alone as one line of JSON: what happened to which flow, kept as a regression."""

from typing import Any

import msgspec

from batuta.engine.execution import Execution
from batuta.engine.plan import Plan
from batuta.model import codec
from batuta.testing.simulate.happening import Happening


class Case(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    plan: Plan
    start: Execution
    happened: tuple[Happening, ...]


def write_case(case: Case) -> str:
    return codec.encode_text(case)


def read_case(line: str) -> Case:
    kind: Any = Case
    case: Case = codec.decode_as(kind, line.encode())
    return case
