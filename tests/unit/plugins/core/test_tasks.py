"""Core tasks that need nothing but their context."""

from pathlib import Path
from typing import Any

import pytest

from batuta.expr import ExpressionError
from batuta.expr.temporal import Duration, Instant, LocalDate
from batuta.model.instant import SECOND
from batuta.model.state import State
from batuta.plugins.core.kv.entry import convert
from batuta.sdk import PropertyError, Registry, TaskError
from batuta.testing.context import FakeRunContext, fake_context, run_task

CORE = "io.kestra.plugin.core"
REGISTRY = Registry(["batuta.plugins.core"])


@pytest.fixture
def ctx(tmp_path: Path) -> FakeRunContext:
    return fake_context(
        tmp_path,
        variables={"inputs": {"name": "Ana"}, "vars": {"a": 1, "b": {"c": 2, "d": 3}, "t": "{{ inputs.name }}"}},
        operations={"parse_yaml": lambda arguments: {"type": f"{CORE}.debug.Return", "format": "inner {{ inputs.name }}"}},
    )  # fmt: skip


async def run(ctx: FakeRunContext, type_name: str, **properties: Any) -> Any:
    return await run_task({"type": f"{CORE}.{type_name}", **properties}, ctx, registry=REGISTRY)


async def test_log_writes_one_entry_for_each_item(ctx: FakeRunContext) -> None:
    await run(ctx, "log.Log", message=["hi {{ inputs.name }}", "two\nlines"], level="{{ 'WARN' }}")
    await run(ctx, "log.Log", message="plain")
    assert ctx.log.entries == [("WARN", "hi Ana"), ("WARN", "two\nlines"), ("INFO", "plain")]


async def test_log_refuses_an_unknown_level(ctx: FakeRunContext) -> None:
    with pytest.raises(PropertyError, match="level"):
        await run(ctx, "log.Log", message="x", level="LOUD")


async def test_return_gives_text_and_its_length(ctx: FakeRunContext) -> None:
    assert (await run(ctx, "debug.Return", format="{{ 1 + 1 }}")).value == "2"
    assert (await run(ctx, "debug.Return")).value is None
    assert ctx.metrics.value("length") == 1


async def test_echo_logs_at_its_level(ctx: FakeRunContext) -> None:
    await run(ctx, "debug.Echo", format="{{ inputs.name }}", level="ERROR")
    assert ctx.log.entries == [("ERROR", "Ana")]


async def test_output_values_keep_literals_and_render_texts(ctx: FakeRunContext) -> None:
    output = await run(
        ctx,
        "output.OutputValues",
        values={"t": "{{ 1 + 1 }}", "n": 3, "l": ["{{ inputs.name }}", None]},
    )
    assert output.values == {"t": "2", "n": 3, "l": ["Ana", None]}


@pytest.mark.parametrize("condition", ["{{ 1 > 2 }}", "0", "-0", " ", "false", "{{ null }}", False])
async def test_fail_passes_when_its_condition_is_false(ctx: FakeRunContext, condition: Any) -> None:
    assert await run(ctx, "execution.Fail", condition=condition) is None


async def test_fail_fails_with_message_or_on_condition(ctx: FakeRunContext) -> None:
    with pytest.raises(TaskError, match="no rows for Ana"):
        await run(ctx, "execution.Fail", errorMessage="no rows for {{ inputs.name }}")
    with pytest.raises(TaskError, match="Fail on a condition"):
        await run(ctx, "execution.Fail", condition="{{ 2 > 1 }}", errorMessage="why")
    assert ctx.log.messages("ERROR") == ["why"]


async def test_assert_counts_and_names_what_failed(ctx: FakeRunContext) -> None:
    conditions = ["{{ 1 == 1 }}", "{{ 'x' == 'y' }}", "{{ nothing }}"]
    with pytest.raises(TaskError, match="2 assertions failed!\nbad"):
        await run(ctx, "execution.Assert", conditions=conditions, errorMessage="bad")
    assert (ctx.metrics.value("success"), ctx.metrics.value("failed")) == (1, 2)
    first, second = ctx.log.messages("ERROR")
    assert first == "Assertion `{{ 'x' == 'y' }}` failed!"
    assert "Unable to find `nothing`" in second
    await run(ctx, "execution.Assert", conditions=["{{ true }}"])


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("CANCELED", State.CANCELLED),
        ("CANCELLED", State.CANCELLED),
        ("{{ 'FAILED' }}", State.FAILED),
    ],
)
async def test_exit_ends_in_a_state(ctx: FakeRunContext, written: str, state: State) -> None:
    assert (await run(ctx, "execution.Exit", state=written)).exit_state is state


