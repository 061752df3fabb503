"""Flows as the API shows them (03 §6.1, §6.2, §6.12)."""

from typing import Any

from batuta.flow.read import Reading
from batuta.model import codec
from batuta.model.problem import Problem
from batuta.operations.flows import FoundSource, Verdict
from batuta.store.rows import FlowRow


def flow_wire(row: FlowRow, *, source: bool = False) -> dict[str, Any]:
    definition: dict[str, Any] = codec.decode(row.data)
    return {
        **definition,
        "id": row.key.id,
        "namespace": row.key.namespace,
        "revision": row.revision,
        "disabled": row.disabled,
        "deleted": row.deleted,
        "tenantId": row.key.tenant,
        **({"source": row.source} if source else {}),
    }


def template_wire(row: FlowRow) -> dict[str, Any]:
    """A template (03 §21)."""
    definition: dict[str, Any] = codec.decode(row.data)
    return {**definition, "tenantId": row.key.tenant, "deleted": row.deleted}


def unreadable_wire(row: FlowRow, exception: str) -> dict[str, Any]:
    """A stored flow that cannot be read any more: its text is there, its parts are not."""
    return {
        "id": row.key.id,
        "namespace": row.key.namespace,
        "revision": row.revision,
        "disabled": row.disabled,
        "deleted": row.deleted,
        "tenantId": row.key.tenant,
        "tasks": [],
        "source": row.source,
        "exception": exception,
    }


def verdict_wire(verdict: Verdict) -> dict[str, Any]:
    """For a valid flow `constraints` is absent, which clients test."""
    reading = verdict.reading
    wire: dict[str, Any] = {"index": verdict.index, "outdated": verdict.outdated}
    if reading.id is not None:
        wire["flow"] = reading.id
    if reading.namespace is not None:
        wire["namespace"] = reading.namespace
    if not reading.is_valid:
        wire["constraints"] = ", ".join(_text(problem) for problem in reading.errors)
        # Beyond Kestra's shape, for editors: where each problem stands.
        wire["problems"] = [_place(problem) for problem in reading.errors]
    if reading.tree is not None:
        wire["deprecationPaths"] = [problem.path for problem in reading.deprecations]
        wire["warnings"] = [_text(problem) for problem in reading.warnings]
        wire["infos"] = [problem.message for problem in reading.infos]
    return wire


def part_wire(reading: Reading) -> dict[str, Any]:
    """The verdict on a task or trigger alone."""
    wire: dict[str, Any] = {"index": 0, "outdated": False}
    if reading.errors:
        wire["constraints"] = ", ".join(_text(problem) for problem in reading.errors)
        wire["problems"] = [_place(problem) for problem in reading.errors]
    return {
        **wire,
        "deprecationPaths": [problem.path for problem in reading.deprecations],
        "warnings": [_text(problem) for problem in reading.warnings],
        "infos": [problem.message for problem in reading.infos],
    }


def found_source_wire(found: FoundSource) -> dict[str, Any]:
    return {"model": flow_wire(found.row), "fragments": list(found.fragments)}


def _text(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def _place(problem: Problem) -> dict[str, Any]:
    values = (
        ("message", problem.message),
        ("path", problem.path or None),
        ("line", problem.line),
        ("column", problem.column),
        ("suggestion", problem.suggestion),
    )
    return {name: value for name, value in values if value is not None}
