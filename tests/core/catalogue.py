"""What is to come of each behaviour of 01 §11, by its number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CORE = "io.kestra.plugin.core"
RETURN = f"{CORE}.debug.Return"
FAIL = f"{CORE}.execution.Fail"


@dataclass(frozen=True)
class Flow:
    """The first source is run; `runs` is the number of its task runs, `output` a pattern that some output fits."""

    sources: tuple[str, ...]
    state: str = "SUCCESS"
    runs: int = 1
    inputs: Mapping[str, Any] | None = None
    output: str | None = None


RECORDED = {
    "001": "kestra-sequential",
    "002": "kestra-sequential-with-global-errors",
    "003": "kestra-sequential-with-local-errors",
    "004": "kestra-errors error-logs-function",
    "005": "kestra-failed-first",
    "006": "kestra-disable-simple disabled-task-in-flow",
    "007": "kestra-disable-error",
    "008": "kestra-disable-flowable",
    "009": "kestra-full",
    "010": "kestra-logs log-level-filter",
    "011": "alias-types",
    "020": "variables-recursive",
    "022": "nulls-in-outputs",
    "023": "kestra-parallel parallel-simple",
    "024": "kestra-parallel-nested",
    "025": "kestra-dag dag-diamond",
    "026": "dag-cycle dag-unknown-dependency",
    "027": "kestra-if-condition-with-text kestra-if-condition-with-zero if-truthiness",
    "028": "kestra-if-without-else-with-true kestra-if-without-else-with-false",
    "030": "kestra-if-in-flowable-with-true",
    "031": "kestra-switch-with-first kestra-switch-with-default",
    "032": "kestra-switch-with-third",
    "033": "kestra-switch-impossible-with-other switch-no-match-no-default",
    "034": "kestra-each-switch",
    "036": "kestra-foreach-non-concurrent",
    "037": "kestra-foreach-concurrent kestra-foreach-concurrent-no-limit kestra-foreach-concurrent-parallel",
    "039": "kestra-each-empty foreach-empty-yaml-list",
    "040": "kestra-each-null foreach-null-value",
    "041": "kestra-each-object kestra-each-object-in-list",
    "042": "kestra-each-parallel-integer",
    "043": "kestra-each-parallel kestra-each-parallel-nested",
    "044": "kestra-each-parallel-subflow-notfound",
    "045": "kestra-each-parallel-pause",
    "046": "foreach-current-each-output-nested current-each-output-from-if",
    "048": "kestra-allow-failure-with-one",
    "049": "kestra-task-allow-failure-runnable",
    "050": "kestra-task-allow-failure-executable-flow",
    "051": "kestra-task-allow-failure-executable-foreachitem-with-rows",
    "052": "kestra-task-allow-failure-flowable",
    "053": "kestra-task-allow-warning-runnable kestra-task-allow-warning-executable-flow kestra-task-allow-warning-flowable",
    "054": "kestra-task-runif kestra-task-runif-executionupdating kestra-task-runif-workingdirectory",
    "055": "kestra-finally-sequential finally-local",
    "056": "kestra-finally-sequential-error finally-after-errors",
    "057": "kestra-finally-sequential-error-first",
    "058": "kestra-finally-allowfailure finally-in-allow-failure",
    "059": "kestra-finally-parallel kestra-finally-foreach kestra-finally-eachparallel kestra-finally-dag",
    "060": "kestra-finally-flow finally-success",
    "061": "kestra-after-execution after-execution-success",
    "062": "kestra-after-execution-finally kestra-after-execution-error",
    "063": "kestra-after-execution-listener",
    "064": "kestra-pause-errors-finally-after-execution",
    "065": "kestra-retry-success retry-warning-on-retry",
    "066": "kestra-retry-success-first-attempt retry-warning-on-retry-once",
    "067": "kestra-retry-failed",
    "068": "kestra-retry-random kestra-retry-expo",
    "069": "kestra-retry-fail",
    "070": "kestra-retry-failed-task-attempts retry-max-duration",
    "071": "kestra-retry-failed-flow-attempts kestra-retry-failed-flow-duration",
    "072": "kestra-retry-new-execution-task-attempts kestra-retry-new-execution-flow-attempts kestra-retry-new-execution-task-duration kestra-retry-new-execution-flow-duration",
    "073": "kestra-retry-flowable kestra-retry-flowable-child kestra-retry-flowable-nested-child retry-in-foreach",
    "074": "kestra-retry-subflow",
    "076": "pause-manual pause-stays-paused pause-resume",
    "077": "kestra-pause-delay kestra-pause-duration-from-input",
    "078": "kestra-pause-timeout kestra-pause-timeout-allow-failure",
    "079": "kestra-pause-behavior pause-behavior-warn pause-behavior-fail",
    "080": "pause-on-resume-inputs pause-on-resume-bad-type",
    "081": "kestra-pause-on-pause",
    "082": "pause-resume resume-not-paused pause-kill",
    "084": "kestra-waitfor kestra-waitfor-no-success kestra-waitfor-max-iterations kestra-waitfor-multiple-tasks kestra-waitfor-multiple-tasks-failed",
    "085": "timeout-task",
    "086": "kestra-fail-on-switch-with-other kestra-fail-on-condition-with-fail kestra-fail-on-condition-with-success",
    "087": "kestra-task-flow-with-ok",
    "088": "kestra-subflow-parent-of-failed subflow-fails",
    "089": "subflow-output-error",
    "090": "kestra-subflow-parent kestra-subflow-inherited-labels-parent",
    "091": "kestra-subflow-grand-child subflow-chain",
    "092": "subflow-no-wait",
    "093": "kestra-for-each-item-with-rows-four",
    "094": "foreach-item-empty",
    "095": "kestra-for-each-item-no-wait-with-rows-four",
    "096": "kestra-for-each-item-failed-with-rows-four",
    "097": "kestra-for-each-item-outputs-with-rows-four",
    "098": "kestra-working-directory-with-ok",
    "099": "kestra-working-directory-with-failed",
    "100": "kestra-working-directory-each",
    "101": "kestra-working-directory-cache",
    "102": "kestra-working-directory-outputs kestra-working-directory-inputs",
    "103": "kestra-working-directory-taskrun kestra-working-directory-taskrun-nested",
    "106": "kestra-restart-last-failed restart-failed",
    "107": "kestra-restart-always-failed kestra-restart-local-errors",
    "108": "restart-still-failing",
    "109": "restart-with-revision",
    "110": "kestra-restart-each-with-failed restart-in-foreach restart-foreach-sequential",
    "111": "restart-working-directory",
    "112": "replay-from-start",
    "113": "replay-from-task",
    "114": "replay-from-nested",
    "117": "mark-task-success kestra-change-state-errors",
    "120": "kestra-flow-concurrency-cancel kestra-flow-concurrency-fail kestra-flow-concurrency-queue",
    "121": "kestra-flow-concurrency-queue-pause kestra-flow-concurrency-cancel-pause",
    "122": "kestra-flow-concurrency-queue-fail",
    "123": "kestra-flow-concurrency-queue-after-execution",
    "124": "kestra-flow-concurrency-subflow",
    "125": "concurrency-kill-queued concurrency-limit-two-queue",
    "126": "kestra-flow-concurrency-parallel-subflow-kill-child kestra-flow-concurrency-parallel-subflow-kill-grandchild",
    "128": "kestra-sla-max-duration-fail kestra-sla-max-duration-ok kestra-sla-execution-condition sla-assertion-cancel sla-assertion-none",
    "129": "schedule-date",
    "130": "kestra-labels-update-task-with-ok kestra-labels-update-task-empty kestra-primitive-labels-flow-with-ok labels-task-map-number",
    "131": "kestra-flow-with-outputs kestra-flow-with-array-outputs kestra-flow-with-outputs-failed",
    "132": "input-defaults-all input-file input-secret input-optional-missing",
    "133": "input-enum input-int-too-big input-date-too-early input-time-bounds",
    "134": "input-depends-on-false input-depends-on-missing",
    "135": "kestra-condition-with-input input-defaults-all",
    "136": "plugin-defaults-flow plugin-defaults-prefix plugin-defaults-forced plugin-defaults-two-entries task-defaults-alias",
    "137": "validation-several-problems",
    "141": "validation-unknown-flow-property validation-unknown-task-type validation-duplicate-key",
    "142": "validation-empty-tasks validation-missing-tasks",
    "143": "subflow-itself",
    "144": "labels-system-refused validation-worker-group",
}
"""Cases of `conformance/flows`."""

VARIED: dict[str, tuple[str, Mapping[str, Any] | None, str, int]] = {
    **{f"027_{text or 'blank'}": ("kestra-if-condition-with-text", {"param": text}, "SUCCESS", 2) for text in ("true", "1", "foo", "false", "0", "-0", "")},
    "055_failed": ("kestra-finally-sequential", {"failed": True}, "FAILED", 5),
    "056_failed": ("kestra-finally-sequential-error", {"failed": True}, "FAILED", 7),
    "058_failed": ("kestra-finally-allowfailure", {"failed": True}, "WARNING", 7),
    "059_parallel": ("kestra-finally-parallel", {"failed": True}, "FAILED", 10),
    "059_foreach": ("kestra-finally-foreach", {"failed": True}, "FAILED", 11),
    "059_eachparallel": ("kestra-finally-eachparallel", {"failed": True}, "FAILED", 11),
    "059_dag": ("kestra-finally-dag", {"failed": True}, "FAILED", 9),
    "079_warn": ("kestra-pause-behavior", {"behavior": "WARN"}, "WARNING", 2),
    "079_fail": ("kestra-pause-behavior", {"behavior": "FAIL"}, "FAILED", 1),
    "079_cancel": ("kestra-pause-behavior", {"behavior": "CANCEL"}, "CANCELLED", 1),
}  # fmt: skip
"""The flow of a recorded case with other inputs: case, inputs, state, number of task runs."""


def flow(tasks: str, *others: str, head: str = "", **expected: Any) -> Flow:
    text = f"id: flow\nnamespace: company.team\n{head}tasks:\n{tasks}"
    return Flow((text, *others), **expected)


FLOWS = {
    "015": flow(
        f"""
  - id: outer
    type: {CORE}.flow.ForEach
    values: [1, 2]
    concurrencyLimit: 0
    tasks:
      - id: inner
        type: {CORE}.flow.ForEach
        values: [a]
        concurrencyLimit: 0
        tasks:
          - id: if
            type: {CORE}.flow.If
            condition: "{{{{ nothing.at.all }}}}"
            then: [{{id: t, type: {RETURN}}}]
