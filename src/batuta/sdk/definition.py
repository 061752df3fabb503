"""Definitions: the documented properties of tasks, triggers, conditions and task runners.

Every definition is a frozen pydantic model with camelCase names on the wire that refuses unknown properties. A plugin
names its `type` (and aliases) in its class statement; the registry finds it by that text, never by its Python path.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from typing_extensions import override

from batuta.sdk.property import Property

if TYPE_CHECKING:
    from batuta.engine.plan import AnyNode
    from batuta.sdk.context import RunContext
    from batuta.sdk.control import NodeBuilder


class Definition(BaseModel):
    """Base of every object an author can write inside a flow."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=False,
        defer_build=True,
        arbitrary_types_allowed=True,
    )


class Placement(StrEnum):
    """Where a task runs."""

    INLINE = "inline"
    """By the executor, inside the commit: touches nothing but its arguments and never awaits."""
    SERVER = "server"
    """On the event loop of the server: touches only our own store and storage."""
    WORKER = "worker"
    """In a worker process."""


class Plugin(Definition):
    """A definition chosen by its `type`."""

    TYPE: ClassVar[str] = ""
    ALIASES: ClassVar[tuple[str, ...]] = ()
    DEPRECATED: ClassVar[bool] = False

    type: str
    version: str | None = None

    @override
    def __init_subclass__(
        cls,
        *,
        type: str | None = None,
        aliases: tuple[str, ...] = (),
        deprecated: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if type is not None:
            cls.TYPE, cls.ALIASES, cls.DEPRECATED = type, aliases, deprecated


class Retry(Definition):
    """01 §5.3; checked by the flow reader, compiled to `engine.plan.Retry`."""

    type: str
    interval: str | None = None
    max_interval: str | None = None
    min_interval: str | None = None
    delay_factor: float | None = None
    max_attempts: int | None = Field(default=None, ge=1)
    max_duration: str | None = None
    warning_on_retry: bool = False
    behavior: str = "RETRY_FAILED_TASK"


class WorkerGroup(Definition):
    key: str | None = None
    fallback: str | None = None


class TaskCache(Definition):
    enabled: bool
    ttl: str | None = None


class TaskBase(Plugin):
    """Properties of every task (01 §5.1, 05 §2)."""

    id: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", min_length=1, max_length=256)
    description: str | None = None
    disabled: bool = False
    run_if: str | None = None
    retry: Retry | None = None
    timeout: Property[str] | None = None
    allow_failure: bool = False
    allow_warning: bool = False
    log_level: str | None = None
    log_to_file: bool = False
    worker_group: WorkerGroup | None = None
    task_cache: TaskCache | None = None


class Task(TaskBase):
    """A runnable task. Subclasses declare properties and `run`."""

    PLACEMENT: ClassVar[Placement] = Placement.WORKER

    @override
    def __init_subclass__(cls, *, placement: Placement | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if placement is not None:
            cls.PLACEMENT = placement

    async def run(self, ctx: "RunContext") -> Any:
        """Do the work with rendered properties.

        Returns an `Output`, a map, an `Outcome`, or None. Raises `TaskError` to fail; any other exception fails
        the attempt too, with its text as the message. Cancellation arrives as `asyncio.CancelledError`.
        """
        raise TypeError(f"{type(self).__name__} declares no run()")


class ControlTask(TaskBase):
    """A task that only moves other tasks: it compiles to a node of the engine and never runs itself."""

    def compile(self, build: "NodeBuilder") -> "AnyNode":
        """The node of this task; `build` compiles its children."""
        raise TypeError(f"{type(self).__name__} declares no compile()")


class Condition(Plugin):
    """A condition of a trigger (04)."""

    def test(self, variables: Mapping[str, Any], render: Any) -> bool:
        """Whether the condition holds. `render` turns a template into text."""
        raise TypeError(f"{type(self).__name__} declares no test()")


class Trigger(Plugin):
    """Properties of every trigger (04)."""

    id: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", min_length=1, max_length=256)
    description: str | None = None
    disabled: bool = False
    conditions: list[Condition] | None = None
    worker_group: WorkerGroup | None = None
    log_level: str | None = None
    log_to_file: bool = False
    stop_after: list[str] | None = None
    labels: Any = None
    fail_on_trigger_error: bool = False
    allow_concurrent: bool = False


class TaskRunner(Plugin):
    """How and where the command of a script task is executed (05 §20, 06 §6)."""
