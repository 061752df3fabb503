"""Lengths and positions as the original counts them: in UTF-16 units."""

_PLANE = 0xFFFF


def has_pairs(text: str) -> bool:
    """True if some character takes two units."""
    return not text.isascii() and max(text) > "\uffff"


def units(text: str) -> int:
    """The length of a text."""
    if not has_pairs(text):
        return len(text)
    return len(text) + sum(ord(char) > _PLANE for char in text)


def cut(text: str, start: int, end: int) -> str:
    """`substring(start, end)`; half of a pair becomes a lone surrogate."""
    if not has_pairs(text):
        return text[start:end]
    data = text.encode("utf-16-le", "surrogatepass")[start * 2 : end * 2]
    return data.decode("utf-16-le", "surrogatepass")


def unit_index(text: str, index: int) -> int:
    """The position in units of an index of Python; -1 stays."""
    return index if index <= 0 else units(text[:index])


def sort_key(text: str) -> bytes:
    """Orders texts by code units."""
    return text.encode("utf-16-be", "surrogatepass")
