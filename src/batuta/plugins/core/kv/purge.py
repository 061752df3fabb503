"""`core.kv.PurgeKV`."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from batuta.plugins.core.date import read_optional
from batuta.sdk import Output, Placement, Property, PropertyError, RunContext, Task, TaskError
from batuta.sdk.definition import Deprecated, Variant


class Behavior(Variant):
    """What of a key is removed: `key` means all of it, `version` some of its versions."""

    VARIANTS: ClassVar = {
        "key": {"type": True, "expiredOnly": False},
        "version": {"type": True, "before": False, "keepAmount": False},
    }

    type: Literal["key", "version"] = Field(description="`key` or `version`.")
    expired_only: Property[bool] = Field(
        default=True, description="Whether only keys go whose time is over."
    )
    before: Property[str] | None = Field(
        default=None,
        description="Versions up to this date-time go, but never the last one.",
    )
    keep_amount: Property[int] | None = Field(
        default=None, description="How many of the newest versions of a key stay."
    )


class PurgeOutput(Output, frozen=True, kw_only=True):
    size: int


class PurgeKV(Task, type="io.kestra.plugin.core.kv.PurgeKV", placement=Placement.SERVER):
    """Remove expired keys, or old versions of keys.

    # What it does
    Removes entries of the key-value store for good, by default all keys whose time is over. Looks in the namespaces
    that hold flows.

    # Example
    ```yaml
    - id: clean_keys
      type: io.kestra.plugin.core.kv.PurgeKV
      namespaces: [company]
      keyPattern: "tmp_*"
      behavior:
        type: version
        keepAmount: 3
    ```

    # Outputs
    `size`: how many versions of keys are gone.

    # Notes
    `behavior` is `type: key` with `expiredOnly` (default true), or `type: version` with `before` or `keepAmount`;
    with neither of the two every version goes. Children of a namespace are all whose name begins with its name.
    """

    namespaces: Property[list[str]] | None = Field(
        default=None, description="Namespaces to look in; all when absent."
    )
    namespace_pattern: Property[str] | None = Field(
        default=None, description="A pattern of namespaces with `*` and `?`, instead of a list."
    )
    include_child_namespaces: Property[bool] = Field(
        default=True, description="Whether `namespaces` means their children, too."
    )
    key_pattern: Property[str] | None = Field(
        default=None, description="A pattern of keys with `*` and `?`; all when absent."
    )
    behavior: Property[Behavior] = Field(
        default=Behavior(type="key"), description="What is removed of a key."
    )
    expired_only: Annotated[Property[bool] | None, Deprecated()] = Field(
        default=None, description="Whether only expired keys go; use `behavior`."
    )

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.namespaces is not None and self.namespace_pattern is not None:
            raise ValueError("Cannot set both 'namespaces' and 'namespacePattern' properties")
        return self

    @override
    async def run(self, ctx: RunContext) -> PurgeOutput:
        purged = await ctx.ask(
            "kv.purge",
            {
                "namespaces": self.namespaces,
                "namespace_pattern": self.namespace_pattern,
                "children": self.include_child_namespaces,
                "key_pattern": self.key_pattern,
                **self._behavior(),
            },
        )
        namespaces, size = purged["namespaces"], purged["size"]
        ctx.log.write("INFO", f"purging {len(namespaces)} namespaces: [{', '.join(namespaces)}]")
        ctx.log.write("INFO", f"purged {size} keys")
        return PurgeOutput(size=size)

    def _behavior(self) -> Mapping[str, Any]:
        behavior = self.behavior
        if self.expired_only is not None:
            return {"expired_only": self.expired_only}
        if behavior.type == "key":
            return {"expired_only": behavior.expired_only}
        if behavior.before is not None and behavior.keep_amount is not None:
            raise TaskError("Cannot set both 'before' and 'keepAmount' properties")
        if behavior.keep_amount is not None and behavior.keep_amount < 0:
            raise PropertyError("behavior.keepAmount", "must not be negative")
        return {
            "versions": True,
            "before": read_optional("behavior.before", behavior.before),
            "keep": behavior.keep_amount,
        }
