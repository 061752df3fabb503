"""Definitions: the documented properties of tasks, triggers, conditions and task runners.

Every definition is a frozen pydantic model with camelCase names on the wire that refuses unknown properties. A plugin
names its `type` (and aliases) in its class statement; the registry finds it by that text, never by its Python path.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import override

from batuta.model.state import State
from batuta.sdk.property import Property, dynamic_marker

if TYPE_CHECKING:
    from batuta.engine.plan import AnyNode
    from batuta.sdk.context import RunContext
    from batuta.sdk.control import NodeBuilder


RESOLVE = "resolve"
"""Key of the validation context: turns a type name into its class."""


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
        regex_engine="python-re",
    )

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Older names of properties that the author may still use, and what they stand for."""

    @classmethod
    @override
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Bounds of a dynamic property hold for its rendered value, so they are checked inside its marker."""
        super().__pydantic_init_subclass__(**kwargs)
        for field in cls.model_fields.values():
            marker = dynamic_marker(field.annotation, field.metadata)
            if marker is not None and field.metadata and field.metadata[-1] is not marker:
                field.metadata = [*(meta for meta in field.metadata if meta is not marker), marker]


class Format:
    """Marks a text that must have a form: `duration`, `date-time`, `date`, `time`, `uri`."""

    def __init__(self, name: str) -> None:
        self.name = name


class Deprecated:
    """Marks a property that is accepted and reported as deprecated."""


DurationText = Annotated[str, Format("duration")]
"""ISO-8601 text such as `PT30S`."""
DateTime = Annotated[str, Format("date-time")]
TimeOfDay = Annotated[str, Format("partial-time")]
LogLevel = Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]


class Variant(Definition):
    """An object whose `type` decides which of its properties may (false) and must (true) be written."""

    VARIANTS: ClassVar[Mapping[str, Mapping[str, bool]]] = {}
    DEPRECATED_VARIANTS: ClassVar[frozenset[str]] = frozenset()
    NARROWED: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Annotations of properties that are narrower in some variants than in the class."""


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
    STAND_IN: ClassVar[bool] = False
    """Whether the class stands for many types, of which this installation runs none."""

    _spec: Mapping[str, Any] = PrivateAttr(default_factory=dict)

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

    @property
    def spec(self) -> Mapping[str, Any]:
        """The properties as the author wrote them, plugin defaults merged; empty when made by a program."""
        return self._spec

    @model_validator(mode="wrap")
    @classmethod
    def _choose_class(
        cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Make the class that `type` names where any plugin of a kind may stand."""
        resolve: Callable[[str], type[Plugin]] | None = (info.context or {}).get(RESOLVE)
        if resolve is None or not isinstance(value, Mapping):
            return handler(value)
        if cls.TYPE or cls.STAND_IN or not isinstance(value.get("type"), str):
            made = handler(value)
            made._spec = value  # noqa: SLF001 - its own class
            return made
        chosen = resolve(value["type"])
        if not issubclass(chosen, cls):
            raise ValueError(f"{value['type']} is no {cls.__name__}")  # noqa: TRY004 - pydantic reads ValueError
        return chosen.model_validate(value, context=info.context)


_RETRY_COMMON = {
    "type": True,
    "maxAttempts": False,
    "maxDuration": False,
    "warningOnRetry": False,
    "behavior": False,
}


class Retry(Variant):
    """01 §5.3; compiled to `engine.plan.Retry`."""

    VARIANTS: ClassVar[Mapping[str, Mapping[str, bool]]] = {
        "constant": {**_RETRY_COMMON, "interval": True},
        "exponential": {
            **_RETRY_COMMON,
            "interval": True,
            "maxInterval": True,
            "delayFactor": False,
        },
        "random": {**_RETRY_COMMON, "minInterval": True, "maxInterval": True},
    }
    RENAMED: ClassVar[Mapping[str, str]] = {"maxAttempt": "maxAttempts"}

    type: str
    interval: DurationText | None = None
    max_interval: DurationText | None = None
    min_interval: DurationText | None = None
    delay_factor: float | None = None
    max_attempts: int | None = Field(default=None, ge=1)
    max_duration: DurationText | None = None
    warning_on_retry: bool = False
    behavior: Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"] = "RETRY_FAILED_TASK"


class WorkerGroup(Definition):
    key: Property[str] | None = None
    fallback: Literal["FAIL", "WAIT", "CANCEL"] | None = None


class TaskCache(Definition):
    enabled: bool
    ttl: DurationText | None = None


class TaskBase(Plugin):
    """Properties of every task (01 §5.1, 05 §2)."""

    id: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", min_length=1, max_length=256)
    description: str | None = None
    disabled: bool = False
    run_if: str | None = None
    retry: Retry | None = None
    timeout: Property[DurationText] | None = None
    allow_failure: bool = False
    allow_warning: bool = False
    log_level: LogLevel | None = None
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

    ROLE: ClassVar[str] = "flowable"
    """`flowable`, or `executable` for one that starts executions."""

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

    RENAMED: ClassVar[Mapping[str, str]] = {"minLogLevel": "logLevel"}

    id: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$", min_length=1)
    description: str | None = None
    disabled: bool = False
    conditions: list[Condition] | None = None
    worker_group: WorkerGroup | None = None
    log_level: LogLevel | None = None
    log_to_file: bool = False
    stop_after: list[State] | None = None
    labels: Any = None
    fail_on_trigger_error: bool = False
    allow_concurrent: bool = False


class TaskRunner(Plugin):
    """How and where the command of a script task is executed (05 §20, 06 §6)."""
