"""Bounds of one rendering. They end a template that would run or grow without end; no template needs to know them."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Counted, not timed, so that the same template ends the same way everywhere."""

    steps: int = 2_000_000
    """Turns of loops, calls of macros and items that filters walk over inside them."""
    text_chars: int = 64 * 1024 * 1024
    """Characters of any one text, and of the whole output."""
    range_items: int = 1_000_000
    """Items of one range."""
    depth: int = 60
    """Macros, blocks and `render()` within each other."""
    renderings: int = 100
    """Passes of rendering until stable (02 §2.1)."""


DEFAULT_LIMITS = Limits()
