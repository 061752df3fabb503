"""Tasks of internal storage, of namespace files, logs and metrics (05 §3, §6, §9, §12, §16, §18)."""

from collections.abc import Mapping
from functools import lru_cache

import pytest

from tests.plugins.flows import Case, Done, run_all, seen, wanted

pytestmark = [pytest.mark.timeout(200), pytest.mark.slow]

ROWS = '  - {id: w, type: storage.Write, content: "{id:1,k:\\"a\\",q:3}\\n{id:2,k:\\"b\\",q:0}\\n{id:3,k:\\"a\\",q:null}\\n", extension: ion}'
LINES = '  - {id: w, type: storage.Write, content: "a1\\nb2\\na3\\nc\\nb5\\n", extension: .txt}'

STORAGE: dict[str, Case] = {
    "write_makes_json_of_maps_and_lists": Case(
        """
  - {id: m, type: storage.Write, content: {a: "{{ flow.id }}", b: 1}}
  - {id: l, type: storage.Write, content: [1, "{{ flow.id }}"], extension: json}
  - {id: e, type: storage.Write, content: "", extension: .txt}
  - {id: r, type: debug.Return, format: "{{ read(outputs.m.uri) }}{{ read(outputs.l.uri) }}{{ fileSize(outputs.e.uri) }}"}
  - {id: ends, type: debug.Return, format: "{{ outputs.m.uri | substringAfterLast('.') }} {{ outputs.l.uri | substringAfterLast('.') }}"}""",
        {"m": {"uri": "<uri>"}, "r": {"value": '{"a":"f","b":1}[1,"f"]0'}},
    ),
    "concat_takes_lists_and_json": Case(
        """
  - {id: a, type: storage.Write, content: one}
  - {id: b, type: storage.Write, content: two}
  - {id: c, type: storage.Concat, files: ["{{ outputs.a.uri }}", "{{ outputs.b.uri }}"], separator: "\\n", extension: csv}
  - {id: d, type: storage.Concat, files: '["{{ outputs.a.uri }}", "{{ outputs.b.uri }}"]'}
  - {id: e, type: storage.Concat, files: []}
  - {id: r, type: debug.Return, format: "{{ read(outputs.c.uri) }}|{{ read(outputs.d.uri) }}|{{ read(outputs.e.uri) }}|"}
  - {id: x, type: debug.Return, format: "{{ outputs.c.uri | substringAfterLast('.') }} {{ outputs.d.uri | substringAfterLast('.') }}"}""",
        {"r": {"value": "one\ntwo\n|onetwo||"}, "x": {"value": "csv tmp"}},
    ),
    "concat_of_something_else_fails": Case(
        """
  - {id: c, type: storage.Concat, files: {a: b}}""",
        says=["Invalid files properties with type 'dict'"],
        state="FAILED",
    ),
    "concat_of_a_missing_file_fails": Case(
        """
  - {id: c, type: storage.Concat, files: ["kestra:///company/team/f/executions/x/none.txt"]}""",
        says=["Unable to find file '<uri>'"],
        state="FAILED",
    ),
    "deduplicate_keeps_the_last_row_of_a_key": Case(
        f"""
{ROWS}
  - {{id: d, type: storage.DeduplicateItems, from: "{{{{ outputs.w.uri }}}}", expr: "{{{{ k }}}}"}}
  - {{id: r, type: debug.Return, format: "{{{{ read(outputs.d.uri) }}}}"}}""",
        {
            "d": {"uri": "<uri>", "numKeys": 2, "processedItemsTotal": 3, "droppedItemsTotal": 1},
            "r": {"value": '{id:2,k:"b",q:0}\n{id:3,k:"a",q:null}\n'},
        },
    ),
    "filter_includes_and_excludes": Case(
        f"""
{ROWS}
  - {{id: i, type: storage.FilterItems, from: "{{{{ outputs.w.uri }}}}", filterCondition: "{{{{ k == 'a' }}}}"}}
  - {{id: x, type: storage.FilterItems, from: "{{{{ outputs.w.uri }}}}", filterCondition: "{{{{ k == 'a' }}}}", filterType: EXCLUDE}}
  - {{id: z, type: storage.FilterItems, from: "{{{{ outputs.w.uri }}}}", filterCondition: "{{{{ q }}}}", errorOrNullBehavior: INCLUDE}}
  - {{id: r, type: debug.Return, format: "{{{{ read(outputs.i.uri) }}}}{{{{ read(outputs.x.uri) }}}}"}}""",
        {
            "i": {"uri": "<uri>", "processedItemsTotal": 3, "droppedItemsTotal": 1},
            "x": {"uri": "<uri>", "processedItemsTotal": 3, "droppedItemsTotal": 2},
            "r": {"value": '{id:1,k:"a",q:3}\n{id:3,k:"a",q:null}\n{id:2,k:"b",q:0}\n'},
        },
    ),
    "filter_fails_with_the_error_of_the_condition": Case(
        f"""
{ROWS}
  - {{id: i, type: storage.FilterItems, from: "{{{{ outputs.w.uri }}}}", filterCondition: "{{{{ nothing }}}}"}}""",
        says=["Unable to find `nothing` used in the expression `{{ nothing }}` at line 1"],
        state="FAILED",
    ),
    "filter_may_keep_or_drop_rows_that_cannot_be_judged": Case(
        f"""
{ROWS}
  - {{id: i, type: storage.FilterItems, from: "{{{{ outputs.w.uri }}}}", filterCondition: "{{{{ nothing == 1 }}}}", errorOrNullBehavior: INCLUDE}}
  - {{id: x, type: storage.FilterItems, from: "{{{{ outputs.w.uri }}}}", filterCondition: "{{{{ nothing == 1 }}}}", errorOrNullBehavior: EXCLUDE}}
  - {{id: n, type: storage.FilterItems, from: "{{{{ outputs.w.uri }}}}", filterCondition: "{{{{ q > 1 }}}}", errorOrNullBehavior: EXCLUDE}}""",
        {
            "i": {"uri": "<uri>", "processedItemsTotal": 3, "droppedItemsTotal": 0},
            "x": {"uri": "<uri>", "processedItemsTotal": 3, "droppedItemsTotal": 3},
            "n": {"uri": "<uri>", "processedItemsTotal": 3, "droppedItemsTotal": 2},
        },
    ),
    "reverse_keeps_the_extension": Case(
        f"""
{LINES}
  - {{id: v, type: storage.Reverse, from: "{{{{ outputs.w.uri }}}}", separator: ";"}}
  - {{id: u, type: storage.Reverse, from: "{{{{ outputs.w.uri }}}}", charset: ISO-8859-1}}
  - {{id: r, type: debug.Return, format: "{{{{ read(outputs.v.uri) }}}} {{{{ outputs.v.uri | substringAfterLast('.') }}}} {{{{ read(outputs.u.uri) }}}}"}}""",
        {"r": {"value": "b5;c;a3;b2;a1; txt b5\nc\na3\nb2\na1\n"}},
    ),
    "split_in_every_way": Case(
        f"""
{LINES}
  - {{id: rows, type: storage.Split, from: "{{{{ outputs.w.uri }}}}", rows: 2}}
  - {{id: parts, type: storage.Split, from: "{{{{ outputs.w.uri }}}}", partitions: 3}}
  - {{id: many, type: storage.Split, from: "{{{{ outputs.w.uri }}}}", partitions: 9}}
  - {{id: bytes, type: storage.Split, from: "{{{{ outputs.w.uri }}}}", bytes: "0.004KB"}}
  - {{id: regex, type: storage.Split, from: "{{{{ outputs.w.uri }}}}", regexPattern: "([a-z])\\\\d"}}
  - {{id: sep, type: storage.Split, from: "{{{{ outputs.w.uri }}}}", rows: 3, separator: "-"}}
  - {{id: first, type: storage.Split, from: "{{{{ outputs.w.uri }}}}", rows: 1, bytes: "1MB", partitions: 2}}
  - {{id: r1, type: debug.Return, format: "{{% for u in outputs.rows.uris %}}{{{{ read(u) }}}}|{{% endfor %}}"}}
  - {{id: r2, type: debug.Return, format: "{{% for u in outputs.parts.uris %}}{{{{ read(u) }}}}|{{% endfor %}}"}}
  - {{id: r3, type: debug.Return, format: "{{% for u in outputs.bytes.uris %}}{{{{ read(u) }}}}|{{% endfor %}}"}}
  - {{id: r4, type: debug.Return, format: "{{% for u in outputs.regex.uris %}}{{{{ read(u) }}}}|{{% endfor %}}"}}
  - {{id: r5, type: debug.Return, format: "{{% for u in outputs.sep.uris %}}{{{{ read(u) }}}}|{{% endfor %}}"}}
  - {{id: r6, type: debug.Return, format: "{{{{ outputs.many.uris | length }}}} {{{{ outputs.first.uris | length }}}} {{{{ outputs.rows.uris[0] | substringAfterLast('.') }}}}"}}""",
        {
            "r1": {"value": "a1\nb2\n|a3\nc\n|b5\n|"},
            "r2": {"value": "a1\nc\n|b2\nb5\n|a3\n|"},
            "r3": {"value": "a1\nb2\n|a3\nc\n|b5\n|"},
            "r4": {"value": "a1\na3\n|b2\nb5\n|"},
            "r5": {"value": "a1-b2-a3-|c-b5-|"},
            "r6": {"value": "5 1 txt"},
        },
    ),
    "split_needs_to_know_how": Case(
        f"""
{LINES}
  - {{id: s, type: storage.Split, from: "{{{{ outputs.w.uri }}}}"}}""",
        says=["Invalid configuration with no size, count, rows, nor regexPattern"],
        state="FAILED",
    ),
    "size_and_delete": Case(
        """
  - {id: w, type: storage.Write, content: "äö"}
  - {id: s, type: storage.Size, uri: "{{ outputs.w.uri }}"}
  - {id: d1, type: storage.Delete, uri: "{{ outputs.w.uri }}"}
  - {id: d2, type: storage.Delete, uri: "{{ outputs.w.uri }}", errorOnMissing: true}""",
        {"s": {"size": 4}, "d1": {"uri": "<uri>", "deleted": True}},
        ["Unable to find file '<uri>'"],
        "FAILED",
    ),
    "size_of_a_missing_file_fails": Case(
        "  - {id: s, type: storage.Size, uri: 'kestra:///company/team/f/executions/x/none'}",
        says=["Unable to find file '<uri>'"],
        state="FAILED",
    ),
    "only_internal_storage_is_read": Case(
        "  - {id: s, type: storage.Reverse, from: 'file:///etc/hostname'}",
        says=["Invalid internal storage URI `file:///etc/hostname`: it must start with `<uri>"],
        state="FAILED",
    ),
    "files_of_other_executions_do_not_escape_the_tenant": Case(
        "  - {id: s, type: storage.Size, uri: 'kestra:///../other/x'}",
        says=["Invalid internal storage URI `<uri> `.` and `..` are not allowed"],
        state="FAILED",
    ),
    "local_files_in_a_directory": Case(
        """
  - id: dir
    type: flow.WorkingDirectory
    tasks:
      - {id: in, type: storage.LocalFiles, inputs: {a.txt: "{{ flow.id }}", sub/b.csv: "1"}}
      - {id: out, type: io.kestra.core.tasks.storages.LocalFiles, inputs: '{"c.csv": "2"}', outputs: ["*.csv", "sub/**"]}
  - {id: r, type: debug.Return, format: "{{ read(outputs.out.uris['sub/b.csv']) }}{{ read(outputs.out.uris['c.csv']) }}"}""",
        {
            "in": {"uris": {}},
            "out": {"uris": {"c.csv": "<uri>", "sub/b.csv": "<uri>"}},
            "r": {"value": "12"},
        },
    ),
    "purge_of_an_execution_without_files": Case(
        """
  - {id: p, type: io.kestra.plugin.core.storage.PurgeExecution}
  - {id: q, type: storage.PurgeCurrentExecutionFiles}""",
        {"p": {"uris": []}},
    ),
}

