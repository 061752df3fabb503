"""Types by name: installed, only known, broken, unknown."""

import subprocess
import sys
from types import ModuleType

import pytest
from pydantic import Field

from batuta.sdk import PluginError, Property, Registry, Task, TaskRunner
from batuta.sdk.errors import UnknownTypeError
from batuta.sdk.facts import facts_of
from batuta.sdk.property import RENDERED
from batuta.sdk.unavailable import UnavailableTask
from batuta.testing.catalogue import catalogue_files
from tests.paths import ROOT, SHARED

REGISTRY = Registry(["batuta.plugins.core"])
QUERY = "io.kestra.plugin.gcp.bigquery.Query"
FACTS = SHARED / "reference" / "plugins"


def test_an_installed_type_is_its_class_also_by_alias() -> None:
    found = REGISTRY.get("io.kestra.core.tasks.flows.Sequential")
    assert found.TYPE == "io.kestra.plugin.core.flow.Sequential"


def test_a_type_of_the_catalogue_has_facts_and_a_stand_in() -> None:
    assert REGISTRY.knows(QUERY)
    assert not REGISTRY.has(QUERY)
    assert REGISTRY.definition(QUERY) is UnavailableTask
    facts = REGISTRY.facts(QUERY)
    assert facts.properties["sql"].dynamic
    assert facts.properties["timeout"].format == "duration"
    with pytest.raises(UnknownTypeError, match="known to Kestra, not available") as caught:
        REGISTRY.get(QUERY)
    assert caught.value.known


def test_an_unknown_type_names_its_neighbours() -> None:
    with pytest.raises(UnknownTypeError, match="Invalid type") as caught:
        REGISTRY.get("io.kestra.plugin.core.flow.Sequentiel")
    assert caught.value.nearest[0] == "io.kestra.plugin.core.flow.Sequential"


def test_all_types_of_the_catalogue_can_be_read() -> None:
    names = list(REGISTRY.known())
    assert len(names) >= 761
    for name in names:
        if not REGISTRY.has(name):
            assert REGISTRY.facts(name).kind


def test_a_broken_plugin_names_itself_and_disables_only_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = ModuleType("broken_package")
    package.TYPES = {"x.Broken": "no_such_module:Broken"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "broken_package", package)
    registry = Registry(["broken_package", "no_such_package", "batuta.plugins.core"])
    assert "no_such_package" in registry.failures
    with pytest.raises(PluginError, match=r"The plugin x\.Broken cannot be loaded"):
        registry.get("x.Broken")
    assert registry.get("io.kestra.plugin.core.flow.If").TYPE


def test_no_type_is_imported_before_it_is_used() -> None:
    code = (
        "import sys; from batuta.sdk import Registry; registry = Registry.installed(); list(registry)\n"
        "roots = {path.partition(':')[0] for path in registry.packages}\n"
        "print([name for name in sys.modules if name.startswith('batuta.plugins.')\n"
        "       and not any(root == name or root.startswith(name + '.') for root in roots)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Sample(Task, type="x.Sample"):
    """A task."""

    size: Property[int] = Field(default=3, ge=1, description="How much.")
    delay: Property[int] | None = Field(default=None, ge=1)
    names: list[str] = Field(min_length=1)
    runner: TaskRunner | None = None


def test_facts_follow_from_the_annotations_of_a_class() -> None:
    facts = facts_of(Sample)
    assert (facts.kind, facts.roles) == ("task", ("runnable",))
    size, names, runner = (facts.properties[name] for name in ("size", "names", "runner"))
    assert (size.type, size.dynamic, size.default, size.minimum) == ("integer", True, 3, 1)
    assert size.description == "How much."
    assert names.required
    assert (names.min_items, names.items.type if names.items else None) == (1, "string")
    assert runner.plugin_kind == "taskRunner"
    assert facts.properties["id"].pattern == "^[a-zA-Z0-9][a-zA-Z0-9_-]*$"


def test_bounds_of_a_dynamic_property_hold_for_its_rendered_value() -> None:
    spec = {"id": "a", "type": "x.Sample", "names": ["x"]}
    for name in ("size", "delay"):
        assert Sample.model_validate({**spec, name: "{{ x }}"})
        assert Sample.model_validate({**spec, name: "3"}, context={RENDERED: True})
        with pytest.raises(ValueError, match="greater than or equal to 1"):
            Sample.model_validate({**spec, name: 0}, context={RENDERED: True})


@pytest.mark.skipif(not FACTS.is_dir(), reason="needs the recorded facts")
def test_the_catalogue_is_up_to_date() -> None:
    folder = ROOT / "src/batuta/plugins/_generated/catalogue"
    stale = [
        name
        for name, content in catalogue_files(FACTS).items()
        if (folder / name).read_bytes() != content
    ]
    assert stale == []
