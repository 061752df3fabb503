import re
import sqlite3

import pytest

from batuta.store import generate
from batuta.store.errors import StoreUnavailableError
from batuta.store.migration import load, pending


def _shape(statements):
    """Tables, columns and indexes of a database made by these statements."""
    connection = sqlite3.connect(":memory:")
    for statement in statements:
        connection.execute(statement)
    tables = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
    ).fetchall()
    return {
        name: (
            "WITHOUT ROWID" in sql,
            sorted(connection.execute(f'PRAGMA table_info("{name}")').fetchall()),
        )
        for name, sql in tables
    }, {
        name: re.sub(r"\s+", " ", sql)
        for name, sql in connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index'"
        )
        if sql
    }


def test_the_migrations_make_the_schema():
    migrated = [text for migration in load("sqlite") for text in migration.statements]
    assert _shape(migrated) == _shape(generate.ddl("sqlite"))


def test_both_databases_have_the_same_migrations():
    assert [m.name for m in load("sqlite")] == [m.name for m in load("postgresql")]


def _folder(tmp_path, **files):
    folder = tmp_path / "sqlite"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return tmp_path


def test_files_are_read_in_order_without_comments(tmp_path):
    folder = _folder(
        tmp_path,
        **{
            "0002_post_second": "ALTER TABLE a ADD c;\n",
            "0001_pre_first": "-- Why: reasons; many.\nCREATE TABLE a (b);\nCREATE INDEX i ON a (b);\n",
        },
    )
    first, second = load("sqlite", folder)
    assert first.number == 1
    assert first.statements == ("CREATE TABLE a (b)", "CREATE INDEX i ON a (b)")
    assert second.name == "0002_post_second"


@pytest.mark.parametrize(
    "names",
    [["0001_pre_a", "0003_pre_b"], ["0002_pre_a"], ["0001_pre_a", "0001_post_b"], ["1_pre_a"]],
)
def test_files_that_are_numbered_wrongly_are_refused(tmp_path, names):
    folder = _folder(tmp_path, **dict.fromkeys(names, "SELECT 1"))
    with pytest.raises(ValueError, match=r"numbered|named"):
        load("sqlite", folder)


def test_what_was_applied_is_not_applied_again(tmp_path):
    folder = _folder(tmp_path, **{"0001_pre_a": "SELECT 1", "0002_pre_b": "SELECT 2"})
    first, second = load("sqlite", folder)
    assert pending([first, second], {}, location="x") == [first, second]
    assert pending([first, second], {1: first.checksum}, location="x") == [second]


def test_a_newer_database_is_refused(tmp_path):
    (first,) = load("sqlite", _folder(tmp_path, **{"0001_pre_a": "SELECT 1"}))
    with pytest.raises(StoreUnavailableError, match=r"newer version.*schema 2") as caught:
        pending([first], {1: first.checksum, 2: "x"}, location="/data/batuta.db")
    assert caught.value.location == "/data/batuta.db"


def test_a_file_that_was_changed_after_it_was_applied_is_refused(tmp_path):
    (first,) = load("sqlite", _folder(tmp_path, **{"0001_pre_a": "SELECT 1"}))
    with pytest.raises(StoreUnavailableError, match="0001_pre_a"):
        pending([first], {1: "other"}, location="x")