NAMESPACE_FILES: dict[str, Case] = {
    "patterns_of_namespace_files": Case(
        """
  - {id: word, type: namespace.DownloadFiles, namespace: company.team, files: a.sql}
  - {id: root, type: namespace.DownloadFiles, namespace: company.team, files: [/a.sql]}
  - {id: star, type: namespace.DownloadFiles, namespace: company.team, files: "*.sql"}
  - {id: deep, type: namespace.DownloadFiles, namespace: company.team, files: "**.sql"}
  - {id: dir, type: namespace.DownloadFiles, namespace: company.team, files: ["**/*.sql"]}
  - {id: under, type: namespace.DownloadFiles, namespace: company.team, files: '["sub/**"]'}
  - {id: alt, type: namespace.DownloadFiles, namespace: company.team, files: ["{{ 'a' }}.{sql,txt}"]}
  - {id: rx, type: namespace.DownloadFiles, namespace: company.team, files: ['regex:.*/a\\.s.l']}
  - {id: empty, type: namespace.DownloadFiles, namespace: company.none, files: ["**"]}""",
        {
            "word": {"files": {"/a.sql": "<uri>", "/sub/a.sql": "<uri>"}},
            "root": {"files": {"/a.sql": "<uri>"}},
            "star": {"files": {}},
            "deep": {"files": {"/a.sql": "<uri>", "/sub/a.sql": "<uri>"}},
            "dir": {"files": {"/a.sql": "<uri>", "/sub/a.sql": "<uri>"}},
            "under": {"files": {"/sub/a.sql": "<uri>", "/sub/x/b.txt": "<uri>"}},
            "alt": {"files": {"/a.sql": "<uri>", "/a.txt": "<uri>", "/sub/a.sql": "<uri>"}},
            "rx": {"files": {"/a.sql": "<uri>", "/sub/a.sql": "<uri>"}},
            "empty": {"files": {}},
        },
        files={"a.sql": "1", "a.txt": "2", "sub/a.sql": "3", "sub/x/b.txt": "4"},
    ),
    "upload_of_a_map": Case(
        """
  - {id: w, type: storage.Write, content: new}
  - {id: u1, type: namespace.UploadFiles, namespace: "{{ flow.namespace }}", filesMap: {a.txt: "{{ outputs.w.uri }}"}, destination: docs/}
  - {id: u2, type: namespace.UploadFiles, namespace: company.team, filesMap: '{"b.txt": "{{ outputs.w.uri }}"}', destination: /docs/}
  - {id: u3, type: namespace.UploadFiles, namespace: company.team, filesMap: {c.txt: "kestra:///company/team/f/executions/x/none"}}
  - {id: u4, type: namespace.UploadFiles, namespace: company.team, filesMap: {old.txt: "{{ outputs.w.uri }}"}, conflict: SKIP}
  - {id: u5, type: namespace.UploadFiles, namespace: company.team, filesMap: {old2.txt: "{{ outputs.w.uri }}"}}
  - {id: all, type: namespace.DownloadFiles, namespace: company.team, files: "**"}
  - {id: r, type: debug.Return, format: "{{ read('docs/a.txt') }} {{ read('old.txt') }} {{ read('old2.txt') }}"}
  - {id: u6, type: namespace.UploadFiles, namespace: company.team, filesMap: {old.txt: "{{ outputs.w.uri }}"}, conflict: ERROR}""",
        {
            "all": {
                "files": {
                    f"/{name}": "<uri>"
                    for name in ("docs/a.txt", "docs/b.txt", "old.txt", "old2.txt")
                }
            },
            "r": {"value": "new old new"},
        },
        ["File 'old.txt' already exists in namespace 'company.team' and conflict is set to ERROR"],
        "FAILED",
        files={"old.txt": "old", "old2.txt": "old"},
    ),
    "upload_of_the_working_directory": Case(
        """
  - id: dir
    type: flow.WorkingDirectory
    inputFiles: {a.csv: "1", sub/b.csv: "2", c.txt: "3"}
    tasks:
      - {id: u, type: namespace.UploadFiles, namespace: company.team, files: ["**.csv"], destination: out}
  - {id: all, type: namespace.DownloadFiles, namespace: company.team, files: "**"}""",
        {"all": {"files": {"/out/a.csv": "<uri>", "/out/sub/b.csv": "<uri>"}}},
    ),
    "upload_of_stored_files": Case(
        """
  - {id: w, type: storage.Write, content: x, extension: csv}
  - {id: u, type: namespace.UploadFiles, namespace: company.team, files: ["{{ outputs.w.uri }}", "*.none"], destination: out}
  - {id: all, type: namespace.DownloadFiles, namespace: company.team, files: "out/*.csv"}
  - {id: r, type: debug.Return, format: "{{ outputs.all.files | length }}"}""",
        {"r": {"value": "1"}},
    ),
    "upload_needs_files": Case(
        "  - {id: u, type: namespace.UploadFiles, namespace: company.team}",
        says=["files or filesMap is required"],
        state="FAILED",
    ),
    "download_has_a_destination": Case(
        """
  - {id: d, type: namespace.DownloadFiles, namespace: company.team, files: a.txt, destination: to/}
  - {id: r, type: debug.Return, format: "{{ outputs.d.files['/a.txt'] | substringAfterLast('/to') }} {{ read(outputs.d.files['/a.txt']) }}"}""",
        {"r": {"value": "/a.txt x"}},
        files={"a.txt": "x"},
    ),
    "delete_with_and_without_parents": Case(
        """
  - {id: d, type: namespace.DeleteFiles, namespace: company.team, files: ["x/**"], deleteParentFolder: true}
  - {id: e, type: namespace.DeleteFiles, namespace: company.team, files: nothing}
  - {id: all, type: namespace.DownloadFiles, namespace: company.team, files: "**"}""",
        {"all": {"files": {"/y/c.txt": "<uri>"}}},
        files={"x/a.txt": "1", "x/z/b.txt": "2", "y/c.txt": "3"},
    ),
}

