"""A text with several documents, as the original's API takes it apart (01 §1.6.1): by text, before any parsing."""

import re

_VALIDATION = re.compile(r"\n+---\n*?")


def split_documents(text: str) -> list[str]:
    """The parts that the validation call judges one by one; a leading `---` stays in its part."""
    return _VALIDATION.split(text)


def split_loosely(text: str) -> list[str]:
    """The parts of a bulk request, which cuts at every `---`; empty parts are left out."""
    return [part for part in text.split("---") if part.strip()]
