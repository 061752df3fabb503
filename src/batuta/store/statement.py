"""Statements as the generated modules hold them: texts with `?` marks and the names of their parameters."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from batuta.store.query import Kind


class Statement(msgspec.Struct, frozen=True):
    """One statement. A mark that stands for a list is written `??`."""

    text: str
    parameters: tuple[str, ...] = ()

    def spread(self, **values: Any) -> tuple[str, list[Any]]:
        """The text, and the values in the order of its marks; `??` becomes as many marks as its list has values.

        Raises `KeyError` for a value that is missing.
        """
        text = self.text
        bound: list[Any] = []
        for name in self.parameters:
            value = values[name]
            if isinstance(value, list):
                text = text.replace("??", marks(len(value)), 1)
                bound += value
            else:
                bound.append(value)
        return text, bound


class Bulk(msgspec.Struct, frozen=True):
    """A statement over any number of rows: `head`, then `row` once for each, separated by commas, then `tail`."""

    head: str
    row: str
    tail: str
    columns: tuple[str, ...]


class Search(msgspec.Struct, frozen=True):
    """The pieces of a search, from which `search.compose` chooses; no text of a user is ever among them."""

    select: str
    count: str
    key: str
    """Columns that make the order total."""
    order: str
    """The order when none is asked for."""
    kinds: Mapping[str, Kind]
    """The fields."""
    filters: Mapping[str, Mapping[str, str]]
    """Conditions by field and operator."""
    sorts: Mapping[str, str]
    delete: str = ""


def marks(count: int) -> str:
    return ", ".join(["?"] * count)


@cache
def bulk_text(bulk: Bulk, count: int) -> str:
    """The statement for `count` rows. Kept, so that drivers find it prepared."""
    return bulk.head + ", ".join([bulk.row] * count) + bulk.tail