async def test_exit_defaults_to_success_and_refuses_other_states(ctx: FakeRunContext) -> None:
    assert (await run(ctx, "execution.Exit")).exit_state is State.SUCCESS
    with pytest.raises(ValueError, match="PAUSED"):
        REGISTRY.get(f"{CORE}.execution.Exit").model_validate(
            {"id": "x", "type": f"{CORE}.execution.Exit", "state": "PAUSED"}
        )
    with pytest.raises(PropertyError, match="state"):
        await run(ctx, "execution.Exit", state="{{ 'PAUSED' }}")


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({"a": "{{ inputs.name }}", "n": 42, "b": True}, {"a": "Ana", "n": "42", "b": "true"}),
        ([{"key": "{{ 'k' ~ 1 }}", "value": "v"}, {"key": "k1", "value": "w"}], {"k1": "w"}),
        ('{"j": "x", "k": 5}', {"j": "x", "k": "5"}),
        ('{{ {"m": inputs.name} }}', {"m": "Ana"}),
    ],
)
async def test_labels_take_maps_lists_and_json(
    ctx: FakeRunContext, labels: Any, wanted: dict[str, str]
) -> None:
    assert (await run(ctx, "execution.Labels", labels=labels)).labels == wanted


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            {"system.x": "y"},
            "System labels can only be set by Kestra itself, offending label: system.x=y",
        ),
        ({"k": ""}, "Label values cannot be empty, offending label: k"),
        ({"k": "{{ null }}"}, "Label values cannot be empty"),
        ({"": "v"}, "Label keys cannot be empty"),
        ("abc", "Unable to parse"),
        ([1], "Unknown value type"),
    ],
)
async def test_labels_refuse(ctx: FakeRunContext, labels: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        await run(ctx, "execution.Labels", labels=labels)


async def test_set_variables_merges_deeply_and_keeps_templates(ctx: FakeRunContext) -> None:
    outcome = await run(
        ctx, "execution.SetVariables", variables={"a": "{{ 10 + 1 }}", "b": {"c": 9}, "n": [1]}
    )
    assert outcome.variables == {
        "a": "11",
        "b": {"c": 9, "d": 3},
        "t": "{{ inputs.name }}",
        "n": [1],
    }


async def test_set_variables_without_overwrite_names_what_exists(ctx: FakeRunContext) -> None:
    with pytest.raises(TaskError, match="following variables already exist: a,b"):
        await run(
            ctx, "execution.SetVariables", variables={"a": 1, "b": 2, "c": 3}, overwrite=False
        )


async def test_unset_variables_reaches_nested_maps(ctx: FakeRunContext) -> None:
    outcome = await run(ctx, "execution.UnsetVariables", variables=["a", "b.c"])
    assert outcome.variables == {"b": {"d": 3}, "t": "{{ inputs.name }}"}


@pytest.mark.parametrize("name", ["zzz", "b.zzz", "a.b"])
async def test_unset_variables_names_what_is_missing(ctx: FakeRunContext, name: str) -> None:
    with pytest.raises(TaskError, match=name):
        await run(ctx, "execution.UnsetVariables", variables=[name])
    outcome = await run(ctx, "execution.UnsetVariables", variables=[name], ignoreMissing=True)
    assert outcome.variables["a"] == 1


async def test_sleep_waits_and_says_so(ctx: FakeRunContext) -> None:
    await run(ctx, "flow.Sleep", duration="PT0.001S")
    await run(ctx, "flow.Sleep", duration=0)
    assert ctx.log.messages("INFO") == ["Waiting for PT0.001S", "Waiting for PT0S"]


async def test_metrics_are_published(ctx: FakeRunContext) -> None:
    await run(
        ctx,
        "metric.Publish",
        metrics=[
            {
                "type": "counter",
                "name": "rows",
                "value": "{{ 1 + 2 }}",
                "tags": {"a": "{{ inputs.name }}"},
            },
            {"type": "timer", "name": "took", "value": "PT2S"},
            {"type": "gauge", "name": "lag", "value": 0.7},
        ],
    )
    assert [(each.kind, each.name, each.value, each.tags) for each in ctx.metrics.entries] == [
        ("counter", "rows", 3.0, {"a": "Ana"}),
        ("timer", "took", 2.0, {}),
        ("gauge", "lag", 0.7, {}),
    ]


async def test_a_metric_that_is_no_number_is_placed(ctx: FakeRunContext) -> None:
    with pytest.raises(PropertyError, match=r"metrics\[0\].value"):
        await run(
            ctx, "metric.Publish", metrics=[{"type": "counter", "name": "x", "value": "many"}]
        )


async def test_templated_task_runs_what_it_describes(ctx: FakeRunContext) -> None:
    assert (await run(ctx, "templating.TemplatedTask", spec="type: whatever")).value == "inner Ana"


@pytest.mark.parametrize(
    "inner",
    [
        {"type": f"{CORE}.templating.TemplatedTask", "spec": "x"},
        {"type": f"{CORE}.flow.If"},
        [],
        {"x": 1},
    ],
)
async def test_templated_task_refuses_what_cannot_run(tmp_path: Path, inner: Any) -> None:
    ctx = fake_context(tmp_path, operations={"parse_yaml": lambda _: inner})
    with pytest.raises(TaskError):
        await run(ctx, "templating.TemplatedTask", spec="x")


class TestKeyValues:
    async def test_kinds_follow_the_value(self, ctx: FakeRunContext) -> None:
        cases: list[tuple[Any, str | None, Any, str]] = [
            (42, None, "42", "STRING"),
            ({"a": 1}, None, '{"a":1}', "STRING"),
            ("{{ 42 }}", None, 42, "NUMBER"),
            ("{{ {'a': 1} }}", None, {"a": 1}, "JSON"),
            ("{{ true }}", None, True, "BOOLEAN"),
            ("42", "NUMBER", 42, "NUMBER"),
            ("{{ 42 }}", "STRING", "42", "STRING"),
            ("TRUE", "BOOLEAN", True, "BOOLEAN"),
            ("yes", "BOOLEAN", False, "BOOLEAN"),
            ('[1, "x"]', "JSON", [1, "x"], "JSON"),
            ("2024-05-01T10:00:00+02:00", "DATETIME", "2024-05-01T08:00:00Z", "DATETIME"),
            ("PT5M", "DURATION", "PT5M", "DURATION"),
        ]
        for value, kind, stored, found in cases:
            await run(ctx, "kv.Set", key="k", value=value, **({"kvType": kind} if kind else {}))
            entry = ctx.kv.entries["company.team", "k"]
            assert entry.kind == found, value
            assert stored is None or entry.value == stored

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ("2025-01-02", "DATE"),
            ("x", "NUMBER"),
            ("true", "NUMBER"),
            ("soon", "DURATION"),
            ("{", "JSON"),
        ],
    )
    async def test_text_that_does_not_fit_is_refused(
        self, ctx: FakeRunContext, value: str, kind: str
    ) -> None:
        with pytest.raises(TaskError):
            await run(ctx, "kv.Set", key="k", value=value, kvType=kind)
        assert not ctx.kv.entries

    async def test_set_keeps_description_and_expiry(self, ctx: FakeRunContext) -> None:
        await run(
            ctx, "kv.Set", key="k", value="x", ttl="PT10S", kvDescription="why", namespace="other"
        )
        entry = ctx.kv.entries["other", "k"]
        assert (entry.description, entry.expires) == ("why", ctx.clock + 10 * SECOND)
        with pytest.raises(PropertyError, match="negative"):
            await run(ctx, "kv.Set", key="k", value="x", ttl="PT-1S")

    async def test_set_without_overwrite(self, ctx: FakeRunContext) -> None:
        await run(ctx, "kv.Set", key="k", value="x", overwrite=False)
        with pytest.raises(TaskError, match="Key already exists and `overwrite` is set to `false`"):
            await run(ctx, "kv.Set", key="k", value="y", overwrite=False)

    async def test_keys_are_checked(self, ctx: FakeRunContext) -> None:
        for key in ("", "-a", "a b", "a/b"):
            with pytest.raises(TaskError, match="Invalid key"):
                await run(ctx, "kv.Set", key=key or " ", value="x")

    async def test_get_climbs_only_from_the_own_namespace(self, ctx: FakeRunContext) -> None:
        await run(ctx, "kv.Set", key="up", value="parent", namespace="company")
        assert (await run(ctx, "kv.Get", key="up")).value == "parent"
        assert (await run(ctx, "kv.Get", key="up", namespace="company.other")).value is None
        with pytest.raises(
            TaskError, match=r"No value found for key 'no' in namespace 'company.team'"
        ):
            await run(ctx, "kv.Get", key="no", errorOnMissing=True)

    async def test_durations_are_shown_as_seconds(self, ctx: FakeRunContext) -> None:
        await run(ctx, "kv.Set", key="k", value="PT5M")
        assert (await run(ctx, "kv.Get", key="k")).value == 300.0
        await run(ctx, "kv.Set", key="k", value="Peter")
        assert (await run(ctx, "kv.Get", key="k")).value == "Peter"

    async def test_keys_by_prefix_and_delete(self, ctx: FakeRunContext) -> None:
        for key in ("a_1", "a_2", "b"):
            await run(ctx, "kv.Set", key=key, value="x")
        assert (await run(ctx, "kv.GetKeys")).keys == ["a_1", "a_2", "b"]
        assert (await run(ctx, "kv.GetKeys", prefix="a_")).keys == ["a_1", "a_2"]
        assert (await run(ctx, "kv.Delete", key="b")).deleted
        assert not (await run(ctx, "kv.Delete", key="b")).deleted
        with pytest.raises(TaskError, match="errorOnMissing"):
            await run(ctx, "kv.Delete", key="b", errorOnMissing=True)


@pytest.mark.parametrize(
    ("value", "stored", "kind"),
    [
        (Instant.of_micros(0), "1970-01-01", "DATE"),
        (LocalDate.of(2024, 5, 1), "2024-05-01", "DATE"),
        (Duration.of_nanos(5_000_000_000), "PT5S", "DURATION"),
    ],
)
def test_dates_of_the_language_are_stored_as_text(value: Any, stored: str, kind: str) -> None:
    assert convert(value, None) == (stored, kind)


async def test_errors_of_expressions_reach_the_caller(ctx: FakeRunContext) -> None:
    with pytest.raises(ExpressionError):
        await run(ctx, "debug.Return", format="{{ nothing }}")
