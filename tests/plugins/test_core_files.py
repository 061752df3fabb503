"""Files of tasks and directories: namespaceFiles, inputFiles, outputFiles and their patterns (05 §6)."""

from collections.abc import Mapping
from functools import lru_cache

import pytest

from tests.plugins.flows import Case, Done, run_all, seen, wanted

pytestmark = [pytest.mark.timeout(200), pytest.mark.slow]

FILES: dict[str, Case] = {
    "namespace_files_by_globs": Case(
        """
  - id: dir
    type: flow.WorkingDirectory
    namespaceFiles: {include: ["a.sql", "**.txt"], exclude: ["sub/**"]}
    outputFiles: ["**"]
    tasks: [{id: t, type: debug.Return}]
  - {id: r, type: debug.Return, format: "{{ outputs.dir.outputFiles | keys }}"}""",
        {"r": {"value": '["a.sql","c.txt"]'}},
        ["Loaded 2 namespace files from 'company.team' in <time>"],
        files={"a.sql": "1", "b.sql": "2", "c.txt": "3", "sub/a.sql": "4", "sub/d.txt": "5"},
    ),
    "namespace_files_of_nobody": Case(
        """
  - id: off
    type: flow.WorkingDirectory
    namespaceFiles: {enabled: "{{ false }}"}
    outputFiles: ["**"]
    tasks: [{id: t, type: debug.Return}]
  - {id: r, type: debug.Return, format: "{{ outputs.off.outputFiles ?? {} | length }}"}""",
        {"r": {"value": "0"}},
        files={"a.sql": "1"},
    ),
    "namespace_files_of_several_namespaces": Case(
        """
  - {id: w, type: storage.Write, content: other}
  - {id: u, type: namespace.UploadFiles, namespace: company.other, filesMap: {a.sql: "{{ outputs.w.uri }}", o.sql: "{{ outputs.w.uri }}"}}
  - id: over
    type: flow.WorkingDirectory
    namespaceFiles: {namespaces: ["{{ flow.namespace }}", company.other]}
    outputFiles: ["*.sql"]
    tasks: [{id: t1, type: debug.Return}]
  - id: kept
    type: flow.WorkingDirectory
    namespaceFiles: {namespaces: [company.team, company.other], ifExists: IGNORE}
    outputFiles: ["*.sql"]
    tasks: [{id: t2, type: debug.Return}]
  - id: folders
    type: flow.WorkingDirectory
    namespaceFiles: {namespaces: [company.team, company.other], folderPerNamespace: true}
    outputFiles: ["**"]
    tasks: [{id: t3, type: debug.Return}]
  - {id: r, type: debug.Return, format: "{{ read(outputs.over.outputFiles['a.sql']) }} {{ read(outputs.kept.outputFiles['a.sql']) }} {{ outputs.folders.outputFiles | keys }}"}
  - id: fails
    type: flow.WorkingDirectory
    namespaceFiles: {namespaces: [company.team, company.other], ifExists: FAIL}
    tasks: [{id: t4, type: debug.Return}]""",
        {
            "r": {
                "value": 'other own ["company.other/a.sql","company.other/o.sql","company.team/a.sql"]'
            }
        },
        [
            "Loaded 3 namespace files from 'company.team, company.other' in <time>",
            "Loaded 2 namespace files from 'company.team, company.other' in <time>",
            "Loaded 3 namespace files from 'company.team, company.other' in <time>",
            "The file `a.sql` already exists in the working directory",
        ],
        "FAILED",
        files={"a.sql": "own"},
    ),
    "input_files_over_namespace_files": Case(
        """
  - {id: w, type: storage.Write, content: stored}
  - id: dir
    type: flow.WorkingDirectory
    namespaceFiles: {}
    inputFiles: {a.sql: "of {{ flow.id }}", "{{ 'x' }}/b.txt": "{{ outputs.w.uri }}", c.txt: "nsfile:///n.txt", none.txt: null}
    outputFiles: ["**"]
    tasks: [{id: t, type: debug.Return}]
  - id: text
    type: flow.WorkingDirectory
    inputFiles: '{"d.txt": "{{ flow.id }}", "empty.txt": null}'
    outputFiles: ["*.txt"]
    tasks: [{id: t2, type: debug.Return}]
  - {id: keys, type: debug.Return, format: "{{ outputs.dir.outputFiles | keys }} {{ outputs.text.outputFiles | keys }}"}
  - {id: r, type: debug.Return, format: "{% set f = outputs.dir.outputFiles %}{{ read(f['a.sql']) }} {{ read(f['x/b.txt']) }} {{ read(f['c.txt']) }} {{ read(outputs.text.outputFiles['d.txt']) }} {{ fileSize(outputs.text.outputFiles['empty.txt']) }}"}""",
        {
            "keys": {"value": '["a.sql","c.txt","n.txt","x/b.txt"] ["d.txt","empty.txt"]'},
            "r": {"value": "of f stored named f 0"},
        },
        ["Loaded 2 namespace files from 'company.team' in <time>"],
        files={"a.sql": "1", "n.txt": "named"},
    ),
    "output_files_by_globs": Case(
        """
  - id: dir
    type: flow.WorkingDirectory
    inputFiles: {a.csv: "1", sub/b.csv: "2", sub/deep/c.csv: "3", d.txt: "4", "e f.csv": "5"}
    tasks:
      - {id: one, type: storage.LocalFiles, outputs: ["*.txt"]}
      - {id: two, type: storage.LocalFiles, outputs: ["**/c.csv", "{a,z}.csv", "e?f.csv"]}
      - {id: rest, type: storage.LocalFiles, outputs: ["**.csv", "*.txt"]}
  - {id: r, type: debug.Return, format: "{{ outputs.one.uris | keys }} {{ outputs.two.uris | keys }} {{ outputs.rest.uris | keys }}"}""",
        {"r": {"value": '["d.txt"] ["a.csv","e f.csv","sub/deep/c.csv"] ["sub/b.csv"]'}},
    ),
    "names_stay_inside_the_directory": Case(
        """
  - id: dir
    type: flow.WorkingDirectory
    inputFiles: {"../out.txt": x}
    tasks: [{id: t, type: debug.Return}]""",
        says=["The path `../out.txt` is not inside the working directory"],
        state="FAILED",
    ),
    "input_files_are_a_map": Case(
        """
  - id: dir
    type: flow.WorkingDirectory
    inputFiles: "[1]"
    tasks: [{id: t, type: debug.Return}]""",
        says=["Invalid files properties with type list"],
        state="FAILED",
    ),
}


@lru_cache
def done() -> Mapping[str, Done]:
    return run_all(FILES)


@pytest.mark.parametrize("name", FILES)
def test_flow(name: str) -> None:
    assert seen(FILES[name], done()[name]) == wanted(FILES[name])
