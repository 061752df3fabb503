"""How recorded flow cases are run: one installation each, with what was recorded put beside what happened."""

from pathlib import Path

import pytest

from batuta.testing.conformance.flows import adjusted, known_differences, run_files, wordings

CASE = """\
name: mine
flows:
  - |
    id: mine
    namespace: unit
    tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: hi}]
run: {settle: 1}
expect:
  state: SUCCESS
  histories: [CREATED, RUNNING, SUCCESS]
  taskRuns: [{taskId: say, state: SUCCESS, attempts: 1}]
  order: [say]
  logs: [{level: INFO, taskId: say, message: MESSAGE}]
"""


@pytest.mark.parametrize(("message", "passes"), [("hi", True), ("bye", False)])
def test_a_case_is_run_and_compared(tmp_path: Path, message: str, passes: bool) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(CASE.replace("MESSAGE", message))
    ((name, difference),) = run_files([path])
    assert name == "mine"
    assert (difference is None) is passes


def test_files_that_are_no_cases_fail_and_the_others_run(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- 1\n")
    (tmp_path / "b.yaml").write_text("[\n")
    (tmp_path / "c.yaml").write_text(CASE.replace("MESSAGE", "hi"))
    found = dict(run_files(sorted(tmp_path.glob("*.yaml"))))
    assert "expected a case" in str(found["a"])
    assert "b.yaml" in str(found["b"])
    assert found["mine"] is None


def test_a_flow_that_is_refused_is_an_error_of_the_flow(tmp_path: Path) -> None:
    path = tmp_path / "refused.yaml"
    path.write_text(
        "name: refused\nflows: ['id: x']\nexpect: {error: no namespace, errorOn: flow}\n"
    )
    assert dict(run_files([path])) == {"refused": None}


def test_our_differences_replace_what_was_recorded() -> None:
    case = {"name": "exit-bad-state", "flows": [], "expect": {"state": "FAILED", "logs": []}}
    assert adjusted(case, known_differences())["expect"] == {"error": "<any>", "errorOn": "flow"}
    other = {"name": "other", "flows": [], "expect": {"state": "FAILED"}}
    assert adjusted(other, known_differences()) is other


def test_the_words_of_the_author_are_known_by_task() -> None:
    source = """\
tasks:
  - {id: a, type: io.kestra.plugin.core.log.Log}
  - {id: b, type: x.Sequential, tasks: [{id: c, type: x.Fail, errorMessage: no}, {id: d, type: x.Fail}]}
"""
    assert wordings([source, "[broken"]) == {"a", "c"}
