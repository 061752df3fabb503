"""ISO-8601 durations as `java.time.Duration` reads and prints them; values are integer microseconds."""

import re

from batuta.model.instant import DAY, HOUR, MINUTE, SECOND, Micros

_PATTERN = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<days>[+-]?\d+)D)?"
    r"(?:T(?:(?P<hours>[+-]?\d+)H)?(?:(?P<minutes>[+-]?\d+)M)?(?:(?P<seconds>[+-]?\d+(?:[.,]\d{0,9})?)S)?)?",
    re.IGNORECASE | re.ASCII,
)


def parse_duration(text: str) -> Micros:
    """Microseconds of `PT1H30M`, `P2DT5S`, `PT-0.5S`, … Raises `ValueError` for years, months, weeks and the rest."""
    match = _PATTERN.fullmatch(text)
    if (
        match is None
        or not any(match[part] for part in ("days", "hours", "minutes", "seconds"))
        or text[-1] in "Tt"
    ):
        raise ValueError(f"`{text}` is no ISO-8601 duration such as PT30S, PT5M or P1DT2H")
    total = (
        int(match["days"] or 0) * DAY
        + int(match["hours"] or 0) * HOUR
        + int(match["minutes"] or 0) * MINUTE
    )
    total += _micros(match["seconds"] or "0")
    return -total if match["sign"] == "-" else total


def _micros(seconds: str) -> Micros:
    whole, _, fraction = seconds.replace(",", ".").partition(".")
    micros = int(whole) * SECOND
    part = int((fraction + "000000")[:6])
    return micros - part if whole.startswith("-") else micros + part


def format_duration(micros: Micros) -> str:
    """As `java.time.Duration.toString()`: hours, minutes and seconds, never days."""
    if micros == 0:
        return "PT0S"
    sign, rest = (-1, -micros) if micros < 0 else (1, micros)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    text = "PT"
    if hours:
        text += f"{sign * hours}H"
    if minutes:
        text += f"{sign * minutes}M"
    if seconds or fraction:
        decimals = f".{fraction:06d}".rstrip("0") if fraction else ""
        text += f"{'-' if sign < 0 else ''}{seconds}{decimals}S"
    return text
