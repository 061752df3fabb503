"""Java's regular expressions, bounded in time (02 §4 `split`, `replace`).

Engine: `regex`, whose matching loop looks at a deadline itself, so a pattern that backtracks without end
stops after two seconds wherever it is. It has Java's look-around, back references, possessive
quantifiers and atomic groups; what is spelled differently is translated here. It is imported on first use
(08 §4).
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from batuta.expr.errors import LimitError, RuntimeFaultError
from batuta.expr.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    import regex

_SECONDS = 2.0
_MAX_PATTERN = 10_000
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}", re.ASCII)
_MAX_REPEAT = 10_000
_NAMED = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_PROPERTIES = {
    "Lower": "[a-z]",
    "Upper": "[A-Z]",
    "ASCII": r"[\x00-\x7F]",
    "Alpha": "[a-zA-Z]",
    "Digit": "[0-9]",
    "Alnum": "[a-zA-Z0-9]",
    "Punct": r"""[!"\#$%\&'()*+,\-./:;<=>?@\[\\\]\^_`{|}\~]""",
    "Graph": r"[\x21-\x7E]",
    "Print": r"[\x20-\x7E]",
    "Blank": r"[ \t]",
    "Cntrl": r"[\x00-\x1F\x7F]",
    "XDigit": "[0-9a-fA-F]",
    "Space": r"[ \t\n\x0B\f\r]",
}
_SHORTHANDS = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[a-zA-Z0-9_]",
    "W": "[^a-zA-Z0-9_]",
    "s": r"[ \t\n\x0B\f\r]",
    "S": r"[^ \t\n\x0B\f\r]",
    "h": r"[ \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]",
    "v": r"[\n\x0B\f\r\x85\u2028\u2029]",
    "R": r"(?:\r\n|[\n\x0B\f\r\x85\u2028\u2029])",
    "e": r"\x1B",
    "z": r"\Z",
    "Z": r"(?=\r?\n?\Z)",
}
_SAME_ESCAPES = frozenset("tnrfaAbBGX0123456789xuUN")


@lru_cache(maxsize=512)
def compile_java(pattern: str) -> "regex.Pattern[str]":
    """Raises `RuntimeFaultError` for a pattern that Java refuses or that we do not take."""
    import regex

    if len(pattern) > _MAX_PATTERN:
        raise LimitError("The regular expression is too long")
    try:
        return regex.compile(translated(pattern), regex.VERSION1)
    except (regex.error, ValueError, OverflowError, RecursionError) as problem:
        raise RuntimeFaultError(f"Bad regular expression `{pattern}`: {problem}") from None


def translated(pattern: str) -> str:
    """Java's spelling, which is near to that of jq too, in the spelling of the engine. Raises `ValueError`."""
    return _Translator(pattern).run()


def java_split(text: str, pattern: str, limit: int) -> list[str]:
    """`String.split`: no empty first part from an empty match, trailing empty parts dropped for limit 0."""
    parts: list[str] = []
    position = 0
    with Deadline() as timeout:
        for match in compile_java(pattern).finditer(text, timeout=timeout):
            if 0 < limit <= len(parts) + 1:
                break
            if match.end() == 0:
                continue
            if match.start() == match.end() == len(text):
                continue
            parts.append(text[position : match.start()])
            position = match.end()
    if position == 0 and not parts:
        return [text]
    parts.append(text[position:])
    if limit == 0:
        while parts and not parts[-1]:
            parts.pop()
    return parts


def java_replace(
    text: str, pattern: str, replacement: str, *, limit: int = DEFAULT_LIMITS.text_chars
) -> str:
    """`String.replaceAll`, with `$1`, `${name}` and backslash escapes in the replacement.

    Raises `LimitError` if more than `limit` characters would be inserted.
    """
    compiled = compile_java(pattern)
    pieces = _replacement(replacement, compiled)
    result: list[str] = []
    size, position = 0, 0
    with Deadline() as timeout:
        for match in compiled.finditer(text, timeout=timeout):
            inserted = "".join(
                piece if isinstance(piece, str) else match.group(*piece) or "" for piece in pieces
            )
            result += (text[position : match.start()], inserted)
            size += len(inserted)
            if size > limit:
                raise LimitError("The replaced text is too long")
            position = match.end()
    result.append(text[position:])
    return "".join(result)


def plain_replace(text: str, old: str, new: str, *, limit: int = DEFAULT_LIMITS.text_chars) -> str:
    """`String.replace`. Raises `LimitError` if the result would have more than `limit` characters."""
    if len(new) > len(old) and len(text) + text.count(old) * (len(new) - len(old)) > limit:
        raise LimitError("The replaced text is too long")
    return text.replace(old, new)


def matches_whole(text: str, pattern: str) -> bool:
    with Deadline() as timeout:
        return compile_java(pattern).fullmatch(text, timeout=timeout) is not None


class Deadline:
    """Seconds for one use of a pattern; running out of them is an error of ours."""

    def __enter__(self) -> float:
        return _SECONDS

    def __exit__(self, kind: object, problem: object, trace: object) -> None:
        if isinstance(problem, TimeoutError):
            raise LimitError("The regular expression takes too long on this text") from None


def _replacement(text: str, pattern: "regex.Pattern[str]") -> list[str | tuple[int | str]]:
    """Literal pieces and references to groups, as one-element tuples."""
    pieces: list[str | tuple[int | str]] = []
    index = 0
    while index < len(text):
        char = text[index]
        index += 1
        if char == "\\":
            if index == len(text):
                raise RuntimeFaultError("character to be escaped is missing")
            pieces.append(text[index])
            index += 1
        elif char == "$":
            group, index = _reference(text, index, pattern)
            pieces.append((group,))
        else:
            pieces.append(char)
    return pieces


