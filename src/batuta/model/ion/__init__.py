"""Rows as Amazon Ion text, one value per line: the format of row files in internal storage (05 §3.6).

Python's values stand for the original's: naive `datetime` is a LocalDateTime, one in UTC an Instant, one of a `ZoneInfo` a
ZonedDateTime, one of another offset an OffsetDateTime; `time`, `date`, `timedelta` and `Decimal` are what they say.
"""

from batuta.model.ion.reader import IonError, RowReader, read_one, read_values
from batuta.model.ion.writer import to_json_data, write_row, write_value

__all__ = [
    "IonError",
    "RowReader",
    "read_one",
    "read_values",
    "to_json_data",
    "write_row",
    "write_value",
]
