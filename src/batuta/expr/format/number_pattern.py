"""Numbers by the patterns of `DecimalFormat` (02 §7.4). Rounding is half-even on the exact value."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from math import isinf, isnan

import msgspec

from batuta.expr.errors import LimitError
from batuta.expr.format.names import number_symbols
from batuta.expr.values import Value

_CONTEXT = Context(prec=2_000, rounding=ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999)
_MAX_DIGITS = 1_000
_DEFAULT = "#,##0.###"
_SPECIAL = "0#.,E%‰;'"


class NumberPattern(msgspec.Struct, frozen=True, kw_only=True):
    """Prefixes and suffixes, digits, grouping, scale."""

    prefix: str
    suffix: str
    negative_prefix: str | None
    negative_suffix: str
    min_integer: int
    max_integer: int
    min_fraction: int
    max_fraction: int
    group: int
    multiplier: int
    exponent_digits: int


@lru_cache(maxsize=512)
def parse_number_pattern(pattern: str) -> NumberPattern:
    """Raises `ValueError` for a pattern that the original refuses."""
    positive, negative = _subpatterns(pattern or _DEFAULT)
    prefix, body, suffix = _split(positive)
    negative_prefix, negative_suffix = None, ""
    if negative is not None:
        negative_prefix, _, negative_suffix = _split(negative)
    multiplier = 1
    for symbol, factor in (("%", 100), ("‰", 1_000)):
        if ("\0" + symbol) in prefix + suffix:
            multiplier = factor
    return _digits(
        body,
        prefix=prefix,
        suffix=suffix,
        negative_prefix=negative_prefix,
        negative_suffix=negative_suffix,
        multiplier=multiplier,
    )


def _subpatterns(pattern: str) -> tuple[str, str | None]:
    quoted = False
    for index, char in enumerate(pattern):
        if char == "'":
            quoted = not quoted
        elif char == ";" and not quoted:
            return pattern[:index], pattern[index + 1 :]
    return pattern, None


def _split(pattern: str) -> tuple[str, str, str]:
    """Prefix, digits and suffix; symbols of the locale in the affixes are marked with NUL."""
    prefix, index = _affix(pattern, 0)
    start = index
    while index < len(pattern) and pattern[index] in "0#.,":
        index += 1
    if index < len(pattern) and pattern[index] == "E" and pattern[index + 1 : index + 2] == "0":
        index += 1
        while pattern[index : index + 1] == "0":
            index += 1
    body = pattern[start:index]
    suffix, end = _affix(pattern, index)
    if end != len(pattern):
        raise ValueError(f'Unquoted special character \'{pattern[end]}\' in pattern "{pattern}"')
    return prefix, body, suffix


def _affix(pattern: str, index: int) -> tuple[str, int]:
    text = ""
    while index < len(pattern):
        char = pattern[index]
        if char == "'":
            index, literal = _quoted(pattern, index)
            text += literal
            continue
        if char in "0#.,":
            break
        text += "\0" + char if char in "%‰-" else char
        index += 1
    return text, index


def _quoted(pattern: str, index: int) -> tuple[int, str]:
    if pattern[index + 1 : index + 2] == "'":
        return index + 2, "'"
    end = pattern.find("'", index + 1)
    if end < 0:
        end = len(pattern)
    return end + 1, pattern[index + 1 : end]


def _digits(
    body: str,
    *,
    prefix: str,
    suffix: str,
    negative_prefix: str | None,
    negative_suffix: str,
    multiplier: int,
) -> NumberPattern:
    body, _, exponent = body.partition("E")
    whole, point, fraction = body.partition(".")
    if "." in fraction or "," in fraction:
        raise ValueError(f'Malformed pattern "{body}"')
    digits = whole.replace(",", "")
    if "0#" in digits or "#0" in fraction or "," == whole[-1:]:
        raise ValueError(f'Malformed pattern "{body}"')
    required = digits.count("0")
    if required == 0 and digits and not point:
        required = 0
    return NumberPattern(
        prefix=prefix,
        suffix=suffix,
        negative_prefix=negative_prefix,
        negative_suffix=negative_suffix,
        min_integer=required,
        max_integer=len(digits),
        min_fraction=fraction.count("0"),
        max_fraction=len(fraction),
        group=len(whole) - whole.rfind(",") - 1 if "," in whole else 0,
        multiplier=multiplier,
        exponent_digits=len(exponent),
    )


def format_number(value: Value, pattern: str | None, locale: str) -> str:
    """A number by a pattern; without one grouped and with at most three decimals."""
    parsed = parse_number_pattern(pattern or _DEFAULT)
    if isinstance(value, float) and isnan(value):
        return "NaN"
    negative = _is_negative(value)
    if isinstance(value, float) and isinf(value):
        text = "∞"
    else:
        exact = abs(Decimal(value)) * parsed.multiplier
        if exact.adjusted() > _MAX_DIGITS:
            raise LimitError("The number has too many digits")
        text = _scientific(exact, parsed, locale) if parsed.exponent_digits else _plain(exact, parsed, locale)
    return _with_affixes(text, parsed, locale, negative=negative)


def _is_negative(value: Value) -> bool:
    if isinstance(value, float):
        return value < 0 or (value == 0 and str(value).startswith("-"))
    return bool(value < 0)


def _with_affixes(text: str, pattern: NumberPattern, locale: str, *, negative: bool) -> str:
    _, _, minus, percent = number_symbols(locale)
    prefix, suffix = pattern.prefix, pattern.suffix
    if negative:
        if pattern.negative_prefix is None:
            prefix = "\0-" + prefix
        else:
            prefix, suffix = pattern.negative_prefix, pattern.negative_suffix

    def localized(affix: str) -> str:
        return affix.replace("\0%", percent).replace("\0-", minus).replace("\0", "")

    return localized(prefix) + text + localized(suffix)


def _round(value: Decimal, decimals: int) -> Decimal:
    return _CONTEXT.quantize(value, Decimal(1).scaleb(-decimals))


def _plain(value: Decimal, pattern: NumberPattern, locale: str) -> str:
    decimal_mark, group_mark, _, _ = number_symbols(locale)
    rounded = _round(value, min(pattern.max_fraction, _MAX_DIGITS))
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.lstrip("0").rjust(pattern.min_integer, "0")
    fraction = fraction.rstrip("0").ljust(pattern.min_fraction, "0")
    if not whole and not fraction:
        whole = "0"
    return _grouped(whole, pattern.group, group_mark) + (decimal_mark + fraction if fraction else "")


def _grouped(digits: str, size: int, mark: str) -> str:
    if size == 0:
        return digits
    head = len(digits) % size
    groups = [digits[:head]] if head else []
    groups += [digits[index : index + size] for index in range(head, len(digits), size)]
    return mark.join(groups)


def _scientific(value: Decimal, pattern: NumberPattern, locale: str) -> str:
    """`##0.###E0`: the maximum of integer digits is a step of the exponent if it exceeds the minimum."""
    decimal_mark = number_symbols(locale)[0]
    power = _power(value, pattern)
    mantissa = _mantissa(value, power, pattern)
    if mantissa.adjusted() >= max(pattern.max_integer, 1) and mantissa != 0:
        power += pattern.max_integer if pattern.max_integer > pattern.min_integer else 1
        mantissa = _mantissa(value, power, pattern)
    whole, _, fraction = format(mantissa, "f").partition(".")
    whole = whole.lstrip("0").rjust(pattern.min_integer, "0")
    fraction = fraction.rstrip("0").ljust(pattern.min_fraction, "0")
    exponent = f"{'-' if power < 0 else ''}{abs(power):0{pattern.exponent_digits}}"
    if not whole and not fraction:
        whole = "0"
    return whole + (decimal_mark + fraction if fraction else "") + "E" + exponent


def _power(value: Decimal, pattern: NumberPattern) -> int:
    if value == 0:
        return 0
    leading = value.adjusted()
    if pattern.max_integer > 1 and pattern.max_integer > pattern.min_integer:
        return leading // pattern.max_integer * pattern.max_integer
    if pattern.min_integer > 0 or pattern.min_fraction > 0:
        return leading + 1 - max(pattern.min_integer, 0 if pattern.min_fraction else 1)
    return leading


def _mantissa(value: Decimal, power: int, pattern: NumberPattern) -> Decimal:
    scaled = value.scaleb(-power, _CONTEXT)
    if pattern.max_integer > pattern.min_integer and pattern.max_integer > 1:
        # Significant digits: those the pattern asks for before the point plus those after it.
        significant = pattern.min_integer + pattern.max_fraction
        decimals = max(significant - scaled.adjusted() - 1, 0)
        return _round(scaled, decimals)
    return _round(scaled, pattern.max_fraction)
