"""Date-times of dynamic properties."""

import re

from batuta.model.instant import Instant, from_iso
from batuta.sdk import PropertyError

_ZONE = re.compile(r"\[[\w/+-]+\]\Z", re.ASCII)


def read_instant(name: str, text: str) -> Instant:
    """An ISO-8601 date-time with `Z` or an offset; the name of a zone may follow. Raises `PropertyError`."""
    try:
        return from_iso(_ZONE.sub("", text.strip()))
    except ValueError as error:
        raise PropertyError(
            name, f"expected a date-time such as 2026-01-31T00:00:00Z, got `{text}`"
        ) from error


def read_optional(name: str, text: str | None) -> Instant | None:
    return None if text is None or not text.strip() else read_instant(name, text)