""",
        state="FAILED",
        runs=5,
    ),
    "019": flow(
        f"""
  - {{id: t, type: {RETURN}, format: "{{{{ execution.startDate }}}}"}}
""",
        output=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z",
    ),
    "020_unknown": flow(
        f"""
  - {{id: a, type: {RETURN}, format: x}}
  - {{id: b, type: {CORE}.flow.Switch, value: "{{{{ vars.nothing }}}}", cases: {{x: [{{id: c, type: {RETURN}}}]}}}}
""",
        state="FAILED",
        runs=2,
    ),
    "029": flow(
        f"""
  - id: parallel
    type: {CORE}.flow.Parallel
    concurrent: 4
    tasks:
"""
        + "".join(
            f"""
      - id: if{number}
        type: {CORE}.flow.If
        condition: "{str(number != 2).lower()}"
        then: [{{id: then{number}, type: {RETURN}}}]
"""
            for number in (1, 2, 3)
        )
        + "".join(
            f"      - {{id: log{n}, type: {CORE}.log.Log, message: hello}}\n" for n in range(6)
        ),
        runs=12,
    ),
    "035": flow(
        f"""
  - id: each
    type: {CORE}.flow.EachSequential
    value: '["value 1", "value 2", "value 3"]'
    tasks:
      - {{id: first, type: {RETURN}, format: "{{{{ taskrun.value }}}}"}}
      - id: allow
        type: {CORE}.flow.AllowFailure
        tasks:
          - id: second
            type: {FAIL}
            condition: "{{{{ parent.taskrun.value != 'value 1' }}}}"
  - {{id: end, type: {RETURN}}}
