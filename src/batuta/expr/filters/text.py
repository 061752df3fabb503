"""Filters on text."""

import unicodedata

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, LimitError, RuntimeFaultError
from batuta.expr.format.text import java_text
from batuta.expr.regex import java_replace, java_split, plain_replace
from batuta.expr.registry import FILTERS
from batuta.expr.utf16 import cut, units
from batuta.expr.values import Array, LeafMap, Value, class_name, is_map, is_number

_TRIMMED = "".join(map(chr, range(0x21)))
_QUOTES = {"single": ("'", "\\'"), "double": ('"', '\\"'), "shell": ("'", "'\\''")}
_ELLIPSIS = "..."
_MAX_INDENT = 10_000


def needs_text(value: Value) -> str:
    """The text, or a raw error for anything else."""
    if type(value) is str:
        return value
    raise RuntimeFaultError(f"class {class_name(value)} cannot be cast to class java.lang.String")


def _long(value: Value, what: str) -> int:
    """A 64-bit integer; 32-bit ones of the context are refused, as in the original (02 §4)."""
    if class_name(value) != "java.lang.Long":
        raise RuntimeFaultError(f"{what} must be a 64-bit integer, not {class_name(value)}")
    return int(value)


def fits(s: State, size: int) -> None:
    """Raises if a text of that size must not be made."""
    if size > s.host.settings.limits.text_chars:
        raise LimitError("The text would be too long")


@FILTERS(
    "abbreviate",
    "length",
    template="{{ 'a rather long text' | abbreviate(8) }}",
    result="a rat...",
)
def abbreviate(value: Value, length: Value) -> Value:
    """Shortens a text to a length, ellipsis included."""
    if value is None:
        return None
    text = needs_text(value)
    limit = _long(length, "length")
    if limit < 0:
        raise EvaluationError("Invalid argument to abbreviate filter; must be greater than zero")
    size = units(text)
    dots = len(_ELLIPSIS)
    if size < limit or size <= dots:
        return text
    return cut(text, 0, limit) if limit <= dots else cut(text, 0, limit - dots) + _ELLIPSIS


@FILTERS(
    "capitalize", plain=True, template="{{ 'hello world' | capitalize }}", result="Hello world"
)
def capitalize(value: Value) -> Value:
    """Turns the first character that is no space to title case."""
    if value is None:
        return None
    text = needs_text(value)
    for index, char in enumerate(text):
        if not char.isspace():
            return text[:index] + char.title()[:1] + text[index + 1 :]
    return text


@FILTERS("title", plain=True, template="{{ 'hello wORLD' | title }}", result="Hello WORLD")
def title(value: Value) -> Value:
    """Turns the first letter of each word to title case."""
    if value is None:
        return None
    result = []
    starts = True
    for char in needs_text(value):
        result.append(char.title()[:1] if starts else char)
        starts = char.isspace()
    return "".join(result)


@FILTERS("lower", plain=True, template="{{ 'ABC' | lower }}", result="abc")
def lower(value: Value) -> Value:
    """Turns text to lower case."""
    if type(value) is str:
        return value.lower()
    return None if value is None else java_text(value).lower()


@FILTERS("upper", plain=True, template="{{ 'straße' | upper }}", result="STRASSE")
def upper(value: Value) -> Value:
    """Turns text to upper case."""
    if type(value) is str:
        return value.upper()
    return None if value is None else java_text(value).upper()


@FILTERS("trim", plain=True, template="[{{ '  x ' | trim }}]", result="[x]")
def trim(value: Value) -> Value:
    """Removes white space and control characters from both ends."""
    return None if value is None else needs_text(value).strip(_TRIMMED)


@FILTERS("string", plain=True, template="{{ 12 | string ~ '!' }}", result="12!")
def string(value: Value) -> Value:
    """The value as text."""
    return None if value is None else java_text(value)


@FILTERS("startsWith", "value", template="{{ 'report' | startsWith('rep') }}", result="true")
def starts_with(value: Value, prefix: Value) -> bool:
    """Tells whether a text begins with another."""
    return java_text(_given(value)).startswith(java_text(_given(prefix)))


@FILTERS("endsWith", "value", template="{{ 'a.csv' | endsWith('.csv') }}", result="true")
def ends_with(value: Value, suffix: Value) -> bool:
    """Tells whether a text ends with another."""
    return java_text(_given(value)).endswith(java_text(_given(suffix)))


def _given(value: Value) -> Value:
    if value is None:
        raise RuntimeFaultError("a value is missing")
    return value


@FILTERS("escapeChar", "type", template="{{ \"it's\" | escapeChar('shell') }}", result="it'\\''s")
def escape_char(value: Value, kind: Value) -> Value:
    """Escapes quotes: `single`, `double` or `shell`."""
    if value is None:
        return None
    pair = _QUOTES.get(kind.lower()) if isinstance(kind, str) else None
    if pair is None:
        raise EvaluationError(
            "The 'escapeChar' filter expects an argument 'type' of 'single', 'double' or 'shell'."
        )
    return LeafMap(lambda leaf: None if leaf is None else java_text(leaf).replace(*pair)).apply(
        value
    )


