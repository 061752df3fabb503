"""Script tasks of further languages, where the program is on the PATH; their properties everywhere."""

import json
import shutil
from typing import Any

import pytest

from batuta.model.state import State
from batuta.plugins.script import TYPES
from batuta.sdk import Registry
from batuta.sdk.facts import facts_of
from tests.paths import SHARED
from tests.unit.server.worker.kit import PROCESS, Bench

PROGRAMS = {
    "r": ("Rscript", 'cat("3\\n")'),
    "ruby": ("ruby", "puts 1 + 2"),
    "julia": ("julia", "println(1 + 2)"),
    "go": ("go", 'package main\nimport "fmt"\nfunc main() { fmt.Println(1 + 2) }'),
    "bun": ("bun", "console.log(1 + 2)"),
    "deno": ("deno", "console.log(1 + 2)"),
    "perl": ("perl", 'print 1 + 2, "\\n";'),
    "lua": ("lua", "print(1 + 2)"),
    "php": ("php", '<?php echo 1 + 2, "\\n";'),
    "groovy": ("groovy", "println 1 + 2"),
    "powershell": ("pwsh", "Write-Output (1 + 2)"),
    "jbang": (
        "jbang",
        "class a { public static void main(String[] x) { System.out.println(3); } }",
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                shutil.which(program) is None, reason=f"{program} is not installed"
            ),
        )
        for name, (program, _) in PROGRAMS.items()
    ],
)
@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_program_of_the_language_runs(name: str, tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    finished = await bench.run(
        {
            "type": f"io.kestra.plugin.scripts.{name}.Script",
            "taskRunner": PROCESS,
            "script": PROGRAMS[name][1],
        }
    )
    assert finished.state is State.SUCCESS, bench.gateway.messages()
    assert bench.gateway.messages("INFO") == ["3"]


@pytest.mark.parametrize("type_name", sorted(TYPES))
def test_a_type_has_the_properties_that_kestra_has(type_name: str) -> None:
    path = SHARED / "reference" / "plugins" / "scripts.json"
    if not path.exists():
        pytest.skip("the plugin reference is not on this machine")
    kind = Registry(["batuta.plugins.script"]).get(type_name)
    assert type_name in (kind.__doc__ or "")
    found = facts_of(kind).properties
    wanted = json.loads(path.read_text())["types"].get(type_name, {"properties": {}})["properties"]
    assert sorted(set(wanted) - set(found)) == []
    assert {name: found[name].default for name in wanted if "default" in wanted[name]} == {
        name: facts["default"] or found[name].default
        for name, facts in wanted.items()
        if "default" in facts
    }
    assert sorted(name for name in wanted if wanted[name].get("required")) == sorted(
        name for name in wanted if found[name].required
    )
