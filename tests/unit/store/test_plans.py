"""Statements that run all the time find their rows by an index, however large the tables are."""

import sqlite3

import pytest

from batuta.store._generated import sqlite as sql
from batuta.store.migration import load
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.search import select_page
from batuta.store.statement import Statement, bulk_text

LARGE = {"execution", "task_run", "output", "log", "metric", "job", "timer", "trigger_state", "kv"}
HOT = [
    "EXECUTION_GET",
    "EXECUTION_CHILDREN",
    "EXECUTION_UPDATE",
    "EXECUTION_DELETE",
    "TASK_RUN_ACTIVE",
    "TASK_RUN_ANCESTORS",
    "TASK_RUN_DESCENDANTS",
    "TASK_RUN_REMOVE",
    "TASK_RUN_DELETE",
    "OUTPUT_REMOVE",
    "OUTPUT_DELETE",
    "INBOX_CLAIM",
    "INBOX_DELETE",
    "INBOX_DELETE_OF",
    "JOB_DELETE",
    "JOB_DELETE_OF",
    "JOB_OF",
    "TIMER_DUE",
    "TIMER_NEXT",
    "TIMER_CLEAR",
    "TIMER_DELETE_OF",
    "SLOT_GET",
    "SLOT_QUEUE_FIRST",
    "LEASE_CHECK",
    "LOG_DELETE_OF",
    "METRIC_DELETE_OF",
    "FLOW_LATEST",
    "FLOW_GET",
    "KV_LATEST",
    "KV_GET",
    "KV_VERSIONS",
    "TRIGGER_GET",
    "TRIGGER_DUE",
    "TRIGGER_NEXT",
    "TRIGGER_OF_FLOW",
    "TRIGGER_DELETE",
    "SETTING_GET",
]


@pytest.fixture(scope="module")
def plan():
    connection = sqlite3.connect(":memory:")
    for migration in load("sqlite"):
        for statement in migration.statements:
            connection.execute(statement)

    def explain(text):
        rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", [1] * text.count("?"))
        return [row[-1] for row in rows]

    yield explain
    connection.close()


def _scans(steps):
    words = [step.split() for step in steps]
    return [
        step for step in words if step[0] == "SCAN" and step[1] in LARGE and "INDEX" not in step
    ]


@pytest.mark.parametrize("name", HOT)
def test_a_statement_reads_no_whole_table(name, plan):
    statement = getattr(sql, name)
    text = statement.text if isinstance(statement, Statement) else bulk_text(statement, 4)
    steps = plan(text.replace("??", "?, ?, ?"))
    assert _scans(steps) == [], steps


@pytest.mark.parametrize(
    ("search", "query", "index"),
    [
        (
            sql.EXECUTION_SEARCH,
            Query(
                filters=[
                    Filter("tenant", Op.EQUALS, "main"),
                    Filter("start", Op.GREATER_THAN, 1),
                ],
                sort=[Sort("start", descending=True)],
            ),
            "execution_start",
        ),
        (
            sql.EXECUTION_SEARCH,
            Query(
                filters=[
                    Filter("tenant", Op.EQUALS, "main"),
                    Filter("namespace", Op.EQUALS, "a"),
                    Filter("flow_id", Op.EQUALS, "f"),
                ],
                sort=[Sort("start", descending=True)],
            ),
            "execution_flow",
        ),
        (
            sql.LOG_SEARCH,
            Query(
                filters=[Filter("execution_id", Op.EQUALS, "e"), Filter("id", Op.GREATER_THAN, 5)],
                sort=[Sort("id")],
            ),
            "log_execution",
        ),
        (
            sql.LOG_SEARCH,
            Query(
                filters=[Filter("tenant", Op.EQUALS, "main")], sort=[Sort("at", descending=True)]
            ),
            "log_at",
        ),
        (
            sql.TASK_RUN_SEARCH,
            Query(
                filters=[
                    Filter("execution_id", Op.EQUALS, "e"),
                    Filter("ordinal", Op.GREATER_THAN, 5),
                ]
            ),
            "PRIMARY KEY (execution_id=? AND ordinal>?)",
        ),
        (
            sql.OUTPUT_SEARCH,
            Query(
                filters=[
                    Filter("execution_id", Op.EQUALS, "e"),
                    Filter("task_id", Op.EQUALS, "t"),
                ]
            ),
            "PRIMARY KEY (execution_id=? AND task_id=?)",
        ),
    ],
    ids=["recent", "of-flow", "follow-logs", "recent-logs", "task-runs", "outputs"],
)
def test_a_search_uses_its_index(search, query, index, plan):
    text, _ = select_page(search, query)
    steps = plan(text)
    assert any(index in step for step in steps), steps
    assert not any("FOR ORDER BY" in step for step in steps), steps
