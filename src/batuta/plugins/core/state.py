"""`core.state.Set`, `core.state.Get` and `core.state.Delete`: deprecated, kept in the key-value store (05 §17)."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.model import codec
from batuta.model.murmur import murmur3_text
from batuta.plugins.core.kv.entry import KeyValueType, check_key
from batuta.plugins.core.merging import merge_deep
from batuta.sdk import Output, Placement, Property, RunContext, Task, TaskError
from batuta.sdk.context import KeyValue

_FOLDER = "states_tasks-states_"


class StateTask(Task, placement=Placement.SERVER):
    """Which state is meant."""

    name: Property[str] = Field(default="default", description="The name of the state.")
    namespace: Property[bool] = Field(
        default=False, description="Whether all flows of the namespace share the state."
    )
    taskrun_value: Property[bool] = Field(
        default=True, description="Whether each item of a loop has a state of its own."
    )

    def key(self, ctx: RunContext) -> str:
        """Under which key of the flow's namespace the state is. Raises `TaskError` for a name that makes none."""
        flow = "" if self.namespace else f"{_slug(ctx)}_"
        value = ctx.info.value if self.taskrun_value else None
        item = "" if value is None else f"_{murmur3_text(value)}"
        key = f"{flow}{_FOLDER}{self.name}{item}"
        check_key(key)
        return key


def _slug(ctx: RunContext) -> str:
    return str(ctx.render("{{ flowId | slugify }}", {"flowId": ctx.info.flow_id}))


async def _read(key: str, ctx: RunContext) -> Mapping[str, Any] | None:
    """What is stored; a map, or the JSON text of one as older versions left it."""
    entry = await ctx.kv.get(ctx.info.namespace, key)
    if entry is None:
        return None
    value = codec.decode(entry.value) if isinstance(entry.value, str) else entry.value
    if not isinstance(value, Mapping):
        raise TaskError(f"The key '{key}' holds no state")
    return value


class SetOutput(Output, frozen=True, kw_only=True):
    count: int
    key: str


class Set(
    StateTask,
    type="io.kestra.plugin.core.state.Set",
    aliases=("io.kestra.core.tasks.states.Set",),
    deprecated=True,
):
    """Remember values from one execution to the next. Deprecated: use `core.kv.Set`.

    # What it does
    Merges `data` deeply into the state that is stored.

    # Example
    ```yaml
    - id: remember
      type: io.kestra.plugin.core.state.Set
      data:
        "{{ inputs.store }}": "{{ outputs.download.uri }}"
    ```

    # Outputs
    `count`: how many entries the state has now; `key`: the key of the key-value store that holds it.

    # Notes
    Lists are joined and null changes nothing. Executions that write at the same time may overwrite each other.
    """

    data: Property[dict[str, Any]] | None = Field(
        default=None, description="What is added to the state."
    )

    @override
    async def run(self, ctx: RunContext) -> SetOutput:
        key = self.key(ctx)
        state = merge_deep(await _read(key, ctx) or {}, self.data or {})
        entry = KeyValue(key=key, value=state, kind=KeyValueType.JSON)
        await ctx.kv.set(ctx.info.namespace, entry)
        return SetOutput(count=len(state), key=key)


class GetOutput(Output, frozen=True, kw_only=True):
    count: int
    data: Mapping[str, Any]


class Get(
    StateTask,
    type="io.kestra.plugin.core.state.Get",
    aliases=("io.kestra.core.tasks.states.Get",),
    deprecated=True,
):
    """Read what `core.state.Set` remembered. Deprecated: use `core.kv.Get`.

    # Example
    ```yaml
    - id: last
      type: io.kestra.plugin.core.state.Get
      name: downloads
    ```

    # Outputs
    `data`: the state, an empty map when there is none; `count`: how many entries it has.
    """

    error_on_missing: Property[bool] = Field(
        default=False, description="Whether a missing state is a failure."
    )

    @override
    async def run(self, ctx: RunContext) -> GetOutput:
        key = self.key(ctx)
        state = await _read(key, ctx)
        if state is None and self.error_on_missing:
            raise TaskError(f"State {key} not found")
        return GetOutput(count=len(state or {}), data=state or {})


class DeleteOutput(Output, frozen=True, kw_only=True):
    deleted: bool


class Delete(
    StateTask,
    type="io.kestra.plugin.core.state.Delete",
    aliases=("io.kestra.core.tasks.states.Delete",),
    deprecated=True,
):
    """Forget what `core.state.Set` remembered. Deprecated: use `core.kv.Delete`.

    # Example
    ```yaml
    - id: forget
      type: io.kestra.plugin.core.state.Delete
      errorOnMissing: true
    ```

    # Outputs
    `deleted`: whether there was such a state.
    """

    error_on_missing: Property[bool] = Field(
        default=False, description="Whether a missing state is a failure."
    )

    @override
    async def run(self, ctx: RunContext) -> DeleteOutput:
        deleted = await ctx.kv.delete(ctx.info.namespace, self.key(ctx))
        if not deleted and self.error_on_missing:
            raise TaskError(f"Unable to find the state file '{self.name}'")
        return DeleteOutput(deleted=deleted)
