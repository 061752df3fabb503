"""Every filter, function and test is described, and its example is true."""

import pytest

from batuta.expr import Context, NullHost, render
from batuta.expr.reference import reference_page
from batuta.expr.registry import FILTERS, FUNCTIONS, TESTS, Definition
from batuta.flow.yaml import read_yaml_literally

DEFINITIONS = [
    (registry.title, definition)
    for registry in (FILTERS, FUNCTIONS, TESTS)
    for definition in registry.table.values()
]
IDS = [f"{title}-{definition.name}" for title, definition in DEFINITIONS]


class YamlHost(NullHost):
    def parse_yaml(self, text: str) -> object:
        return read_yaml_literally(text)


@pytest.mark.parametrize(("_title", "definition"), DEFINITIONS, ids=IDS)
def test_the_example_gives_what_the_page_says(_title: str, definition: Definition) -> None:
    assert render(definition.template, Context({}, YamlHost())) == definition.result


@pytest.mark.parametrize(("_title", "definition"), DEFINITIONS, ids=IDS)
def test_there_is_a_sentence(_title: str, definition: Definition) -> None:
    assert definition.summary.endswith((".", "…"))
    assert 5 <= len(definition.summary) < 140


def test_the_page_names_everything() -> None:
    page = reference_page()
    for _, definition in DEFINITIONS:
        assert f"### `{definition.signature}`" in page
