"""Tasks of the key-value store, of states, of namespace files, logs and metrics (05 §7 to §9, §11, §12, §16, §17)."""

from collections.abc import Mapping
from functools import lru_cache

import pytest

from tests.plugins.flows import Case, Done, run_all, seen, wanted

pytestmark = [pytest.mark.timeout(200), pytest.mark.slow]

KEY_VALUES: dict[str, Case] = {
    "a_literal_is_stored_as_text": Case(
        """
  - {id: s1, type: kv.Set, key: n, value: 42}
  - {id: s2, type: kv.Set, key: m, value: {a: 1}}
  - {id: s3, type: kv.Set, key: b, value: true}
  - {id: n, type: kv.Get, key: n}
  - {id: m, type: kv.Get, key: m}
  - {id: b, type: kv.Get, key: b}
  - {id: r, type: debug.Return, format: "{{ kv('n') ~ 1 }} {{ kv('m') }}"}""",
        {
            "n": {"value": "42"},
            "m": {"value": '{"a":1}'},
            "b": {"value": "true"},
            "r": {"value": '421 {"a":1}'},
        },
    ),
    "a_lone_expression_keeps_its_type": Case(
        """
  - {id: o, type: output.OutputValues, values: {list: [1, two], map: {a: {b: 1}}}}
  - {id: s1, type: kv.Set, key: l, value: "{{ outputs.o.values.list }}"}
  - {id: s2, type: kv.Set, key: m, value: "{{ outputs.o.values.map }}"}
  - {id: s3, type: kv.Set, key: n, value: "{{ 1 + 2 }}"}
  - {id: s4, type: kv.Set, key: f, value: "{{ 1.5 }}"}
  - {id: s5, type: kv.Set, key: b, value: "{{ 1 == 1 }}"}
  - {id: l, type: kv.Get, key: l}
  - {id: m, type: kv.Get, key: m}
  - {id: n, type: kv.Get, key: n}
  - {id: f, type: kv.Get, key: f}
  - {id: b, type: kv.Get, key: b}
  - {id: r, type: debug.Return, format: "{{ kv('l')[1] }} {{ kv('m').a.b }} {{ kv('n') + 1 }} {{ outputs.m.value.a.b }}"}""",
        {
            "l": {"value": [1, "two"]},
            "m": {"value": {"a": {"b": 1}}},
            "n": {"value": 3},
            "f": {"value": 1.5},
            "b": {"value": True},
            "r": {"value": "two 1 4 1"},
        },
    ),
    "kv_type_converts_text": Case(
        """
  - {id: s1, type: kv.Set, key: n, value: "42", kvType: NUMBER}
  - {id: s2, type: kv.Set, key: f, value: "1.5", kvType: NUMBER}
  - {id: s3, type: kv.Set, key: t, value: "TRUE", kvType: BOOLEAN}
  - {id: s4, type: kv.Set, key: w, value: "yes", kvType: BOOLEAN}
  - {id: s5, type: kv.Set, key: dt, value: "2025-01-02T03:04:05Z", kvType: DATETIME}
  - {id: s5b, type: kv.Set, key: day, value: "2025-01-02T00:00:00Z", kvType: DATE}
  - {id: s5c, type: kv.Set, key: zoned, value: "2025-01-02T03:04:05+02:00", kvType: DATETIME}
  - {id: day, type: kv.Get, key: day}
  - {id: zoned, type: kv.Get, key: zoned}
  - {id: s6, type: kv.Set, key: d, value: "PT5M", kvType: DURATION}
  - {id: s7, type: kv.Set, key: j, value: '{"a": [1, 2]}', kvType: JSON}
  - {id: s8, type: kv.Set, key: s, value: "42", kvType: STRING}
  - {id: s9, type: kv.Set, key: x, value: {a: 1}, kvType: JSON}
  - {id: s10, type: kv.Set, key: ns, value: "{{ 40 + 2 }}", kvType: STRING}
  - {id: s11, type: kv.Set, key: y, value: 7, kvType: NUMBER}
  - {id: n, type: kv.Get, key: n}
  - {id: f, type: kv.Get, key: f}
  - {id: t, type: kv.Get, key: t}
  - {id: w, type: kv.Get, key: w}
  - {id: dt, type: kv.Get, key: dt}
  - {id: d, type: kv.Get, key: d}
  - {id: j, type: kv.Get, key: j}
  - {id: s, type: kv.Get, key: s}
  - {id: x, type: kv.Get, key: x}
  - {id: ns, type: kv.Get, key: ns}
  - {id: y, type: kv.Get, key: y}""",
        {
            "n": {"value": 42},
            "f": {"value": 1.5},
            "t": {"value": True},
            "w": {"value": False},
            "dt": {"value": "2025-01-02T03:04:05Z"},
            "day": {"value": "2025-01-02"},
            "zoned": {"value": "2025-01-02T01:04:05Z"},
            "d": {"value": 300.0},
            "j": {"value": {"a": [1, 2]}},
            "s": {"value": "42"},
            "x": {"value": {"a": 1}},
            "ns": {"value": "42"},
            "y": {"value": 7},
        },
    ),
    "a_text_that_reads_as_a_duration_comes_back_as_seconds": Case(
        """
  - {id: s1, type: kv.Set, key: d, value: PT5M}
  - {id: s2, type: kv.Set, key: p, value: P1D}
  - {id: s3, type: kv.Set, key: w, value: P1W}
  - {id: s4, type: kv.Set, key: no, value: PT}
  - {id: d, type: kv.Get, key: d}
  - {id: p, type: kv.Get, key: p}
  - {id: w, type: kv.Get, key: w}
  - {id: n, type: kv.Get, key: no}
  - {id: r, type: debug.Return, format: "{{ kv('d') }}"}""",
        {
            "d": {"value": 300.0},
            "p": {"value": 86400.0},
            "w": {"value": "P1W"},
            "n": {"value": "PT"},
            "r": {"value": "300.0"},
        },
    ),
    "a_number_that_is_none_fails": Case(
        "  - {id: s, type: kv.Set, key: n, value: abc, kvType: NUMBER}",
        says=["JSON is malformed: invalid character (byte 0)"],
        state="FAILED",
    ),
    "an_existing_key_is_not_overwritten": Case(
        """
  - {id: s1, type: kv.Set, key: k, value: one, overwrite: false}
  - {id: s2, type: kv.Set, key: k, value: two, overwrite: false}""",
        says=[
            "Cannot set value for key 'k'. Key already exists and `overwrite` is set to `false`."
        ],
        state="FAILED",
    ),
    "a_deleted_or_expired_key_may_be_set_without_overwrite": Case(
        """
  - {id: s1, type: kv.Set, key: k, value: one}
  - {id: d, type: kv.Delete, key: k}
  - {id: s2, type: kv.Set, key: k, value: two, overwrite: false, ttl: PT0.05S}
  - {id: nap, type: flow.Sleep, duration: PT0.1S}
  - {id: s3, type: kv.Set, key: k, value: three, overwrite: false}
  - {id: g, type: kv.Get, key: k}""",
        {"g": {"value": "three"}},
        ["Waiting for PT0.1S"],
    ),
    "an_expired_key_is_gone": Case(
        """
  - {id: s1, type: kv.Set, key: k, value: one, ttl: PT0.05S}
  - {id: s2, type: kv.Set, key: kept, value: one, ttl: PT1H, kvDescription: kept long}
  - {id: nap, type: flow.Sleep, duration: PT0.1S}
  - {id: keys, type: kv.GetKeys}
  - {id: fn, type: debug.Return, format: "{{ kv('k', errorOnMissing=false) ?? 'none' }}"}
  - {id: g, type: kv.Get, key: k, allowFailure: true}
  - {id: d, type: kv.Delete, key: k}
  - {id: n, type: kv.Get, key: k}
  - {id: e, type: kv.Get, key: k, errorOnMissing: true}""",
        {
            "g": None,
            "keys": {"keys": ["kept"]},
            "fn": {"value": "none"},
            "d": {"deleted": False},
            "n": None,
        },
        [
            "Waiting for PT0.1S",
            "The requested value has expired",
            "No value found for key 'k' in namespace 'company.team' and `errorOnMissing` is set to true",
        ],
        "FAILED",
    ),
    "setting_again_without_ttl_lives_for_ever": Case(
        """
  - {id: s1, type: kv.Set, key: k, value: one, ttl: PT0.05S}
  - {id: s2, type: kv.Set, key: k, value: two}
  - {id: nap, type: flow.Sleep, duration: PT0.1S}
  - {id: g, type: kv.Get, key: k}""",
        {"g": {"value": "two"}},
        ["Waiting for PT0.1S"],
    ),
    "a_negative_ttl_is_refused": Case(
        "  - {id: s, type: kv.Set, key: k, value: one, ttl: PT-1S}",
        says=["ttl: must not be negative"],
        state="FAILED",
    ),
    "a_key_has_a_rule": Case(
        "  - {id: s, type: kv.Set, key: \"{{ '-a' }}\", value: one}",
        says=[
            "Invalid key '-a': it must start with a letter or digit and hold only letters, digits, `.`, `_` and `-`"
        ],
        state="FAILED",
    ),
    "get_climbs_only_from_the_own_namespace": Case(
        """
  - {id: s1, type: kv.Set, key: up, value: top, namespace: company}
  - {id: s2, type: kv.Set, key: near, value: far, namespace: company}
  - {id: s3, type: kv.Set, key: near, value: own}
  - {id: up, type: kv.Get, key: up}
  - {id: near, type: kv.Get, key: near}
  - {id: other, type: kv.Get, key: up, namespace: company.team.deep}
  - {id: named, type: kv.Get, key: up, namespace: "{{ flow.namespace }}"}
  - {id: keys, type: kv.GetKeys}
  - {id: theirs, type: kv.GetKeys, namespace: company, prefix: u}
  - {id: d, type: kv.Delete, key: up}
  - {id: fn, type: debug.Return, format: "{{ kv('up') }} {{ kv('up', 'company.team', false) ?? 'none' }}"}""",
        {
            "up": {"value": "top"},
            "near": {"value": "own"},
            "other": None,
            "named": {"value": "top"},
            "keys": {"keys": ["near"]},
            "theirs": {"keys": ["up"]},
            "d": {"deleted": False},
        },
    ),
    "purge_removes_all_keys_that_fit": Case(
        """
  - {id: s1, type: kv.Set, key: tmp_1, value: one}
  - {id: s2, type: kv.Set, key: tmp_1, value: two}
  - {id: s3, type: kv.Set, key: tmp_2, value: one}
  - {id: s4, type: kv.Set, key: keep, value: one}
  - {id: p, type: kv.PurgeKV, namespaces: [company], keyPattern: "tmp_?", behavior: {type: key, expiredOnly: false}}
  - {id: left, type: kv.GetKeys}""",
        {"p": {"size": 3}, "left": {"keys": ["keep"]}},
        ["purging 1 namespaces: [company.team]", "purged 3 keys"],
    ),
    "purge_keeps_the_newest_versions": Case(
        """
  - {id: s1, type: kv.Set, key: k, value: one}
  - {id: s2, type: kv.Set, key: k, value: two}
  - {id: s3, type: kv.Set, key: k, value: three}
  - {id: p, type: kv.PurgeKV, namespacePattern: "comp*.team", behavior: {type: version, keepAmount: 1}}
  - {id: g, type: kv.Get, key: k}
  - {id: q, type: kv.PurgeKV, behavior: {type: version, before: "{{ now() | dateAdd(1, 'DAYS') }}"}}
  - {id: h, type: kv.Get, key: k}""",
        {"p": {"size": 2}, "g": {"value": "three"}, "q": {"size": 0}, "h": {"value": "three"}},
        [
            "purging 1 namespaces: [company.team]",
            "purged 2 keys",
            "purging 1 namespaces: [company.team]",
            "purged 0 keys",
        ],
    ),
    "purge_looks_only_where_flows_are": Case(
        """
  - {id: s1, type: kv.Set, key: k, value: one, namespace: company}
  - {id: s2, type: kv.Set, key: k, value: one, namespace: companyable}
  - {id: s3, type: kv.Set, key: k, value: one}
  - {id: p, type: kv.PurgeKV, namespaces: [company], expiredOnly: false}
  - {id: q, type: kv.PurgeKV, namespaces: [company], includeChildNamespaces: false, expiredOnly: false}""",
        {"p": {"size": 2}, "q": {"size": 0}},
        [
            "purging 2 namespaces: [company.team, companyable]",
            "purged 2 keys",
            "purging 0 namespaces: []",
            "purged 0 keys",
        ],
        others=["{id: o, namespace: companyable, tasks: [{id: t, type: log.Log, message: x}]}"],
    ),
    "an_object_may_be_json_text_or_an_expression": Case(
        """
  - {id: s, type: kv.Set, key: k, value: one}
  - {id: a, type: kv.PurgeKV, behavior: "{{ {'type': 'key'} }}"}
  - {id: b, type: kv.PurgeKV, behavior: '{"type": "key", "expiredOnly": "{{ 1 == 2 }}"}'}""",
        {"a": {"size": 0}, "b": {"size": 1}},
        [
            "purging 1 namespaces: [company.team]",
            "purged 0 keys",
            "purging 1 namespaces: [company.team]",
            "purged 1 keys",
        ],
    ),
    "purge_with_both_bounds_is_refused": Case(
        "  - {id: p, type: kv.PurgeKV, behavior: {type: version, keepAmount: 1, before: '2025-01-01T00:00:00Z'}}",
        says=["Cannot set both 'before' and 'keepAmount' properties"],
        state="FAILED",
    ),
}

