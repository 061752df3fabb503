"""`core.storage.FilterItems` and `core.storage.DeduplicateItems`: row by row."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.expr.errors import ExpressionError
from batuta.model.ion import IonError, read_one
from batuta.plugins.core.level import Level
from batuta.plugins.core.storage.source import lines_of, local_copy
from batuta.plugins.core.truth import as_text, is_truthy
from batuta.sdk import Output, Property, RunContext, Task, TaskError


class FilterType(StrEnum):
    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"


class ErrorOrNullBehavior(StrEnum):
    FAIL = "FAIL"
    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"


class FilterOutput(Output, frozen=True, kw_only=True):
    uri: str
    processed_items_total: int
    dropped_items_total: int


class FilterItems(
    Task,
    type="io.kestra.plugin.core.storage.FilterItems",
    aliases=("io.kestra.core.tasks.storages.FilterItems",),
):
    """Keep or drop rows of a file by a condition.

    # What it does
    Renders the condition for each row, whose fields are variables, and keeps the row as it is written.

    # Example
    ```yaml
    - id: in_stock
      type: io.kestra.plugin.core.storage.FilterItems
      from: "{{ outputs.rows.uri }}"
      filterCondition: "{{ qty > 0 }}"
    ```

    # Outputs
    `uri`: the new Ion file; `processedItemsTotal` and `droppedItemsTotal`: rows read and left out.

    # Notes
    The file has one Ion or JSON row in each line.
    """

    from_: Property[str] = Field(alias="from", description="A file of internal storage.")
    filter_condition: str = Field(description="The condition, over the fields of a row.")
    filter_type: Property[FilterType] = Field(
        default=FilterType.INCLUDE, description="Whether rows that fulfil it are kept or dropped."
    )
    error_or_null_behavior: Property[ErrorOrNullBehavior] = Field(
        default=ErrorOrNullBehavior.FAIL,
        description="What happens to a row whose condition fails or is null.",
    )

    @override
    async def run(self, ctx: RunContext) -> FilterOutput:
        source = await local_copy(self.from_, ctx)
        target = ctx.workdir / ctx.token()
        total, kept = await asyncio.to_thread(self._filter, source, target, ctx)
        uri = await ctx.files.put(target, suffix=".ion")
        return FilterOutput(uri=uri, processed_items_total=total, dropped_items_total=total - kept)

    def _filter(self, source: Path, target: Path, ctx: RunContext) -> tuple[int, int]:
        total = kept = 0
        with target.open("wb") as out:
            for number, line in _rows(source):
                total += 1
                if self._keeps(line, number, ctx):
                    kept += 1
                    out.write(line + b"\n")
        return total, kept

    def _keeps(self, line: bytes, number: int, ctx: RunContext) -> bool:
        row = _row(line, number)
        try:
            rendered = ctx.render(self.filter_condition, row)
        except ExpressionError:
            if self.error_or_null_behavior is ErrorOrNullBehavior.FAIL:
                ctx.log.write(Level.DEBUG, f"The condition fails in line {number}")
                raise
            return self.error_or_null_behavior is ErrorOrNullBehavior.INCLUDE
        if rendered is not None:
            return is_truthy(rendered) == (self.filter_type is FilterType.INCLUDE)
        if self.error_or_null_behavior is ErrorOrNullBehavior.FAIL:
            item = line.decode("utf-8", "replace")
            raise TaskError(f"Expression `{self.filter_condition}` return `null` on item `{item}`")
        return self.error_or_null_behavior is ErrorOrNullBehavior.INCLUDE


class DeduplicateOutput(Output, frozen=True, kw_only=True):
    uri: str
    num_keys: int
    processed_items_total: int
    dropped_items_total: int


class DeduplicateItems(
    Task,
    type="io.kestra.plugin.core.storage.DeduplicateItems",
    aliases=("io.kestra.core.tasks.storages.DeduplicateItems",),
):
    """Keep one row for each key.

    # What it does
    Renders the key of each row, whose fields are variables, and keeps the last row of each key in the original order.

    # Example
    ```yaml
    - id: latest
      type: io.kestra.plugin.core.storage.DeduplicateItems
      from: "{{ outputs.rows.uri }}"
      expr: "{{ customer_id }}"
    ```

    # Outputs
    `uri`: the new Ion file; `numKeys`: how many keys there are; `processedItemsTotal` and `droppedItemsTotal`: rows
    read and left out.

    # Notes
    The file has one Ion or JSON map in each line.
    """

    from_: Property[str] = Field(alias="from", description="A file of internal storage.")
    expr: str = Field(description="The key, over the fields of a row.")

    @override
    async def run(self, ctx: RunContext) -> DeduplicateOutput:
        source = await local_copy(self.from_, ctx)
        target = ctx.workdir / ctx.token()
        total, keys = await asyncio.to_thread(self._deduplicate, source, target, ctx)
        uri = await ctx.files.put(target, suffix=".ion")
        return DeduplicateOutput(
            uri=uri, num_keys=keys, processed_items_total=total, dropped_items_total=total - keys
        )

    def _deduplicate(self, source: Path, target: Path, ctx: RunContext) -> tuple[int, int]:
        last: dict[bytes, int] = {}
        total = 0
        for number, line in _rows(source):
            total += 1
            key = as_text(ctx.render(self.expr, _row(line, number))) or ""
            last[hashlib.blake2b(key.encode(), digest_size=16).digest()] = number
        wanted = set(last.values())
        with target.open("wb") as out:
            out.writelines(line + b"\n" for number, line in _rows(source) if number in wanted)
        return total, len(last)


def _rows(source: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(lines_of(source), 1) if line.strip())


def _row(line: bytes, number: int) -> Mapping[str, Any]:
    try:
        row = read_one(line)
    except IonError as error:
        raise TaskError(f"line {number} is no row: {error.reason}") from error
    if not isinstance(row, Mapping):
        raise TaskError(f"line {number} is no row: expected a map, found {type(row).__name__}")
    return row