@FILTERS(
    "replace",
    "replace_pairs",
    "regexp",
    with_state=True,
    template="{{ 'a-b' | replace({'-': '+'}) }}",
    result="a+b",
)
def replace(s: State, value: Value, *arguments: Value) -> Value:
    """Replaces parts of a text, literally or by regular expressions with `$1` references."""
    replace_pairs, regexp = arguments
    if value is None:
        return None
    if replace_pairs is None:
        raise EvaluationError("The argument 'replace_pairs' is required.")
    if not is_map(replace_pairs):
        raise RuntimeFaultError(f"a map is needed, not {class_name(replace_pairs)}")
    if regexp is not None and not isinstance(regexp, bool):
        raise RuntimeFaultError("the argument 'regexp' must be a boolean")
    pairs = [(java_text(key), java_text(_given(item))) for key, item in replace_pairs.items()]

    limit = s.host.settings.limits.text_chars
    code = java_replace if regexp else plain_replace

    def leaf(item: Value) -> Value:
        if item is None:
            return None
        text = java_text(item)
        for old, new in pairs:
            text = code(text, old, new, limit=limit)
        return text

    return LeafMap(leaf).apply(value)


@FILTERS(
    "split", "delimiter", "limit", template="{{ 'a,b,c' | split(',', 2) }}", result='["a","b,c"]'
)
def split(value: Value, delimiter: Value, limit: Value) -> Value:
    """Splits a text by a regular expression into an array."""
    if value is None:
        return None
    text = needs_text(value)
    if not isinstance(delimiter, str):
        raise EvaluationError("The 'split' filter expects a text as argument 'delimiter'.")
    number = 0 if limit is None else int(_number(limit))
    return Array(java_split(text, delimiter, number))


def _number(value: Value) -> Value:
    if not is_number(value):
        raise RuntimeFaultError(f"a number is needed, not {class_name(value)}")
    return value


@FILTERS(
    "indent",
    "amount",
    "prefix",
    with_state=True,
    template="{{ 'a\nb' | indent(2) }}",
    result="a\n  b",
)
def indent(s: State, value: Value, *arguments: Value) -> Value:
    """Puts blanks, or a prefix, before every line but the first."""
    return _indented(s, value, arguments, name="indent")


@FILTERS(
    "nindent",
    "amount",
    "prefix",
    with_state=True,
    template="{{ 'a\nb' | nindent(2) }}",
    result="\n  a\n  b",
)
def nindent(s: State, value: Value, *arguments: Value) -> Value:
    """Begins a new line and puts blanks, or a prefix, before every line."""
    return _indented(s, value, arguments, name="nindent")


def _indented(s: State, value: Value, arguments: tuple[Value, ...], *, name: str) -> Value:
    amount, prefix = arguments
    if value is None:
        return None
    if amount is None:
        raise EvaluationError(f"The '{name}' filter expects an integer as argument 'amount'.")
    count = _long(amount, "amount")
    if not 0 <= count <= _MAX_INDENT:
        raise EvaluationError(
            f"The '{name}' filter expects a positive integer as argument 'amount'."
        )
    text = java_text(value)
    if not text:
        return text
    unit = " " if prefix is None else java_text(prefix)
    line_break = _line_break(text)
    fits(s, len(text) + (text.count(line_break) + 1) * len(unit) * count)
    before = unit * count
    lines = text.replace(line_break, line_break + before)
    return line_break + before + lines if name == "nindent" else lines


def _line_break(text: str) -> str:
    return next((mark for mark in ("\r\n", "\n\r", "\n", "\r") if mark in text), "\n")


@FILTERS(
    "slugify", plain=True, template="{{ 'Été à la_Plage!' | slugify }}", result="ete-a-la-plage"
)
def slugify(value: Value) -> Value:
    """Makes a text fit for URLs and file names."""
    if value is None:
        return None
    dashed = "-".join(java_text(value).split(" "))
    dashed = "".join("-" if char.isspace() else char for char in dashed)
    plain = unicodedata.normalize("NFD", dashed)
    kept = "".join(c for c in plain if c in {"-", "_"} or (c.isascii() and c.isalnum()))
    return "-".join(part for part in kept.replace("_", "-").split("-") if part).lower()


@FILTERS(
    "substringBefore",
    "separator",
    required=("separator",),
    template="{{ 'a.b.c' | substringBefore('.') }}",
    result="a",
)
def substring_before(value: Value, separator: Value) -> Value:
    """What is before the first occurrence of a separator; the whole text if there is none."""
    text, mark = _parts(value, separator)
    return text if not text or mark is None else text.split(mark, 1)[0] if mark else ""


@FILTERS(
    "substringBeforeLast",
    "separator",
    required=("separator",),
    template="{{ 'a.b.c' | substringBeforeLast('.') }}",
    result="a.b",
)
def substring_before_last(value: Value, separator: Value) -> Value:
    """What is before the last occurrence of a separator; the whole text if there is none."""
    text, mark = _parts(value, separator)
    return text if not text or not mark else text.rsplit(mark, 1)[0]


@FILTERS(
    "substringAfter",
    "separator",
    required=("separator",),
    template="{{ 'a.b.c' | substringAfter('.') }}",
    result="b.c",
)
def substring_after(value: Value, separator: Value) -> Value:
    """What is after the first occurrence of a separator; nothing if there is none."""
    text, mark = _parts(value, separator)
    if not text or mark is None:
        return text if not text else ""
    return text.partition(mark)[2] if mark else text


@FILTERS(
    "substringAfterLast",
    "separator",
    required=("separator",),
    template="{{ 'a.b.c' | substringAfterLast('.') }}",
    result="c",
)
def substring_after_last(value: Value, separator: Value) -> Value:
    """What is after the last occurrence of a separator; nothing if there is none."""
    text, mark = _parts(value, separator)
    if not text:
        return text
    return text.rpartition(mark)[2] if mark and mark in text else ""


def _parts(value: Value, separator: Value) -> tuple[Value, str | None]:
    if value is None:
        return None, None
    return java_text(value), None if separator is None else java_text(separator)
