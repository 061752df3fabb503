"""Patterns of `DateTimeFormatter` as a list of elements (02 §7.3)."""

from functools import lru_cache

import msgspec

_LIMITS = {
    **dict.fromkeys("GMLQqEexXZ", 5),
    **dict.fromkeys("dHhKkms", 2),
    **dict.fromkeys("uyYAnN", 19),
    "D": 3,
    "w": 2,
    "W": 1,
    "F": 1,
    "g": 19,
    "S": 9,
    "z": 4,
    "a": 1,
}
_COUNTS = {"V": (2,), "O": (1, 4), "B": (1, 4, 5), "c": (1, 3, 4, 5), "v": (1, 4)}
_RESERVED = "{}#"
TWO_DIGITS, SHORT, FULL = 2, 3, 4
"""Counts of a letter that change the form: a number, a short name, a full name."""
_MAX_LENGTH = 500
_MAX_PAD = 200


class Literal(msgspec.Struct, frozen=True, gc=False):
    text: str


class Field(msgspec.Struct, frozen=True, gc=False):
    """A letter repeated `count` times; `pad` is the width that `p…` asks for."""

    letter: str
    count: int
    pad: int = 0


class Optional(msgspec.Struct, frozen=True):
    elements: "tuple[Element, ...]"


Element = Literal | Field | Optional


@lru_cache(maxsize=512)
def parse_pattern(pattern: str) -> tuple[Element, ...]:
    """Raises `ValueError` with the reason that the original gives."""
    if len(pattern) > _MAX_LENGTH:
        raise ValueError("the pattern is too long")
    return _Reader(pattern).run()


class _Reader:
    __slots__ = ("index", "pattern", "stack")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.index = 0
        self.stack: list[list[Element]] = [[]]

    def run(self) -> tuple[Element, ...]:
        while self.index < len(self.pattern):
            self._step(self.pattern[self.index])
        while len(self.stack) > 1:
            self._close()
        return tuple(self.stack[0])

    def _step(self, char: str) -> None:
        if char.isascii() and char.isalpha():
            self.stack[-1].append(self._field(char))
        elif char == "'":
            self.stack[-1].append(self._quoted())
        elif char == "[":
            self.stack.append([])
            self.index += 1
        elif char == "]":
            if len(self.stack) == 1:
                raise ValueError("Pattern invalid as it contains ] without previous [")
            self._close()
            self.index += 1
        elif char in _RESERVED:
            raise ValueError(f"Pattern includes reserved character: '{char}'")
        else:
            self.stack[-1].append(Literal(char))
            self.index += 1

    def _close(self) -> None:
        elements = tuple(self.stack.pop())
        self.stack[-1].append(Optional(elements))

    def _repeats(self, letter: str) -> int:
        start = self.index
        while self.pattern[self.index : self.index + 1] == letter:
            self.index += 1
        return self.index - start

    def _field(self, letter: str) -> Field:
        count = self._repeats(letter)
        pad = 0
        if letter == "p":
            pad = count
            letter = self.pattern[self.index : self.index + 1]
            if not (letter.isascii() and letter.isalpha()) or letter == "p" or pad > _MAX_PAD:
                raise ValueError(
                    f"Pad letter 'p' must be followed by valid pad pattern: {self.pattern}"
                )
            count = self._repeats(letter)
        allowed = _COUNTS.get(letter)
        if allowed is None and letter not in _LIMITS:
            raise ValueError(f"Unknown pattern letter: {letter}")
        if count not in allowed if allowed is not None else count > _LIMITS[letter]:
            raise ValueError(f"Too many pattern letters: {letter}")
        return Field(letter, count, pad)

    def _quoted(self) -> Literal:
        self.index += 1
        if self.pattern[self.index : self.index + 1] == "'":
            self.index += 1
            return Literal("'")
        text = ""
        while True:
            end = self.pattern.find("'", self.index)
            if end < 0:
                raise ValueError(f"Pattern ends with an incomplete string literal: {self.pattern}")
            text += self.pattern[self.index : end]
            self.index = end + 1
            if self.pattern[self.index : self.index + 1] != "'":
                return Literal(text)
            text += "'"
            self.index += 1
