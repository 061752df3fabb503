"""What stands in for a type that Kestra has and this installation does not run."""

from typing import ClassVar

from pydantic import ConfigDict
from typing_extensions import override

from batuta.sdk.context import RunContext
from batuta.sdk.definition import Condition, Placement, Plugin, Task, TaskRunner, Trigger
from batuta.sdk.errors import TaskError, unavailable_message


class UnavailableTask(Task, placement=Placement.INLINE):
    """Keeps whatever the author wrote; fails when it is run."""

    model_config = ConfigDict(extra="allow")
    STAND_IN: ClassVar[bool] = True

    @override
    async def run(self, ctx: RunContext) -> None:
        raise TaskError(unavailable_message(self.type))


class UnavailableTrigger(Trigger):
    """Never fires."""

    model_config = ConfigDict(extra="allow")
    STAND_IN: ClassVar[bool] = True


class UnavailableCondition(Condition):
    """Cannot be tested."""

    model_config = ConfigDict(extra="allow")
    STAND_IN: ClassVar[bool] = True


class UnavailableRunner(TaskRunner):
    """Cannot execute anything."""

    model_config = ConfigDict(extra="allow")
    STAND_IN: ClassVar[bool] = True


class UnavailablePart(Plugin):
    """Any other nested plugin object."""

    model_config = ConfigDict(extra="allow")
    STAND_IN: ClassVar[bool] = True


STAND_INS: dict[str, type[Plugin]] = {
    "task": UnavailableTask,
    "trigger": UnavailableTrigger,
    "condition": UnavailableCondition,
    "taskRunner": UnavailableRunner,
}


def stand_in(kind: str) -> type[Plugin]:
    """The class for a type of this kind."""
    return STAND_INS.get(kind, UnavailablePart)
