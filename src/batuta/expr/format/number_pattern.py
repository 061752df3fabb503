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
_UNLIMITED = 10**9
_DIGITS = "0#.,"


class NumberPattern(msgspec.Struct, frozen=True, kw_only=True):
    """Symbols of the locale in prefixes and suffixes are marked with NUL before them."""

    prefix: str
    suffix: str
    negative: tuple[str, str] | None
    digits: "DigitRules"
    multiplier: int


class DigitRules(msgspec.Struct, frozen=True, kw_only=True):
    """How many digits, and where."""

    min_integer: int
    max_integer: int
    min_fraction: int
    max_fraction: int
    group: int
    always_point: bool
    exponent_digits: int


@lru_cache(maxsize=512)
def parse_number_pattern(pattern: str) -> NumberPattern:
    """Raises `ValueError` for a pattern that the original refuses."""
    positive, negative = _subpatterns(pattern or _DEFAULT)
    prefix, body, suffix = _split(positive)
    affixes = None
    if negative is not None:
        negative_prefix, _, negative_suffix = _split(negative)
        if (negative_prefix, negative_suffix) != (prefix, suffix):
            affixes = negative_prefix, negative_suffix
    return NumberPattern(
        prefix=prefix,
        suffix=suffix,
        negative=affixes,
        digits=_digit_rules(body),
        multiplier=100 if "\0%" in prefix + suffix else 1_000 if "\0‰" in prefix + suffix else 1,
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
    """Prefix, digits and suffix."""
    prefix, start = _affix(pattern, 0)
    index = start
    while index < len(pattern) and pattern[index] in _DIGITS:
        index += 1
    if index > start and pattern.startswith("E0", index):
        index += 1
        while pattern.startswith("0", index):
            index += 1
    suffix, end = _affix(pattern, index)
    if end != len(pattern):
        raise ValueError(f"Unquoted special character '{pattern[end]}' in pattern \"{pattern}\"")
    return prefix, pattern[start:index], suffix


def _affix(pattern: str, index: int) -> tuple[str, int]:
    text = ""
    while index < len(pattern) and pattern[index] not in _DIGITS:
        char = pattern[index]
        if char == "'":
            literal, index = _quoted(pattern, index)
            text += literal
        else:
            text += f"\0{char}" if char in "%‰-" else char
            index += 1
    return text, index


def _quoted(pattern: str, index: int) -> tuple[str, int]:
    if pattern.startswith("''", index):
        return "'", index + 2
    end = pattern.find("'", index + 1)
    if end < 0:
        raise ValueError(f'Unfinished quote in pattern "{pattern}"')
    return pattern[index + 1 : end], end + 1


def _digit_rules(body: str) -> DigitRules:
    """The counting rules of the original: a pattern of `#` only has one required digit before the point."""
    mantissa, _, exponent = body.partition("E")
    whole, point, fraction = mantissa.partition(".")
    if "." in fraction or "," in fraction or whole.endswith(",") or len(body) > _MAX_DIGITS:
        raise ValueError(f'Malformed pattern "{body}"')
    places = whole.replace(",", "")
    left, required, right = _runs(places + fraction, body)
    if required == 0 and left > 0 and point:
        position = max(len(places), 1)
        left, required, right = position - 1, 1, left - position
    decimal = len(places) if point else left + required + right
    if (not point and right > 0) or not left <= decimal <= left + required:
        raise ValueError(f'Malformed pattern "{body}"')
    if exponent and left + required < 1:
        raise ValueError(f'Malformed exponential pattern "{body}"')
    total = left + required + right
    min_integer = decimal - left
    return DigitRules(
        min_integer=min_integer,
        max_integer=left + min_integer if exponent else _UNLIMITED,
        min_fraction=left + required - decimal if point else 0,
        max_fraction=total - decimal if point else 0,
        group=len(whole) - whole.rfind(",") - 1 if "," in whole else 0,
        always_point=bool(point) and decimal in {0, total},
        exponent_digits=len(exponent),
    )


def _runs(places: str, body: str) -> tuple[int, int, int]:
    """Optional, required and again optional digits; `0` after the second run is malformed."""
    left = len(places) - len(places.lstrip("#"))
    rest = places[left:]
    right = len(rest) - len(rest.rstrip("#"))
    required = len(rest) - right
    if "#" in rest[:required]:
        raise ValueError(f"Unexpected '0' in pattern \"{body}\"")
    return left, required, right


def format_number(value: Value, pattern: str | None, locale: str) -> str:
    """A number by a pattern; without one grouped and with at most three decimals."""
    parsed = parse_number_pattern(pattern or _DEFAULT)
    if isinstance(value, float) and isnan(value):
        return "NaN"
    if isinstance(value, float) and isinf(value):
        text = "∞"
    else:
        exact = abs(Decimal(value)) * parsed.multiplier
        if abs(exact.adjusted()) > _MAX_DIGITS:
            raise LimitError("The number has too many digits")
        write = _scientific if parsed.digits.exponent_digits else _plain
        text = write(exact, parsed.digits, locale)
    return _with_affixes(text, parsed, locale, negative=_is_negative(value))


def _is_negative(value: Value) -> bool:
    if isinstance(value, float):
        return value < 0 or (value == 0 and str(value).startswith("-"))
    return bool(value < 0)


def _with_affixes(text: str, pattern: NumberPattern, locale: str, *, negative: bool) -> str:
    _, _, minus, percent = number_symbols(locale)
    prefix, suffix = pattern.prefix, pattern.suffix
    if negative:
        prefix, suffix = pattern.negative or (f"\0-{prefix}", suffix)

    def localized(affix: str) -> str:
        return affix.replace("\0%", percent).replace("\0-", minus).replace("\0", "")

    return localized(prefix) + text + localized(suffix)


def _plain(value: Decimal, rules: DigitRules, locale: str) -> str:
    decimal_mark, group_mark, _, _ = number_symbols(locale)
    rounded = _CONTEXT.quantize(value, Decimal(1).scaleb(-rules.max_fraction))
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.lstrip("0").rjust(rules.min_integer, "0")
    fraction = fraction.rstrip("0").ljust(rules.min_fraction, "0")
    if not whole and not fraction:
        whole = "0"
    text = _grouped(whole, rules.group, group_mark)
    return text + decimal_mark + fraction if fraction or rules.always_point else text


def _grouped(digits: str, size: int, mark: str) -> str:
    if size == 0:
        return digits
    head = len(digits) % size
    groups = [digits[:head]] if head else []
    groups += [digits[index : index + size] for index in range(head, len(digits), size)]
    return mark.join(groups)


def _scientific(value: Decimal, rules: DigitRules, locale: str) -> str:
    """Significant digits are rounded to the most that integer and fraction part may have together."""
    digits, point = _significant(value, rules.max_integer + rules.max_fraction)
    repeat = rules.max_integer
    least = rules.min_integer
    if repeat > 1 and repeat > rules.min_integer:
        exponent = (point - 1) // repeat * repeat
        least = 1
    else:
        exponent = point - rules.min_integer
    integers = point - exponent if digits else least
    if not digits:
        exponent = 0
    total = max(len(digits), rules.min_integer + rules.min_fraction, integers)
    shown = digits.ljust(total, "0")
    whole, fraction = shown[:integers], shown[integers:]
    mark = number_symbols(locale)[0] if fraction or rules.always_point else ""
    sign = "-" if exponent < 0 else ""
    return f"{whole}{mark}{fraction}E{sign}{abs(exponent):0{rules.exponent_digits}}"


def _significant(value: Decimal, count: int) -> tuple[str, int]:
    """Digits without trailing zeros, and how many of them are before the point."""
    if value == 0:
        return "", 0
    value = Context(prec=count, rounding=ROUND_HALF_EVEN).plus(value)
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    return digits, value.adjusted() + 1
