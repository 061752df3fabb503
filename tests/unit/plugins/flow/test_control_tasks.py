"""Control tasks and the parts of ForEachItem."""

from pathlib import Path
from typing import Any

import pytest

from batuta.plugins.core import CATALOGUE
from batuta.sdk import Registry
from batuta.sdk.catalogue import Catalogue
from batuta.testing.context import fake_context, run_task

REGISTRY = Registry(["batuta.plugins.core"])
RECORDED = Catalogue(CATALOGUE)
PART = "io.kestra.plugin.core.flow.ForEachItem$ForEachItem"
CONTROL_TYPES = [name for name in REGISTRY if name.startswith("io.kestra.plugin.core.flow.")]

ALLOWED: dict[tuple[str, str], str] = {
    ("io.kestra.plugin.core.flow.Subflow", "revision"): "the original refuses an expression",
}
NOT_RECORDED: dict[str, str] = {
    "io.kestra.plugin.core.flow.Loop": "1.1, which was recorded, does not have it; later versions do",
}


@pytest.mark.parametrize("name", CONTROL_TYPES)
def test_a_control_task_has_the_recorded_properties(name: str) -> None:
    if "$" in name or name in NOT_RECORDED:
        return
    ours = REGISTRY.facts(name).properties
    recorded = RECORDED.facts(name)
    assert set(recorded.properties) == set(ours)
    for key, facts in recorded.properties.items():
        if (name, key) not in ALLOWED:
            assert (
                facts.required,
                facts.dynamic,
                facts.deprecated,
                facts.enum and set(facts.enum),
            ) == (
                ours[key].required,
                ours[key].dynamic,
                ours[key].deprecated,
                ours[key].enum and set(ours[key].enum or ()),
            ), key


def test_types_that_are_not_recorded_are_ours_alone() -> None:
    assert all(name in REGISTRY and name not in RECORDED for name in NOT_RECORDED)


@pytest.mark.parametrize("name", CONTROL_TYPES)
def test_a_control_task_is_documented(name: str) -> None:
    facts = REGISTRY.facts(name)
    assert facts.description
    own = set(facts.properties) - set(REGISTRY.facts("io.kestra.plugin.core.log.Log").properties)
    assert [key for key in own if not facts.properties[key].description] == []


async def test_items_are_split_into_batches_with_a_list_of_them(tmp_path: Path) -> None:
    ctx = fake_context(tmp_path)
    uri = await ctx.files.put(b"1\n2\n3\n", suffix=".txt")
    spec = {"id": "s", "type": f"{PART}Split", "items": uri, "batch": {"rows": 2}}
    outputs: Any = await run_task(spec, ctx)
    listing = (await ctx.files.read(outputs.splits)).decode().splitlines()
    assert [await ctx.files.read(each) for each in listing] == [b"1\n2\n", b"3\n"]


async def test_nothing_is_merged_when_no_execution_had_outputs(tmp_path: Path) -> None:
    spec = {"id": "m", "type": f"{PART}MergeOutputs", "base": "", "batches": "0"}
    assert await run_task(spec, fake_context(tmp_path)) is None