""",
        state="WARNING",
        runs=11,
    ),
    "038": flow(
        f"""
  - id: outer
    type: {CORE}.flow.EachSequential
    value: '["s1", "s2", "s3"]'
    tasks:
      - {{id: before, type: {RETURN}, format: x}}
      - id: inner
        type: {CORE}.flow.EachSequential
        value: '["a", "b"]'
        tasks:
          - {{id: one, type: {RETURN}, format: "{{{{ parent.taskrun.value }}}}-{{{{ taskrun.value }}}}"}}
          - {{id: two, type: {RETURN}, format: "{{{{ outputs.one[parent.taskrun.value][taskrun.value].value }}}}"}}
      - {{id: after, type: {RETURN}, format: x}}
  - {{id: end, type: {RETURN}, format: "{{{{ outputs.two.s3.b.value }}}}"}}
""",
        runs=23,
        output="s3-b",
    ),
    "047": flow(
        f"""
  - id: first
    type: {CORE}.flow.Sequential
    tasks:
      - id: allow
        type: {CORE}.flow.AllowFailure
        tasks:
          - id: seq
            type: {CORE}.flow.Sequential
            tasks:
              - {{id: ok, type: {RETURN}}}
              - {{id: ko, type: {FAIL}}}
              - {{id: never, type: {RETURN}}}
        errors: [{{id: local, type: {RETURN}}}]
      - {{id: next, type: {RETURN}}}
  - {{id: switch, type: {CORE}.flow.Switch, value: x, defaults: [{{id: last, type: {RETURN}}}]}}