LOGS: dict[str, Case] = {
    "fetch_by_level_and_task": Case(
        """
  - {id: a, type: log.Log, message: [x, "{{ flow.id }}"]}
  - {id: b, type: log.Log, message: y, level: WARN}
  - {id: c, type: log.Log, message: z, level: DEBUG}
  - {id: info, type: log.Fetch}
  - {id: warn, type: log.Fetch, level: WARN}
  - {id: debug, type: log.Fetch, level: DEBUG, tasksId: [a, c]}
  - {id: own, type: log.Fetch, executionId: "{{ execution.id }}", namespace: "{{ flow.namespace }}", flowId: "{{ flow.id }}"}
  - {id: row, type: debug.Return, format: "{{ (fromIon(read(outputs.warn.uri))).message }}"}""",
        {
            "info": {"uri": "<uri>", "size": 3},
            "warn": {"uri": "<uri>", "size": 1},
            "debug": {"uri": "<uri>", "size": 3},
            "own": {"uri": "<uri>", "size": 3},
            "row": {"value": "y"},
        },
        ["x", "f", "y"],
    ),
    "fetch_names_an_execution_wholly": Case(
        "  - {id: a, type: log.Fetch, executionId: x, flowId: f}",
        says=["Both `namespace` and `flowId` must be set when `executionId` is set."],
        state="FAILED",
    ),
    "purge_logs_of_levels": Case(
        """
  - {id: a, type: log.Log, message: [x, y]}
  - {id: b, type: log.Log, message: z, level: WARN}
  - {id: none, type: log.PurgeLogs, endDate: "{{ now() | dateAdd(-1, 'DAYS') }}"}
  - {id: warn, type: log.PurgeLogs, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", logLevels: [WARN], executionId: "{{ execution.id }}"}
  - {id: other, type: log.PurgeLogs, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", namespace: company}
  - {id: late, type: log.PurgeLogs, startDate: "{{ now() | dateAdd(1, 'HOURS') }}", endDate: "{{ now() | dateAdd(1, 'DAYS') }}"}
  - {id: rest, type: log.PurgeLogs, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", namespace: company.team, flowId: f, logLevels: [INFO]}""",
        {
            "none": {"count": 0},
            "warn": {"count": 1},
            "other": {"count": 0},
            "late": {"count": 0},
            "rest": {"count": 2},
        },
    ),
    "log_levels_and_forms": Case(
        """
  - {id: a, type: log.Log, message: "two\\nlines"}
  - {id: b, type: log.Log, message: ["{{ flow.id }}", "{{ 1 + 1 }}"], level: ERROR}
  - {id: c, type: log.Log, message: "{{ [1, 2] }}"}
  - {id: d, type: io.kestra.core.tasks.log.Log, message: d, level: "{{ 'WARN' }}"}
  - {id: e, type: debug.Echo, format: "{{ flow.id }}"}
  - {id: g, type: io.kestra.core.tasks.debugs.Echo, format: hidden, level: DEBUG}""",
        says=["two\nlines", "f", "2", "[1,2]", "d", "f"],
    ),
    "items_of_a_message_become_text": Case(
        "  - {id: a, type: log.Log, message: [1, true, {a: \"{{ flow.id }}\"}, '{{ null }}']}",
        says=["1", "true", '{"a":"f"}', ""],
    ),
    "a_message_is_a_text_or_a_list": Case(
        "  - {id: a, type: log.Log, message: 5}",
        says=["Invalid message type 'int'"],
        state="FAILED",
    ),
    "a_number_is_no_level": Case(
        "  - {id: a, type: log.Log, message: x, level: \"{{ 'LOUD' }}\"}",
        says=["level: Input should be 'ERROR', 'WARN', 'INFO', 'DEBUG' or 'TRACE', got `LOUD`"],
        state="FAILED",
    ),
}

CASES: Mapping[str, Case] = {**STORAGE, **NAMESPACE_FILES, **LOGS}


@lru_cache
def done() -> Mapping[str, Done]:
    return run_all(CASES)


@pytest.mark.parametrize("name", CASES)
def test_flow(name: str) -> None:
    assert seen(CASES[name], done()[name]) == wanted(CASES[name])