def _reference(text: str, index: int, pattern: "regex.Pattern[str]") -> tuple[int | str, int]:
    if text[index : index + 1] == "{":
        name = _NAMED.match(text, index + 1)
        if name is None or text[name.end() : name.end() + 1] != "}":
            raise RuntimeFaultError("named capturing group is missing trailing '}'")
        if name[0] not in pattern.groupindex:
            raise RuntimeFaultError(f"No group with name {{{name[0]}}}")
        return name[0], name.end() + 1
    digit = text[index : index + 1]
    if not (digit.isascii() and digit.isdigit()):
        raise RuntimeFaultError("Illegal group reference")
    number = int(digit)
    index += 1
    if number > pattern.groups:
        raise RuntimeFaultError(f"No group {number}")
    while text[index : index + 1].isascii() and text[index : index + 1].isdigit():
        longer = number * 10 + int(text[index])
        if longer > pattern.groups:
            break
        number = longer
        index += 1
    return number, index


class _Translator:
    """Java's spelling to that of the engine, one character at a time."""

    __slots__ = ("any_char", "depth", "index", "line_ends", "out", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.index = 0
        self.depth = 0
        # Under these flags the engine's own `.` and `$` mean what Java's do.
        self.any_char = re.search(r"\(\?[a-zA-Z]*s", pattern) is not None
        self.line_ends = re.search(r"\(\?[a-zA-Z]*m", pattern) is not None
        self.out: list[str] = []

    def run(self) -> str:
        while self.index < len(self.pattern):
            self._step()
        if self.depth:
            raise ValueError("unclosed character class")
        return "".join(self.out)

    def _step(self) -> None:
        char = self.pattern[self.index]
        if char == "\\":
            self.out.append(self._escape())
        elif self.depth:
            self._in_class(char)
        elif char == "[":
            self._open_class()
        elif char == "{":
            self._braces()
        elif char == "$" and not self.line_ends:
            self._emit(char, r"(?:(?=\r?\n?\Z))")
        elif char == "." and not self.any_char:
            self._emit(char, r"[^\n\r\u0085\u2028\u2029]")
        elif self.pattern.startswith("(?<", self.index):
            self._group_name()
        else:
            self._emit(char, char)

    def _emit(self, consumed: str, written: str) -> None:
        self.out.append(written)
        self.index += len(consumed)

    def _group_name(self) -> None:
        following = self.pattern[self.index + 3 : self.index + 4]
        self._emit("(?<", "(?<" if following in {"=", "!"} else "(?P<")

    def _braces(self) -> None:
        """A counted repeat; anything else in braces means something else to the engine, and is refused."""
        match = _REPEAT.match(self.pattern, self.index)
        if match is None:
            raise ValueError("Illegal repetition")
        if max(int(match[1]), int(match[2] or 0)) > _MAX_REPEAT:
            raise ValueError("repeats more than 10000 times")
        self._emit(match[0], match[0])

    def _open_class(self) -> None:
        self.depth += 1
        negated = self.pattern.startswith("[^", self.index)
        self._emit("[^" if negated else "[", "[^" if negated else "[")
        if self.pattern.startswith("]", self.index):
            raise ValueError("unclosed character class")

    def _in_class(self, char: str) -> None:
        if char == "[":
            self._open_class()
        elif char == "]":
            self.depth -= 1
            self._emit(char, char)
        elif self.pattern.startswith("&&", self.index):
            self._emit("&&", "&&")
        elif char in "&|~":
            self._emit(char, f"\\{char}")
        elif self.pattern.startswith("--", self.index):
            self._emit("-", r"\-")
        else:
            self._emit(char, char)

    def _escape(self) -> str:
        following = self.pattern[self.index + 1 : self.index + 2]
        if not following:
            raise ValueError("Unexpected internal error: lone backslash")
        self.index += 2
        if following == "Q":
            return self._quoted()
        if following in {"p", "P"}:
            return self._property(negated=following == "P")
        if following == "k":
            return self._named_reference()
        if following in _SHORTHANDS:
            return _SHORTHANDS[following]
        if following.isalnum() and following.isascii() and following not in _SAME_ESCAPES:
            raise ValueError("Illegal/unsupported escape sequence")
        return "\\" + following

    def _quoted(self) -> str:
        end = self.pattern.find(r"\E", self.index)
        literal = self.pattern[self.index : end if end >= 0 else len(self.pattern)]
        self.index += len(literal) + (2 if end >= 0 else 0)
        return "".join(char if char.isalnum() else f"\\{char}" for char in literal)

    def _property(self, *, negated: bool) -> str:
        if self.pattern.startswith("{", self.index):
            end = self.pattern.find("}", self.index)
            if end < 0:
                raise ValueError("Unclosed character family")
            name = self.pattern[self.index + 1 : end]
            self.index = end + 1
        else:
            name = self.pattern[self.index : self.index + 1]
            self.index += 1
        known = _PROPERTIES.get(name)
        if known is not None:
            return f"[^{known[1:]}" if negated else known
        for prefix in ("Is", "In", "java"):
            name = name.removeprefix(prefix)
        return f"\\{'P' if negated else 'p'}{{{name}}}"

    def _named_reference(self) -> str:
        match = re.compile(r"<([A-Za-z][A-Za-z0-9]*)>", re.ASCII).match(self.pattern, self.index)
        if match is None:
            raise ValueError(r"\k is not followed by '<' for named capturing group")
        self.index = match.end()
        return f"(?P={match[1]})"
