"""Values of inputs and outputs: read as the declared type, then held against the declared bounds (01 §2.2)."""

import math
import re
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from batuta.expr.errors import ExpressionError
from batuta.expr.regex import matches_whole
from batuta.flow.literal import java_text
from batuta.flow.yaml import YamlError, read_yaml
from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND
from batuta.sdk.input import Input, InputType

INT_RANGE = range(-(2**31), 2**31)
ENCRYPTED_TYPE = "io.kestra.datatype:aes_encrypted"
NO_ENCRYPTION = "Unable to use a `SECRET` input/output as encryption is not configured"
Encrypt = Callable[[str], str]

_URI = re.compile(
    r"[a-z]+://(www\.)?[-a-zA-Z0-9@:%._+~#=]{1,256}\.[a-zA-Z0-9()]{1,6}\b([-a-zA-Z0-9()@:%_+.~#?&/=]*)",
    re.ASCII,
)
_EMAIL = re.compile(r"|[a-zA-Z0-9_!#$%&’*+/=?`{|}~^.-]+@[a-zA-Z0-9.-]+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[dDfF]?", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d+", re.ASCII)


class ValueProblem(ValueError):  # noqa: N818 - a mistake of the one who gives the value
    """Why a value is refused; a text that follows "Invalid input for `x`, "."""


def read_value(kind: InputType, value: Any, *, item_type: InputType | None = None) -> Any:
    """The value as it is stored. Raises `ValueProblem`. SECRET stays as it is given."""
    if kind in {InputType.ARRAY, InputType.MULTISELECT}:
        return _read_list(kind, value, item_type or InputType.STRING)
    return _READERS[kind](value)


def check_value(declared: Input, value: Any, *, choices: list[str] | None) -> None:
    """Hold a stored value against bounds, pattern and choices. Raises `ValueProblem`."""
    kind = declared.type
    if kind in {InputType.STRING, InputType.SECRET}:
        _check_pattern(declared.validator, value)
    elif kind in {InputType.INT, InputType.FLOAT}:
        _check_bounds(value, declared.min, declared.max, word="it")
    elif kind is InputType.DURATION:
        _check_durations(value, declared)
    elif kind in {InputType.DATE, InputType.TIME, InputType.DATETIME}:
        _check_period(kind, value, declared)
    elif kind in {InputType.SELECT, InputType.ENUM, InputType.MULTISELECT}:
        _check_choices(declared, value, choices)
    elif kind is InputType.FILE:
        _check_extension(declared, value)


def encrypted(value: str, encrypt: Encrypt | None) -> str:
    """Raises `ValueProblem` when no key is configured."""
    if encrypt is None:
        raise ValueProblem(NO_ENCRYPTION)
    return encrypt(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return codec.encode_text(value) if isinstance(value, Mapping | list) else java_text(value)


def _int(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = java_text(value) if not isinstance(value, str) else value
    if isinstance(value, bool | Mapping | list) or not _WHOLE.fullmatch(text):
        raise ValueProblem(f'For input string: "{_text(value)}"')
    number = int(text)
    if number not in INT_RANGE:
        raise ValueProblem(f'For input string: "{text}"')
    return number


def _float(value: Any) -> float:
    text = value.strip() if isinstance(value, str) else java_text(value)
    if isinstance(value, bool | Mapping | list) or not _NUMBER.fullmatch(text):
        raise ValueProblem(f'For input string: "{_text(value)}"')
    return _single_precision(float(text.rstrip("dDfF")))


def _single_precision(number: float) -> float:
    """The shortest number that is the same in 32 bits, as the original prints it."""
    try:
        packed = struct.pack("f", number)
    except OverflowError:
        return math.copysign(math.inf, number)
    for digits in range(6, 10):
        candidate = float(f"{number:.{digits}g}")
        if struct.pack("f", candidate) == packed:
            return candidate
    return number


def _bool(value: Any) -> bool:
    return value if isinstance(value, bool) else _text(value).strip().lower() == "true"


def _expected(kind: InputType, value: Any, cause: object) -> ValueProblem:
    return ValueProblem(
        f"Expected `{kind.value}` but received `{_text(value)}` with errors: {cause}"
    )


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(_strict(value)).isoformat()
    except ValueError as error:
        raise _expected(InputType.DATE, value, error) from error


def _strict(value: Any) -> str:
    text = _text(value)
    if "-" not in text:
        raise ValueError("the form is yyyy-MM-dd")
    return text


def _time(value: Any) -> str:
    try:
        text = _text(value)
        if ":" not in text:
            raise ValueError("the form is HH:mm:ss")  # noqa: TRY301
        moment = time.fromisoformat(text)
        if moment.tzinfo is not None:
            raise ValueError("a time has no offset")  # noqa: TRY301
    except ValueError as error:
        raise _expected(InputType.TIME, value, error) from error
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return moment.strftime("%H:%M:%S") + (f".{fraction}" if fraction else "")


def _datetime(value: Any) -> str:
    try:
        text = _text(value)
        moment = datetime.fromisoformat(text.partition("[")[0])
        if moment.tzinfo is None or "T" not in text.upper():
            raise ValueError("a date-time ends with `Z` or an offset")  # noqa: TRY301
    except ValueError as error:
        raise _expected(InputType.DATETIME, value, error) from error
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _duration(value: Any) -> float:
    """In seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return parse_duration(_text(value)) / SECOND
    except ValueError as error:
        raise _expected(InputType.DURATION, value, error) from error


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return codec.decode(value)
    except ValueError as error:
        raise _expected(InputType.JSON, value, error) from error


def _yaml(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_yaml(value).value
    except YamlError as error:
        raise _expected(InputType.YAML, value, error) from error


def _uri(value: Any) -> str:
    text = _text(value)
    if not _URI.fullmatch(text):
        raise ValueProblem(f"Expected `URI` but received `{text}`")
    return text


def _email(value: Any) -> str:
    text = _text(value)
    if not _EMAIL.fullmatch(text):
        raise ValueProblem("The input must be a valid email")
    return text


def _file(value: Any) -> str:
    text = _text(value)
    if "://" not in text:
        raise ValueProblem("expected an uploaded file or a URI such as kestra:///…")
    return text


def _read_list(kind: InputType, value: Any, item_type: InputType) -> list[Any]:
    items = value
    if isinstance(value, str):
        try:
            items = codec.decode(value)
        except ValueError as error:
            raise _expected(kind, value, error) from error
    if not isinstance(items, list):
        raise _expected(kind, value, "it is no list")
    result = []
    for item in items:
        try:
            result.append(read_value(item_type, item))
        except ValueProblem as problem:
            raise ValueProblem(
                f"Unable to parse array element as `{item_type.value}` on `{_text(item)}`"
            ) from problem
    return result


_READERS: Mapping[InputType, Callable[[Any], Any]] = {
    InputType.STRING: _text,
    InputType.ENUM: _text,
    InputType.SELECT: _text,
    InputType.SECRET: _text,
    InputType.INT: _int,
    InputType.FLOAT: _float,
    InputType.BOOLEAN: _bool,
    InputType.BOOL: _bool,
    InputType.DATETIME: _datetime,
    InputType.DATE: _date,
    InputType.TIME: _time,
    InputType.DURATION: _duration,
    InputType.FILE: _file,
    InputType.JSON: _json,
    InputType.URI: _uri,
    InputType.YAML: _yaml,
    InputType.EMAIL: _email,
}


def _check_pattern(pattern: str | None, value: Any) -> None:
    if pattern is None:
        return
    try:
        fits = matches_whole(str(value), pattern)
    except ExpressionError as error:
        raise ValueProblem(f"the pattern `{pattern}` cannot be used: {error}") from error
    if not fits:
        raise ValueProblem(f"it must match the pattern `{pattern}`")


def _check_bounds(value: Any, low: Any, high: Any, *, word: str) -> None:
    if low is not None and value < float(low):
        raise ValueProblem(f"{word} must be more than `{java_text(low)}`")
    if high is not None and value > float(high):
        raise ValueProblem(f"{word} must be less than `{java_text(high)}`")


def _check_durations(value: float, declared: Input) -> None:
    if declared.min is not None and value < parse_duration(str(declared.min)) / SECOND:
        raise ValueProblem(f"It must be more than `{declared.min}`")
    if declared.max is not None and value > parse_duration(str(declared.max)) / SECOND:
        raise ValueProblem(f"It must be less than `{declared.max}`")


def _check_period(kind: InputType, value: str, declared: Input) -> None:
    read = _READERS[kind]
    if declared.after is not None and value < read(declared.after):
        raise ValueProblem(f"it must be after `{declared.after}`")
    if declared.before is not None and value > read(declared.before):
        raise ValueProblem(f"it must be before `{declared.before}`")


def _check_choices(declared: Input, value: Any, choices: list[str] | None) -> None:
    if choices is None or declared.allow_custom_value:
        return
    given = value if isinstance(value, list) else [value]
    if any(_text(each) not in choices for each in given):
        raise ValueProblem(f"it must match the values `[{', '.join(choices)}]`")


def _check_extension(declared: Input, uri: str) -> None:
    allowed = declared.allowed_file_extensions
    if not allowed:
        return
    # Uploads are stored with the extension of the declaration behind the name of the file (01 §2.6).
    name = uri.lower().removesuffix((declared.extension or ".upl").lower())
    endings = tuple(f".{each.lower().removeprefix('.')}" for each in allowed)
    if not name.endswith(endings) and not uri.lower().endswith(endings):
        raise ValueProblem(f"it must be a file with one of the extensions `[{', '.join(endings)}]`")
