"""Sets of positions as hexadecimal digits: small beside a row, and joined at once however many there are."""

from collections.abc import Iterable


def to_text(places: Iterable[int]) -> str:
    return f"{sum(1 << place for place in set(places)):x}"


def to_number(text: str | None) -> int:
    """A number whose bits are the positions."""
    return int(text or "0", 16)
