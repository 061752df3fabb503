"""In which time several executions must happen to count together (04 §10.5)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from batuta.sdk.definition import Definition, DurationText, TimeOfDay

_ALLOWED = {
    "DAILY_TIME_DEADLINE": ("deadline",),
    "DAILY_TIME_WINDOW": ("start_time", "end_time"),
    "DURATION_WINDOW": ("window", "window_advance"),
    "SLIDING_WINDOW": ("window",),
}
_REQUIRED = {
    "DAILY_TIME_DEADLINE": (("deadline", "a deadline"),),
    "DAILY_TIME_WINDOW": (("start_time", "a start time"), ("end_time", "an end time")),
    "DURATION_WINDOW": (),
    "SLIDING_WINDOW": (),
}
_NAMES = {
    "deadline": "a deadline",
    "start_time": "a start time",
    "end_time": "an end time",
    "window": "a window",
    "window_advance": "a window advance",
}


class TimeWindow(Definition):
    """A day until a deadline, a part of a day, or a length of time."""

    type: Literal[
        "DAILY_TIME_DEADLINE", "DAILY_TIME_WINDOW", "DURATION_WINDOW", "SLIDING_WINDOW"
    ] = Field(default="DURATION_WINDOW", description="How the window is given.")
    deadline: TimeOfDay | None = Field(default=None, description="The time of day that ends it.")
    start_time: TimeOfDay | None = Field(default=None, description="When it begins each day.")
    end_time: TimeOfDay | None = Field(default=None, description="When it ends each day.")
    window: DurationText | None = Field(
        default=None, description="How long it is; a day when absent."
    )
    window_advance: DurationText | None = Field(
        default=None, description="How much later than midnight it begins."
    )

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        for name, words in _REQUIRED[self.type]:
            if getattr(self, name) is None:
                raise ValueError(f"Time window of type `{self.type}` must have {words}.")
        for name, words in _NAMES.items():
            if name not in _ALLOWED[self.type] and getattr(self, name) is not None:
                raise ValueError(f"Time window of type `{self.type}` cannot have {words}.")
        return self
