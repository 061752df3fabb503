"""`core.kv.Get`, `core.kv.GetKeys` and `core.kv.Delete`."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.kv.entry import check_key, find, missing, namespace_of, shown
from batuta.sdk import Output, Placement, Property, RunContext, Task

_NAMESPACE = "The namespace; the flow's own when absent."
_DEFAULT_NAMESPACE: dict[str, Any] = {"default": "{{ flow.namespace }}"}


class GetOutput(Output, frozen=True, kw_only=True):
    value: Any = None


class Get(Task, type="io.kestra.plugin.core.kv.Get", placement=Placement.SERVER):
    """Read a value by its key.

    # What it does
    Looks in the namespace; for the flow's own namespace also in its parents, the nearest first.

    # Example
    ```yaml
    - id: last
      type: io.kestra.plugin.core.kv.Get
      key: last_run
    ```

    # Outputs
    `value`: the value with its type, null when there is none. Durations are numbers of seconds.

    # Notes
    Fails when the value has expired; from then on the key is missing.
    """

    key: Property[str] = Field(description="The key.")
    namespace: Property[str] | None = Field(
        default=None, description=_NAMESPACE, json_schema_extra=_DEFAULT_NAMESPACE
    )
    error_on_missing: Property[bool] = Field(
        default=False, description="Whether a missing key is a failure."
    )

    @override
    async def run(self, ctx: RunContext) -> GetOutput:
        check_key(self.key)
        namespace = namespace_of(self.namespace, ctx)
        entry = await find(self.key, namespace, ctx)
        if entry is None and self.error_on_missing:
            raise missing(self.key, namespace)
        return GetOutput(value=None if entry is None else shown(entry))


class KeysOutput(Output, frozen=True, kw_only=True):
    keys: list[str]


class GetKeys(Task, type="io.kestra.plugin.core.kv.GetKeys", placement=Placement.SERVER):
    """List keys.

    # What it does
    Lists the keys of one namespace (not of its parents) that start with a prefix.

    # Example
    ```yaml
    - id: pending
      type: io.kestra.plugin.core.kv.GetKeys
      prefix: job_
    ```

    # Outputs
    `keys`: the names, sorted.
    """

    prefix: Property[str] | None = Field(
        default=None, description="What the keys start with; all keys when absent."
    )
    namespace: Property[str] | None = Field(
        default=None, description=_NAMESPACE, json_schema_extra=_DEFAULT_NAMESPACE
    )

    @override
    async def run(self, ctx: RunContext) -> KeysOutput:
        names = await ctx.kv.keys(namespace_of(self.namespace, ctx))
        return KeysOutput(keys=[name for name in names if name.startswith(self.prefix or "")])


class DeleteOutput(Output, frozen=True, kw_only=True):
    deleted: bool


class Delete(Task, type="io.kestra.plugin.core.kv.Delete", placement=Placement.SERVER):
    """Remove a key.

    # Example
    ```yaml
    - id: forget
      type: io.kestra.plugin.core.kv.Delete
      key: last_run
    ```

    # Outputs
    `deleted`: whether there was such a key.
    """

    key: Property[str] = Field(description="The key.")
    namespace: Property[str] | None = Field(
        default=None, description=_NAMESPACE, json_schema_extra=_DEFAULT_NAMESPACE
    )
    error_on_missing: Property[bool] = Field(
        default=False, description="Whether a missing key is a failure."
    )

    @override
    async def run(self, ctx: RunContext) -> DeleteOutput:
        check_key(self.key)
        namespace = namespace_of(self.namespace, ctx)
        deleted = await ctx.kv.delete(namespace, self.key)
        if not deleted and self.error_on_missing:
            raise missing(self.key, namespace)
        return DeleteOutput(deleted=deleted)
