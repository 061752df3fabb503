"""The five flows of the course, on a real server with real surroundings."""

import json
import sqlite3
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import taxi
from tests.e2e.batuta_server import BATUTA, STEP_SECONDS, Server, outputs_of, states_of
from tests.e2e.examples import at_home, zoomcamp
from tests.e2e.postgres import Postgres
from tests.e2e.web_hosts import products


def run_command(source: str, folder: Path, *inputs: str, seconds: float = 80) -> dict[str, Any]:
    """`batuta run FILE --json`, which needs no server."""
    file = folder / "flow.yaml"
    file.write_text(source)
    command = [str(BATUTA), "run", str(file), "--json"]
    for text in inputs:
        command += ["--inputs", text]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_hello_world(server: Server) -> None:
    execution = server.run(zoomcamp("01_hello_world"), {"name": "Ada"})
    assert execution["state"]["current"] == "SUCCESS"
    assert server.messages(execution["id"], "hello_message") == ["Hello, Ada!"]
    assert server.messages(execution["id"], "log_output") == [
        "This is an output: I was generated during this workflow."
    ]
    levels = {
        log["level"] for log in server.logs(execution["id"]) if log["taskId"] == "hello_message"
    }
    assert levels == {"ERROR"}


def test_hello_world_fails_the_third_at_once(server: Server) -> None:
    source = zoomcamp("01_hello_world").replace("01_hello_world", "01_hello_thrice")
    server.save_flow(source)
    started = [server.begin(source)["id"] for _ in range(3)]
    ended = [server.wait(execution_id)["state"]["current"] for execution_id in started]
    assert sorted(ended) == ["FAILED", "SUCCESS", "SUCCESS"]


def test_hello_world_runs_from_the_command_line(tmp_path: Path) -> None:
    source = zoomcamp("01_hello_world").replace("PT15S", "PT0.1S")
    execution = run_command(source, tmp_path, "name=Grace")
    assert execution["state"]["current"] == "SUCCESS"
    assert execution["inputs"] == {"name": "Grace"}


def test_python_with_dependencies(server: Server, hosts: str) -> None:
    source = at_home(zoomcamp("02_python"), hosts=hosts)
    execution = server.run(source, seconds=80)
    logs = server.messages(execution["id"])
    assert execution["state"]["current"] == "SUCCESS", logs
    assert outputs_of(execution, "collect_stats")["vars"] == {"downloads": 123456789}
    warnings = [log for log in server.logs(execution["id"]) if log["level"] == "WARN"]
    assert len(warnings) <= 1, "one line says that there is no Docker daemon"


def test_data_pipeline(server: Server, hosts: str) -> None:
    source = at_home(zoomcamp("03_getting_started_data_pipeline"), hosts=hosts)
    execution = server.run(source, seconds=60)
    assert execution["state"]["current"] == "SUCCESS", server.messages(execution["id"])
    result = outputs_of(execution, "query")["outputs"][0]
    brands = {item.get("brand", "N/A") for item in products()["products"]}
    assert result["size"] == len(brands)
    rows = server.file(execution["id"], result["uri"]).decode()
    assert rows.count("avg_price") == len(brands)
    assert "Aurora" in rows


def test_data_pipeline_runs_from_the_command_line(hosts: str, tmp_path: Path) -> None:
    source = at_home(zoomcamp("03_getting_started_data_pipeline"), hosts=hosts)
    execution = run_command(source, tmp_path)
    assert execution["state"]["current"] == "SUCCESS"
    assert set(states_of(execution).values()) == {"SUCCESS"}


@pytest.mark.parametrize(("kind", "month"), [("yellow", "01"), ("green", "12")])
def test_taxi_data_goes_to_postgres_once(
    server: Server, hosts: str, database: Postgres, kind: str, month: str
) -> None:
    source = at_home(zoomcamp("04_postgres_taxi"), hosts=hosts, database=database.address)
    inputs = {"taxi": kind, "year": "2020", "month": month}
    database.query(f"DROP TABLE IF EXISTS public.{kind}_tripdata, public.{kind}_tripdata_staging")
    counts = []
    for _ in range(2):
        execution = server.run(source, inputs, seconds=60)
        assert execution["state"]["current"] == "SUCCESS", server.messages(execution["id"])
        counts.append(database.query(f"SELECT count(*) FROM public.{kind}_tripdata"))
    assert counts == [str(taxi.ROWS)] * 2
    labels = {label["key"]: label["value"] for label in execution["labels"]}
    assert labels["file"] == taxi.file_name(kind, 2020, int(month))
    other = "green" if kind == "yellow" else "yellow"
    assert f"{other}_create_table" not in states_of(execution)


def last_fire(now: datetime, hour: int) -> datetime:
    """The latest first of a month at this hour that has passed."""
    fire = now.replace(day=1, hour=hour, minute=0, second=0, microsecond=0)
    return (
        fire
        if fire < now
        else fire.replace(month=fire.month - 1 or 12, year=fire.year - (fire.month == 1))
    )


def test_a_schedule_that_was_missed_loads_its_month(
    own_server: Server, hosts: str, database: Postgres
) -> None:
    source = at_home(zoomcamp("05_postgres_taxi_scheduled"), hosts=hosts, database=database.address)
    for kind in ("green", "yellow"):
        database.query(
            f"DROP TABLE IF EXISTS public.{kind}_tripdata, public.{kind}_tripdata_staging"
        )
    own_server.save_flow(source)
    own_server.stop()
    moments = {
        kind: last_fire(datetime.now(UTC), hour) for kind, hour in (("green", 9), ("yellow", 10))
    }
    sleep_through(own_server.folder, {f"{kind}_schedule": at for kind, at in moments.items()})
    own_server.start()
    for kind, moment in moments.items():
        execution = scheduled(own_server, f"{kind}_schedule")
        assert execution["state"]["current"] == "SUCCESS", own_server.messages(execution["id"])
        expected = taxi.file_name(kind, moment.year, moment.month)
        assert {"key": "file", "value": expected} in execution["labels"]
        assert database.query(f"SELECT count(*) FROM public.{kind}_tripdata") == str(taxi.ROWS)


def sleep_through(folder: Path, fires: dict[str, datetime]) -> None:
    """Make the server's data look as if it had been off when these schedules were due."""
    (path,) = (folder / "data").rglob("*.db")
    with sqlite3.connect(path) as connection:
        for trigger_id, moment in fires.items():
            changed = connection.execute(
                "UPDATE trigger_state SET next_date = ? WHERE trigger_id = ?",
                (int(moment.timestamp() * 1_000_000), trigger_id),
            )
            assert changed.rowcount == 1
    connection.close()


def scheduled(server: Server, trigger_id: str) -> dict[str, Any]:
    """The execution that this trigger started, when it has ended."""
    for _ in range(500):
        found = server.request("GET", "/executions/search", params={"size": "50"}).json()["results"]
        mine = [one for one in found if (one.get("trigger") or {}).get("id") == trigger_id]
        if mine:
            return server.wait(mine[0]["id"], seconds=60)
        time.sleep(STEP_SECONDS)
    raise AssertionError(f"{trigger_id} started nothing:\n{server.output}")
