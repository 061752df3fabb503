"""The type of a plain scalar: the rules of 01 §1.6.1, in their order."""

import base64
import binascii
import re
from typing import Any

MAX_DIGITS = 1000

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL")),
}
_BINARY = re.compile(r"[-+]?0b_*[01][01_]*", re.ASCII)
_HEX = re.compile(r"[-+]?0x_*[0-9a-fA-F][0-9a-fA-F_]*", re.ASCII)
_OCTAL = re.compile(r"[-+]?0_*[0-7][0-7_]*", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)_*", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\._*[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)",
    re.ASCII,
)
_MALFORMED = re.compile(
    r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*",
    re.ASCII,
)
_INTERESTING = frozenset("+-.0123456789")


class ScalarError(ValueError):
    """A plain text that looks like a number and is none."""


def plain_value(text: str) -> Any:
    """The value of an unquoted scalar. Raises `ScalarError`."""
    if not text:
        return ""
    if text[0] not in _INTERESTING:
        return _WORDS.get(text, text)
    return number_value(text)


def number_value(text: str) -> Any:
    """The number that a text spells, else the text. Raises `ScalarError`."""
    number = integer_value(text)
    if number is not None:
        return number
    if _FLOAT.fullmatch(text):
        _check_length(text)
        return float(text.replace("_", ""))
    if _MALFORMED.fullmatch(text):
        raise ScalarError(f"Malformed numeric value '{text}'")
    return text


def integer_value(text: str) -> int | None:
    """The integer that a text spells in one of the four bases, else None. Raises `ScalarError` above 1,000 digits."""
    digits = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        base = 10
    elif _OCTAL.fullmatch(text):
        base = 8
    elif _BINARY.fullmatch(text):
        base, digits = 2, digits.replace("0b", "", 1)
    elif _HEX.fullmatch(text):
        base, digits = 16, digits.replace("0x", "", 1)
    else:
        return None
    _check_length(digits)
    return int(digits, base)


def _check_length(digits: str) -> None:
    if len(digits) > MAX_DIGITS:
        raise ScalarError(f"Number of {len(digits)} characters exceeds the maximum of {MAX_DIGITS}")


def tagged_value(tag: str, text: str, *, plain: bool) -> Any:
    """The value of a scalar with an explicit tag. Raises `ScalarError` where the text cannot be of that type."""
    match tag.removeprefix("tag:yaml.org,2002:") if tag.startswith("tag:yaml.org,2002:") else "":
        case "int":
            number = integer_value(text)
            return text if number is None else number
        case "float":
            return _float(text)
        case "bool":
            word = _WORDS.get(text)
            return text if word is None else word
        case "null":
            return None if text else ""
        case "binary":
            return _binary(text)
        case _:
            return plain_value(text) if tag == "!" and plain else text


def _float(text: str) -> float:
    try:
        return float(text.replace("_", ""))
    except ValueError as error:
        raise ScalarError(f"Malformed numeric value '{text}'") from error


def _binary(text: str) -> str:
    try:
        return base64.b64encode(base64.b64decode("".join(text.split()), validate=True)).decode()
    except binascii.Error as error:
        raise ScalarError(f"The value of !!binary is no base64 text: {error}") from error
