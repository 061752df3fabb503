"""Numbers as the original prints them (02 §2.2)."""

import struct
from decimal import Decimal
from math import inf, isinf, isnan

from batuta.expr.errors import LimitError

_MAX_PLAIN_DIGITS = 100_000
_PLAIN_EXPONENT = -6
_SCIENTIFIC_LOW, _SCIENTIFIC_HIGH = 1e-3, 1e7


def double_text(value: float) -> str:
    """Shortest digits that read back the same; scientific below 1e-3 and from 1e7."""
    size = -value if value < 0 else value
    if _SCIENTIFIC_LOW <= size < _SCIENTIFIC_HIGH:
        return float.__repr__(value)
    if size == 0:
        return float.__repr__(value)
    if not size < inf:
        return "NaN" if isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return _scientific(float.__repr__(value))


def float_text(value: float) -> str:
    """The same for a value that is a 32-bit float."""
    if value == 0 or isnan(value) or isinf(value):
        return double_text(value)
    digits = _shortest_float(value)
    if _SCIENTIFIC_LOW <= abs(value) < _SCIENTIFIC_HIGH:
        plain = format(Decimal(digits), "f")
        return plain if "." in plain else f"{plain}.0"
    return _scientific(digits)


def round_to_float(value: float) -> float:
    """The nearest 32-bit float; beyond its range an infinity."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def decimal_text(value: Decimal) -> str:
    """As `BigDecimal.toString`: plain unless the exponent is far out."""
    if not value.is_finite():
        return str(value)
    sign, digits, exponent = value.as_tuple()
    scale = -int(exponent)
    adjusted = len(digits) - 1 - scale
    if scale >= 0 and adjusted >= _PLAIN_EXPONENT:
        return plain_decimal(value)
    coefficient = "".join(map(str, digits))
    mantissa = coefficient[0] + (f".{coefficient[1:]}" if len(coefficient) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}E{'+' if adjusted >= 0 else ''}{adjusted}"


def plain_decimal(value: Decimal) -> str:
    """Without an exponent."""
    if abs(value.adjusted()) > _MAX_PLAIN_DIGITS:
        raise LimitError("The number has too many digits")
    return format(value, "f")


_FLOAT_DIGITS = 9
"""So many tell every 32-bit float from the others."""


def _shortest_float(value: float) -> str:
    for precision in range(1, _FLOAT_DIGITS):
        text = f"{value:.{precision}g}"
        if round_to_float(float(text)) == value:
            return text
    return f"{value:.{_FLOAT_DIGITS}g}"


def _scientific(text: str) -> str:
    sign, digits, exponent = Decimal(text).as_tuple()
    coefficient = "".join(map(str, digits)).rstrip("0")
    power = len(digits) - 1 + int(exponent)
    return f"{'-' if sign else ''}{coefficient[0]}.{coefficient[1:] or '0'}E{power}"
