"""`core.kv.Set`."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.expr.values import to_plain
from batuta.model import codec
from batuta.model.instant import Instant
from batuta.plugins.core.kv.entry import KeyValueType, check_key, convert, namespace_of
from batuta.sdk import Lazy, Placement, Property, PropertyError, RunContext, Task, TaskError
from batuta.sdk.context import KeyValue
from batuta.sdk.types import Duration


class Set(Task, type="io.kestra.plugin.core.kv.Set", placement=Placement.SERVER):
    """Store a value under a key.

    # What it does
    Renders the value and stores it in the key-value store of a namespace. A lone expression keeps its type; anything
    else is text, which `kvType` converts.

    # Example
    ```yaml
    - id: remember
      type: io.kestra.plugin.core.kv.Set
      key: last_run
      value: "{{ execution.startDate }}"
      kvType: DATETIME
      ttl: P30D
    ```

    # Outputs
    None.

    # Notes
    Numbers and maps written in YAML are stored as text unless `kvType` says otherwise. A text that looks like an
    ISO-8601 duration is read back as a duration. `DATE` needs a date-time, as in Kestra 1.1; midnight in UTC is read
    back as a date.
    """

    key: Property[str] = Field(description="The key: letters, digits, `.`, `_` and `-`.")
    value: Lazy[Any] = Field(description="The value.", json_schema_extra={"type": "string"})
    namespace: Property[str] | None = Field(
        default=None,
        description="The namespace; the flow's own when absent.",
        json_schema_extra={"default": "{{ flow.namespace }}"},
    )
    kv_type: Property[KeyValueType] | None = Field(
        default=None, description="What a text is converted to."
    )
    overwrite: Property[bool] = Field(
        default=True, description="Whether an existing key may be replaced."
    )
    ttl: Property[Duration] | None = Field(
        default=None, description="How long the key lives; for ever when absent."
    )
    kv_description: Property[str] | None = Field(default=None, description="What the key is for.")

    @override
    async def run(self, ctx: RunContext) -> None:
        check_key(self.key)
        raw = self.value if isinstance(self.value, str) else codec.encode_text(self.value)
        try:
            value, kind = convert(to_plain(ctx.render_typed(raw)), self.kv_type)
        except ValueError as error:
            raise TaskError(str(error)) from error
        entry = KeyValue(
            key=self.key,
            value=value,
            kind=kind,
            description=self.kv_description,
            expires=self._expires(ctx),
        )
        try:
            await ctx.kv.set(namespace_of(self.namespace, ctx), entry, overwrite=self.overwrite)
        except KeyError as error:
            raise TaskError(
                f"Cannot set value for key '{self.key}'. Key already exists and `overwrite` is set to `false`."
            ) from error

    def _expires(self, ctx: RunContext) -> Instant | None:
        if self.ttl is None:
            return None
        if self.ttl < 0:
            raise PropertyError("ttl", "must not be negative")
        return Instant(ctx.now() + self.ttl)
