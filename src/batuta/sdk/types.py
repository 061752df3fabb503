"""Types of properties beyond the plain ones."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND, Micros


def read_duration(value: Any) -> Micros:
    """Microseconds of an ISO-8601 duration, or of a number of seconds as number or text (05 §1.2).

    Raises `ValueError`.
    """
    if isinstance(value, bool):
        raise ValueError("expected a duration such as PT30S")  # noqa: TRY004 - pydantic reads ValueError
    if isinstance(value, int | float):
        return round(value * SECOND)
    text = str(value).strip()
    try:
        return round(float(text) * SECOND)
    except ValueError:
        return parse_duration(text)


Duration = Annotated[Micros, BeforeValidator(read_duration)]
"""Integer microseconds; the author writes `PT30S`, or a number of seconds."""