STATES: dict[str, Case] = {
    "a_state_is_merged_read_and_forgotten": Case(
        """
  - {id: none, type: state.Get}
  - {id: s1, type: state.Set, data: {a: 1, m: {x: 1}, l: [1]}}
  - {id: s2, type: state.Set, data: {"{{ 'b' }}": "{{ flow.id }}", m: {y: 2}, l: [1, 2], a: null}}
  - {id: g, type: state.Get}
  - {id: d1, type: state.Delete}
  - {id: d2, type: state.Delete}
  - {id: d3, type: state.Delete, errorOnMissing: true}""",
        {
            "none": {"count": 0, "data": {}},
            "s1": {"count": 3, "key": "f_states_tasks-states_default"},
            "s2": {"count": 4, "key": "f_states_tasks-states_default"},
            "g": {"count": 4, "data": {"a": 1, "b": "f", "m": {"x": 1, "y": 2}, "l": [1, 2]}},
            "d1": {"deleted": True},
            "d2": {"deleted": False},
        },
        ["Unable to find the state file 'default'"],
        "FAILED",
    ),
    "states_have_names_and_may_be_shared": Case(
        """
  - {id: s1, type: state.Set, name: "{{ 'mine' }}", data: {a: 1}}
  - {id: s2, type: state.Set, name: ours, namespace: true, data: {a: 2}}
  - {id: keys, type: kv.GetKeys}
  - {id: mine, type: state.Get, name: mine}
  - {id: ours, type: state.Get, name: ours, namespace: true}
  - {id: n, type: state.Get, name: ours}
  - {id: e, type: state.Get, name: ours, errorOnMissing: true}""",
        {
            "keys": {"keys": ["f_states_tasks-states_mine", "states_tasks-states_ours"]},
            "mine": {"count": 1, "data": {"a": 1}},
            "ours": {"count": 1, "data": {"a": 2}},
            "n": {"count": 0, "data": {}},
        },
        ["State f_states_tasks-states_ours not found"],
        "FAILED",
    ),
    "items_of_a_loop_have_states_of_their_own": Case(
        """
  - id: loop
    type: flow.ForEach
    values: [hello]
    tasks:
      - {id: s1, type: state.Set, data: {a: 1}}
      - {id: s2, type: io.kestra.core.tasks.states.Set, taskrunValue: false, data: {a: 2}}
  - {id: g, type: io.kestra.core.tasks.states.Get}""",
        {
            "s1": {
                "count": 1,
                "key": "f_states_tasks-states_default_029bbd41b3a7d8cb191dae486a901e5b",
            },
            "s2": {"count": 1, "key": "f_states_tasks-states_default"},
            "g": {"count": 1, "data": {"a": 2}},
        },
    ),
}