""",
        state="WARNING",
        runs=9,
    ),
    "100_nested": flow(
        f"""
  - id: one
    type: {CORE}.flow.ForEach
    values: [s1]
    tasks:
      - id: two
        type: {CORE}.flow.ForEach
        values: [s2]
        tasks:
          - id: three
            type: {CORE}.flow.ForEach
            values: [s3]
            tasks:
              - id: folder
                type: {CORE}.flow.WorkingDirectory
                tasks:
                  - {{id: first, type: {RETURN}, format: x}}
                  - {{id: second, type: {RETURN}, format: "{{{{ outputs.first.s1.s2.s3.value ?? 'y' }}}}"}}
  - {{id: end, type: {RETURN}, format: "{{{{ outputs.second.s1.s2.s3.value }}}}"}}
""",
        runs=7,
    ),
    "127": flow(
        f"""
  - {{id: write, type: {CORE}.storage.Write, extension: .txt, content: "1\\n2\\n3\\n4\\n5\\n6\\n7\\n"}}
  - id: each
    type: {CORE}.flow.ForEachItem
    items: "{{{{ outputs.write.uri }}}}"
    batch: {{rows: 4}}
    namespace: company.team
    flowId: child
    wait: true
    transmitFailed: true
    inputs: {{items: "{{{{ taskrun.items }}}}"}}
""",
        f"""
