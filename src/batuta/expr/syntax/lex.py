"""Template text to tokens (02 §1.1–1.3).

A token is `(kind, value, offset)`. Text between tags is one token, already trimmed where a dash asks for it.
A double-quoted text with `#{…}` is one token whose value is a list of texts and token lists.
"""

import re

from batuta.expr.errors import ExpressionSyntaxError

Token = tuple[str, object, int]

TEXT = "TEXT"
PRINT_START, PRINT_END = "PRINT_START", "PRINT_END"
EXECUTE_START, EXECUTE_END = "EXECUTE_START", "EXECUTE_END"
NAME, NUMBER, LONG = "NAME", "NUMBER", "LONG"
STRING, INTERPOLATED = "STRING", "STRING_INTERPOLATED"
OPERATOR, PUNCTUATION, EOF = "OPERATOR", "PUNCTUATION", "EOF"

_BLANK = r"[ \t\n\x0b\f\r]"
_BLANKS = " \t\n\x0b\f\r"
_OPEN = re.compile(rf"\{{([{{%#])(-(?={_BLANK})|-(?=#\}}))?")
_VERBATIM = re.compile(rf"\{{%-?{_BLANK}*verbatim{_BLANK}*-?%\}}")
_END_VERBATIM = re.compile(rf"\{{%(-?){_BLANK}*endverbatim{_BLANK}*(-?)%\}}")
_COMMENT_END = re.compile(r"(-?)#\}")


def _tokens(close: str) -> re.Pattern[str]:
    """Blanks, then the closing delimiter or a token, by number of the group."""
    return re.compile(
        rf"{_BLANK}*(?:"
        rf"({close})"  # 1 closing delimiter
        r"|((?:is not|contains|equals|isIn|and|not|or|is)(?![A-Za-z0-9_])"
        r"|\?\?\??|\.\.|[=!<>]=|[<>+\-*/%~|])"  # 2 operator
        r"|([^\W\d]\w*)"  # 3 name
        r"|([0-9]+)L"  # 4 64-bit integer
        r"|([0-9]+(?:\.[0-9]+)?)"  # 5 number
        r"|([.,:?=])"  # 6 punctuation
        r"|([(\[{])"  # 7 opening bracket
        r"|([)\]}])"  # 8 closing bracket
        r"|'([^'\\]*(?:\\.[^'\\]*)*)'"  # 9 text
        r'|"([^#"\\]*(?:\\.[^#"\\]*)*)"'  # 10 text
        r'|(")'  # 11 start of a text with interpolation
        r")",
        re.DOTALL,
    )


_IN_PRINT = _tokens(r"-?\}\}")
_IN_EXECUTE = _tokens(r"-?%\}")
_IN_PART = _tokens(r"\}")
_IN_BRACKETS = _tokens(r"(?!)")
_KINDS = ("", "", OPERATOR, NAME, LONG, NUMBER, PUNCTUATION)
_CLOSE, _OPENING, _CLOSING, _SINGLE_QUOTED, _QUOTE = 1, 7, 8, 9, 11
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_PART_TEXT = re.compile(r'[^#"\\]*(?:(?:\\.|#(?!\{))[^#"\\]*)*', re.DOTALL)
_MAX_NESTED_TEXTS = 20


def tokenize(text: str) -> list[Token]:
    """Raises `ExpressionSyntaxError`."""
    return _Lexer(text).run()


