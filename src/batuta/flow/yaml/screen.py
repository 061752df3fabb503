"""Characters and layouts that libyaml takes and the reader of the original refuses (08 §6.1)."""

import re
from typing import Any

import msgspec
import yaml
from yaml._yaml import CParser

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*#")
_FLOW_INDICATORS = re.compile(r"[?\[{]")


class SourceFault(msgspec.Struct, frozen=True):
    message: str
    offset: int
    line: int
    column: int


def fault_at(text: str, offset: int, message: str) -> SourceFault:
    line = text.count("\n", 0, offset) + 1
    return SourceFault(message, offset, line, offset - text.rfind("\n", 0, offset))


def find_fault(text: str) -> SourceFault | None:
    """The first character that may not stand where it stands, comments included."""
    match = _FORBIDDEN.search(text)
    found = None
    if match is not None:
        message = f"special characters are not allowed: U+{ord(match.group()):04X}"
        found = fault_at(text, match.start(), message)
    if "\t" not in text:
        return found
    return _find_tab(text if found is None else text[: found.offset]) or found


def scalar_fault(text: str, event: Any, *, in_flow: bool) -> SourceFault | None:
    """What is wrong with the way in which a scalar is written."""
    start = event.start_mark.index
    match event.style:
        case '"':
            for escape in _ESCAPE.finditer(text, start, event.end_mark.index):
                if escape[1] in "/\t":
                    return fault_at(
                        text, escape.start(), f"found unknown escape character {escape[1]!r}"
                    )
        case "|" | ">":
            header = _BLOCK_HEADER.match(text, start)
            if header is not None:
                return fault_at(
                    text,
                    header.end() - 1,
                    "expected chomping or indentation indicators, but found #",
                )
        case "'":
            return None
        case _:
            indicator = _FLOW_INDICATORS.search(event.value) if in_flow else None
            if indicator is not None:
                return fault_at(
                    text,
                    start + indicator.start(),
                    f"expected ',' or a closing bracket, but found {indicator.group()}; quote the text",
                )
    return None


def _find_tab(text: str) -> SourceFault | None:
    """A tab used as white space: only behind an unquoted text may one stand (01 §1.6.1)."""
    tokens = CParser(text)
    end, plain, documents = 0, False, 0
    try:
        while True:
            token = tokens.get_token()
            if token is None or isinstance(token, yaml.DocumentEndToken | yaml.StreamEndToken):
                break
            documents += isinstance(token, yaml.DocumentStartToken)
            if documents > 1:
                return None
            offset = _tab_in_gap(text, (end, token.start_mark.index), after_plain=plain)
            if offset is not None:
                return _tab_fault(text, offset)
            end = token.end_mark.index
            plain = isinstance(token, yaml.ScalarToken) and bool(token.plain)
    except yaml.YAMLError:
        offset = _tab_in_gap(text, (end, _line_end(text, end)), after_plain=plain)
        return None if offset is None else _tab_fault(text, offset)
    return None


def _tab_fault(text: str, offset: int) -> SourceFault:
    return fault_at(
        text,
        offset,
        "found character '\\t(TAB)' that cannot start any token; use blanks for indentation",
    )


def _line_end(text: str, offset: int) -> int:
    found = text.find("\n", offset)
    return len(text) if found < 0 else found


def _tab_in_gap(text: str, gap: tuple[int, int], *, after_plain: bool) -> int | None:
    offset, end = gap
    if after_plain:
        while offset < end and text[offset] in " \t":
            offset += 1
    for line in text[offset:end].splitlines(keepends=True):
        blank = line.partition("#")[0]
        if "\t" in blank:
            return offset + blank.index("\t")
        offset += len(line)
    return None
