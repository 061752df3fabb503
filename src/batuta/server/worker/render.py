"""Rendering with the variables of one job."""

from collections.abc import Mapping
from typing import Any

from batuta.expr import Context, LazyVars, render_typed, render_value
from batuta.expr.host import Host


class JobRenderer:
    """Templates over the variables of a job; `vars` renders what it holds when it is read (02 §3)."""

    def __init__(self, variables: Mapping[str, Any], host: Host, *, lazy_variables: bool) -> None:
        raw = variables.get("vars")
        self.variables: dict[str, Any] = dict(variables)
        self._context = context = Context(self.variables, host)
        if lazy_variables and isinstance(raw, Mapping):
            self.variables["vars"] = LazyVars(raw, lambda value: render_value(value, context))

    def render(self, template: Any, extra: Mapping[str, Any] | None = None) -> Any:
        return render_value(template, self._with(extra))

    def render_typed(self, template: str, extra: Mapping[str, Any] | None = None) -> Any:
        return render_typed(template, self._with(extra))

    def _with(self, extra: Mapping[str, Any] | None) -> Context:
        return self._context.with_variables(extra) if extra else self._context
