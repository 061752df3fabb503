"""What a plugin author imports: definitions, dynamic properties, the run context, outputs and errors.

A task is a definition (its documented properties) plus one function of its rendered properties and a context:

    class Return(Task, type="io.kestra.plugin.core.debug.Return"):
        format: Property[str] | None = None

        async def run(self, ctx: RunContext) -> ReturnOutput: ...
"""

from batuta.sdk.context import RunContext
from batuta.sdk.definition import (
    Condition,
    ControlTask,
    Definition,
    Placement,
    Plugin,
    Task,
    TaskRunner,
    Trigger,
)
from batuta.sdk.errors import PluginError, PropertyError, TaskError
from batuta.sdk.output import Outcome, Output
from batuta.sdk.property import Lazy, Property
from batuta.sdk.registry import Registry

__all__ = [
    "Condition",
    "ControlTask",
    "Definition",
    "Lazy",
    "Outcome",
    "Output",
    "Placement",
    "Plugin",
    "PluginError",
    "Property",
    "PropertyError",
    "Registry",
    "RunContext",
    "Task",
    "TaskError",
    "TaskRunner",
    "Trigger",
]