class _Lexer:
    __slots__ = ("depth", "pos", "text", "tokens", "trim_next")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.tokens: list[Token] = []
        self.trim_next = False
        self.depth = 0

    def run(self) -> list[Token]:
        text, tokens = self.text, self.tokens
        search = _OPEN.search
        while True:
            match = search(text, self.pos)
            if match is None:
                self._add_text(len(text), trim=False)
                tokens.append((EOF, None, len(text)))
                return tokens
            start = match.start()
            self._add_text(start, trim=match[2] is not None)
            kind = match[1]
            if kind == "{":
                tokens.append((PRINT_START, "{{", start))
                self.pos = match.end()
                self._expression(_IN_PRINT, PRINT_END, tokens)
            elif kind == "#":
                self._comment(start)
            elif (verbatim := _VERBATIM.match(text, start)) is not None:
                self._verbatim(verbatim)
            else:
                tokens.append((EXECUTE_START, "{%", start))
                self.pos = match.end()
                self._expression(_IN_EXECUTE, EXECUTE_END, tokens)

    def _add_text(self, end: int, *, trim: bool) -> None:
        start = self.pos
        if start < end:
            piece = self.text[start:end]
            if self.trim_next:
                piece = piece.lstrip(_BLANKS)
            if trim:
                piece = piece.rstrip(_BLANKS)
            if piece:
                self.tokens.append((TEXT, piece, start))
        self.trim_next = False

    def _comment(self, start: int) -> None:
        end = _COMMENT_END.search(self.text, start + 2)
        if end is None:
            raise ExpressionSyntaxError("Unclosed comment.", start)
        self.trim_next = end[1] == "-"
        self.pos = end.end()

    def _verbatim(self, opening: re.Match[str]) -> None:
        closing = _END_VERBATIM.search(self.text, opening.end())
        if closing is None:
            raise ExpressionSyntaxError("Unclosed verbatim tag.", opening.start())
        body = self.text[opening.end() : closing.start()].lstrip(_BLANKS)
        if closing[1]:
            body = body.rstrip(_BLANKS)
        if body:
            self.tokens.append((TEXT, body, opening.end()))
        self.trim_next = closing[2] == "-"
        self.pos = closing.end()

    def _expression(self, outside: re.Pattern[str], end_kind: str, tokens: list[Token]) -> None:
        """Tokens up to the closing delimiter, which counts only outside brackets."""
        text = self.text
        brackets: list[str] = []
        match_outside, match_inside, add = outside.match, _IN_BRACKETS.match, tokens.append
        while True:
            match = (match_inside if brackets else match_outside)(text, self.pos)
            if match is None:
                self._no_token(brackets, tokens)
                return
            group = match.lastindex or 0
            if _CLOSE < group < _OPENING:
                add((_KINDS[group], match[group], match.start(group)))
                self.pos = match.end()
            elif group == _CLOSE:
                if end_kind is not EOF:
                    self.trim_next = match[_CLOSE][0] == "-"
                self.pos = match.end()
                add((end_kind, match[_CLOSE], match.start(_CLOSE)))
                return
            elif group <= _CLOSING:
                self._bracket(match, brackets, tokens)
            else:
                self._string(match, group, tokens)

    def _bracket(self, match: re.Match[str], brackets: list[str], tokens: list[Token]) -> None:
        group = match.lastindex or 0
        symbol = match[group]
        at = match.start(group)
        if group == _OPENING:
            brackets.append(symbol)
        elif not brackets:
            raise ExpressionSyntaxError(f'Unexpected "{symbol}"', at)
        else:
            expected = _PAIRS[brackets.pop()]
            if symbol != expected:
                raise ExpressionSyntaxError(f'Unclosed "{expected}"', at)
        tokens.append((PUNCTUATION, symbol, at))
        self.pos = match.end()

    def _string(self, match: re.Match[str], group: int, tokens: list[Token]) -> None:
        start = match.end() - 1 if group == _QUOTE else match.start(group) - 1
        self.pos = match.end()
        if group == _QUOTE:
            tokens.append((INTERPOLATED, self._parts(start), start))
            return
        value = match[group]
        if "\\" in value:
            quote = "'" if group == _SINGLE_QUOTED else '"'
            value = value.replace("\\" + quote, quote)
        tokens.append((STRING, value, start))

    def _parts(self, start: int) -> list[str | list[Token]]:
        """The rest of a double-quoted text; `\\"` stays as it is in such a text (02 §1.3)."""
        parts: list[str | list[Token]] = []
        text = self.text
        self.depth += 1
        if self.depth > _MAX_NESTED_TEXTS:
            raise ExpressionSyntaxError("Texts are nested too deeply", start)
        while True:
            match = _PART_TEXT.match(text, self.pos)
            if match is not None and match[0]:
                parts.append(match[0])
                self.pos = match.end()
            if text.startswith('"', self.pos):
                self.pos += 1
                self.depth -= 1
                return parts
            if not text.startswith("#{", self.pos):
                raise ExpressionSyntaxError('Unexpected character ["]', start)
            self.pos += 2
            inner: list[Token] = []
            self._expression(_IN_PART, EOF, inner)
            parts.append(inner)

    def _no_token(self, brackets: list[str], tokens: list[Token]) -> None:
        at = self.pos
        while at < len(self.text) and self.text[at] in _BLANKS:
            at += 1
        if at < len(self.text):
            raise ExpressionSyntaxError(f"Unexpected character [{self.text[at]}]", at)
        if brackets:
            raise ExpressionSyntaxError(f'Unclosed "{brackets[-1]}"', at)
        tokens.append((EOF, None, at))
        self.pos = at
