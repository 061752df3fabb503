"""Recorded results of trigger conditions: a condition, the flow that listens, the execution that is tested."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from batuta.expr import Context, ExpressionError, render
from batuta.sdk import Condition, PluginError, Registry
from batuta.sdk.rendering import render_definition
from batuta.testing.conformance.casefile import load_cases


def cases(path: Path) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Name and check of every case; a check returns the difference, or None."""
    registry = Registry(["batuta.plugins.core"])
    for case in load_cases(path):
        yield str(case["name"]), partial(_check, case, registry)


def _check(case: Mapping[str, Any], registry: Registry) -> str | None:
    try:
        result = _evaluate(case, registry)
    except (PluginError, ExpressionError, ValidationError, ValueError) as error:
        return None if "error" in case else f"expected {case['result']}, got an error: {error}"
    if "error" in case:
        return f"expected an error ({case['error']}), got {result}"
    return None if result is case["result"] else f"expected {case['result']}, got {result}"


def _evaluate(case: Mapping[str, Any], registry: Registry) -> bool:
    spec = case["condition"]
    kind = registry.get(spec["type"])
    if not issubclass(kind, Condition):
        raise PluginError(f"{spec['type']} is no condition")
    condition = render_definition(kind, spec, render=lambda template: template, registry=registry)
    return condition.test(_facts(case), _renderer(case))


def _facts(case: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"flow": case["flow"], **(case.get("variables") or {})}
    if case.get("execution") is not None:
        facts["execution"] = case["execution"]
    return facts


def _renderer(case: Mapping[str, Any]) -> Callable[..., str | None]:
    """Templates see an execution as 02 §3 shows it."""
    execution = case.get("execution") or {}
    seen: dict[str, Any] = {"flow": case["flow"]}
    if execution:
        seen["execution"] = {
            "id": execution.get("id"),
            "state": (execution.get("state") or {}).get("current"),
            "outputs": execution.get("outputs"),
        }
        seen["labels"] = {each["key"]: each["value"] for each in execution.get("labels") or ()}
    context = Context({**seen, **(case.get("variables") or {})})

    def text(template: str, extra: Mapping[str, Any] | None = None) -> str | None:
        return render(template, context.with_variables(extra) if extra else context)

    return text