METRICS: dict[str, Case] = {
    "metrics_of_every_kind": Case(
        """
  - id: m
    type: metric.Publish
    metrics:
      - {type: counter, name: "{{ flow.id }}", value: "{{ 1 + 2 }}", tags: {a: "{{ flow.id }}"}}
      - {type: counter, name: f, value: 2, tags: {a: f}}
      - {type: counter, name: f, value: 2, description: of others}
      - {type: timer, name: t, value: PT1.5S}
      - {type: timer, name: t, value: 2}
      - {type: gauge, name: g, value: 0.5}
      - {type: gauge, name: g, value: "{{ 0.7 }}"}
  - {id: n, type: metric.Publish, metrics: "{{ [{'type': 'gauge', 'name': 'x', 'value': 1}] }}"}
  - {id: none, type: metric.Publish}""",
        metrics={
            "m": [
                ("counter", "f", 5.0, {"a": "f"}),
                ("counter", "f", 2.0, {}),
                ("timer", "t", 3500.0, {}),
                ("gauge", "g", 0.7, {}),
            ],
            "n": [("gauge", "x", 1.0, {})],
            "none": [],
        },
    ),
    "a_metric_that_is_no_number": Case(
        "  - {id: m, type: metric.Publish, metrics: [{type: counter, name: n, value: many}]}",
        says=["metrics[0].value: could not convert string to float: 'many'"],
        state="FAILED",
    ),
    "metrics_of_core_tasks": Case(
        """
  - {id: r, type: debug.Return, format: abc}
  - {id: d, type: namespace.DownloadFiles, namespace: company.team, files: "**"}
  - {id: x, type: namespace.DeleteFiles, namespace: company.team, files: a.txt}
  - {id: a, type: execution.Assert, conditions: ["true", "1"]}""",
        metrics={
            "d": [("counter", "downloaded", 2.0, {})],
            "x": [("counter", "deleted", 1.0, {})],
            "a": [("counter", "success", 2.0, {}), ("counter", "failed", 0.0, {})],
        },
        files={"a.txt": "1", "b.txt": "2"},
    ),
}

CASES: Mapping[str, Case] = {**KEY_VALUES, **STATES, **METRICS}


@lru_cache
def done() -> Mapping[str, Done]:
    return run_all(CASES)


@pytest.mark.parametrize("name", CASES)
def test_flow(name: str) -> None:
    assert seen(CASES[name], done()[name]) == wanted(CASES[name])
