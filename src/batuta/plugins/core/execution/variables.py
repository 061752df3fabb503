"""`core.execution.SetVariables` and `core.execution.UnsetVariables`."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.merging import merge_deep
from batuta.sdk import Outcome, Placement, Property, RunContext, Task, TaskError


class SetVariables(
    Task, type="io.kestra.plugin.core.execution.SetVariables", placement=Placement.INLINE
):
    """Set or change variables of the execution.

    # What it does
    Merges the map deeply into the variables; later tasks read them as `{{ vars.name }}`.

    # Example
    ```yaml
    - id: remember
      type: io.kestra.plugin.core.execution.SetVariables
      variables:
        last_page: "{{ outputs.fetch.body }}"
    ```

    # Outputs
    None.

    # Notes
    Maps merge, a list gets the items that it does not hold yet, and null changes nothing. To replace a list, remove
    the variable with `core.execution.UnsetVariables` first.
    """

    variables: Property[dict[str, Any]] = Field(description="Names and values.")
    overwrite: Property[bool] = Field(
        default=True, description="Whether existing variables may change."
    )

    @override
    async def run(self, ctx: RunContext) -> Outcome:
        present = current_variables(ctx)
        known = [name for name in self.variables if name in present]
        if known and not self.overwrite:
            raise TaskError(
                f"`overwrite` is set to false and the following variables already exist: {','.join(known)}"
            )
        return Outcome(variables=merge_deep(present, self.variables))


class UnsetVariables(
    Task, type="io.kestra.plugin.core.execution.UnsetVariables", placement=Placement.INLINE
):
    """Remove variables of the execution.

    # What it does
    Removes the named variables; a dotted name reaches into nested maps.

    # Example
    ```yaml
    - id: forget
      type: io.kestra.plugin.core.execution.UnsetVariables
      ignoreMissing: true
      variables: [last_page, cursor.position]
    ```

    # Outputs
    None.
    """

    variables: Property[list[str]] = Field(description="Names, or dotted paths.")
    ignore_missing: Property[bool] = Field(
        default=False, description="Pass over names that do not exist."
    )

    @override
    async def run(self, ctx: RunContext) -> Outcome:
        result = dict(current_variables(ctx))
        for path in self.variables:
            removed = without(result, path.split("."))
            if removed is None and not self.ignore_missing:
                raise TaskError(f"The variable `{path}` does not exist")
            result = result if removed is None else removed
        return Outcome(variables=result)


def current_variables(ctx: RunContext) -> Mapping[str, Any]:
    """The execution's variables as they were written: templates inside stay templates."""
    held = ctx.variables.get("vars") or {}
    raw: Mapping[str, Any] = getattr(held, "raw", held)
    return raw


def without(variables: Mapping[str, Any], path: list[str]) -> dict[str, Any] | None:
    """The variables without one entry; None when it does not exist."""
    name, rest = path[0], path[1:]
    if name not in variables:
        return None
    result = dict(variables)
    if not rest:
        del result[name]
        return result
    inner = variables[name]
    removed = without(inner, rest) if isinstance(inner, Mapping) else None
    if removed is None:
        return None
    result[name] = removed
    return result
