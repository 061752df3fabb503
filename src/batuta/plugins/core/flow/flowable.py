"""What all control tasks with children have in common."""

from pydantic import Field

from batuta.sdk.definition import ControlTask, TaskBase

NO_TASKS = "The 'tasks' property cannot be empty"
Tasks = list[TaskBase]


class Flowable(ControlTask):
    """A task with an error branch and a final branch of its own."""

    errors: Tasks | None = Field(
        default=None, description="Tasks to run when a task inside has failed."
    )
    finally_: Tasks | None = Field(
        default=None,
        alias="finally",
        description="Tasks to run at the end, whether tasks inside failed or not.",
    )