id: child
namespace: company.team
concurrency: {{limit: 1, behavior: QUEUE}}
inputs: [{{id: items, type: STRING}}]
tasks: [{{id: t, type: {CORE}.flow.Sleep, duration: PT0.2S}}]
""",
        runs=5,
    ),
}
"""Flows of our own."""


def refused(body: str, *told: str) -> tuple[str, list[str]]:
    return f"id: f\nnamespace: company.team\n{body}", list(told)


_ONE = f"tasks: [{{id: t, type: {RETURN}}}]"
_DAG = f"tasks: [{{id: dag, type: {CORE}.flow.Dag, tasks: %s}}]"
_FOLDER = f"tasks: [{{id: dir, type: {CORE}.flow.WorkingDirectory, tasks: %s}}]"

REFUSED = {
    "026_cycle": refused(
        _DAG % f"[{{task: {{id: task1, type: {RETURN}}}, dependsOn: [task2]}}, {{task: {{id: task2, type: {RETURN}}}, dependsOn: [task1]}}]",
        "tasks[0].tasks[0].dependsOn: Cyclic dependency detected: task1, task2",
    ),
    "026_unknown": refused(
        _DAG % f"[{{task: {{id: task1, type: {RETURN}}}, dependsOn: [taskX]}}]",
        "tasks[0].tasks[0].dependsOn[0]: Not existing task id in dependency: taskX",
    ),
    "137": refused(
        f"tasks: [{{id: date, type: {RETURN}}}, {{id: date, type: {RETURN}}}, {{id: listen, type: {RETURN}}}, {{id: listen, type: {RETURN}}}]\n"
        f"triggers: [{{id: trigger, type: {CORE}.trigger.Webhook, key: abcdefgh}}, {{id: trigger, type: {CORE}.trigger.Webhook, key: abcdefgh}}]",
        "tasks[1].id: Duplicate task id with name [date]",
        "tasks[3].id: Duplicate task id with name [listen]",
        "triggers[1].id: Duplicate trigger id with name [trigger]",
    ),
    "138_parallel": refused(
        f"tasks: [{{id: p, type: {CORE}.flow.Parallel, tasks: [{{id: t3, type: {RETURN}}}, {{id: t3, type: {RETURN}}}]}}]",
        "tasks[0].tasks[1].id: Duplicate task id with name [t3]",
    ),
    "138_inputs": refused(
        f"inputs: [{{id: first_input, type: STRING}}, {{id: first_input, type: STRING}}]\n{_ONE}",
        "inputs[1].id: Duplicate input with name [first_input]",
    ),
    "139_switch": refused(
        f"tasks: [{{id: impossible, type: {CORE}.flow.Switch, value: x}}]",
        "tasks[0]: No task defined, neither cases or default have any tasks",
    ),
    "139_flowable": refused(
        _FOLDER % f"[{{id: s, type: {CORE}.flow.Sequential, tasks: [{{id: t, type: {RETURN}}}]}}]",
        "tasks[0].tasks[0]: Only runnable tasks are allowed as children of a WorkingDirectory task",
    ),
    "139_empty": refused(_FOLDER % "[]", "tasks[0].tasks: The 'tasks' property cannot be empty"),
    "141_property": refused(f"nothing: 1\n{_ONE}", 'nothing: Unrecognized field "nothing"*'),
    "141_type": refused("tasks: [{id: t, type: acme.Nope}]", "tasks[0].type: Invalid type: acme.Nope"),
    "141_key": refused(f"tasks: [{{id: t, type: {RETURN}, format: x, format: y}}]", "yaml: Illegal genericflow source: Duplicate field 'format': it stands at line 3, column 59 too"),
    "142_tasks": refused("tasks: []", "tasks: must not be empty"),
    "142_no_tasks": refused("", "tasks: must not be empty"),
    "142_nothing": (_ONE, ["id: must not be null", "namespace: must not be null"]),
    "143": refused(
        f"tasks: [{{id: s, type: {CORE}.flow.Subflow, namespace: company.team, flowId: f}}]",
        "tasks[0].flowId: Recursive call to flow [company.team.f]",
    ),
    "144": refused(
        f"labels: {{system.x: y}}\n{_ONE}",
        "labels.system.x: System labels can only be set by Kestra itself, offending label: system.x=y",
    ),
}  # fmt: skip
"""Sources, and all problems that the refusal names, each with its place; `*` stands for more text."""

BY_OTHERS = {
    "083": "core/test_catalogue.py::test_083_a_listener_hears_of_every_state",
    "075": "core/test_retry.py::test_075_an_error_branch_waits_for_the_retry_of_a_child",
    "080": "api/test_execution_orders.py::test_resume_takes_files",
    "105": "unit/server/worker/test_directory.py::test_children_share_the_directory_and_see_each_others_outputs unit/server/context/test_secrets.py::test_encrypted_outputs_are_opened_wherever_they_stand",
    "115": "core/test_replay.py::test_115_a_replay_inside_control_tasks_keeps_what_does_not_follow",
    "116": "core/test_replay.py::test_116_a_replay_keeps_dynamic_task_runs",
    "117": "core/test_surgery.py::test_117_a_marked_failure_goes_up",
    "118": "api/test_executions.py::test_delete_removes_execution_logs_and_files",
    "119": "unit/operations/test_purge.py::test_everything_of_old_executions_goes unit/operations/test_purge.py::test_what_runs_is_left_alone_unless_its_state_is_named unit/operations/test_purge.py::test_a_namespace_means_its_children_when_no_flow_is_named",
    "134": "api/test_executions.py::test_134_a_file_that_is_only_checked_is_not_stored unit/flow/test_inputs.py::test_an_input_whose_condition_fails_is_left_out unit/flow/test_inputs.py::test_a_condition_that_cannot_be_rendered_disables_and_is_reported",
    "135": "unit/flow/test_inputs.py::test_templates_see_null_for_absent_and_literal_defaults_for_disabled_inputs",
    "136": "unit/flow/test_defaults.py::test_lists_are_joined_and_maps_merged unit/flow/test_defaults.py::test_a_prefix_fits_and_a_longer_type_wins_over_it",
    "140": "api/test_flows.py::test_update_of_another_id_or_an_unknown_flow",
    "145": "api/test_flows.py::test_validate_judges_each_document api/test_flows.py::test_validate_knows_the_next_revision",
    "146": "core/test_flow.py::test_a_worker_reports_start_and_end_apart core/test_flow.py::test_execution_updating_tasks_are_never_submitted",
    "148": "unit/server/worker/test_attempt.py::test_a_kill_calls_the_hooks_and_ends_killed",
    "149": "unit/server/executor/test_losses.py::test_a_lost_attempt_runs_again core/test_retry.py::test_a_lost_attempt_is_given_out_again_under_the_next_number",
    "150": "core/test_retry.py::test_a_lost_attempt_that_never_started_is_made_up core/test_retry.py::test_150_a_lost_attempt_behind_one_that_ended_is_added",
}
"""Tests that stand where they belong; others carry the number in their names."""

NUMBERED = (
    "core/test_catalogue_engine.py",
    "core/whole/test_catalogue_runs.py",
    "unit/server/executor/test_unreadable.py",
    "unit/server/worker/test_attempt.py",
)
"""Files with tests that are named after their numbers: `test_012_…`, `test_016_017_018_…`."""

NOT_OURS = {
    "021": "`server` has no list of executions to leave out; one that cannot be moved ends and hinders nobody (test_faults.py)",
}
"""Behaviour that has no counterpart here, and why."""
