from pathlib import Path

import pytest

from batuta.store import generate
from batuta.store._generated import postgresql, sqlite
from batuta.store.statement import Bulk, Search, Statement, bulk_text


@pytest.mark.parametrize("dialect", generate.DIALECTS)
def test_generated_statements_are_up_to_date(dialect):
    path = Path(generate.__file__).parent / "_generated" / f"{dialect}.py"
    assert path.read_text() == generate.module_text(dialect), "run python -m batuta.store.generate"


def test_both_databases_have_the_same_statements_with_the_same_parameters():
    def shape(module):
        return {
            name: (
                value.parameters
                if isinstance(value, Statement)
                else value.columns
                if isinstance(value, Bulk)
                else tuple(value.kinds)
            )
            for name, value in vars(module).items()
            if isinstance(value, Statement | Bulk | Search)
        }

    assert shape(sqlite) == shape(postgresql)
    assert len(shape(sqlite)) > 60


def test_check_names_the_module_that_is_out_of_date(monkeypatch, tmp_path, capsys):
    assert generate.main(["--check"]) == 0
    monkeypatch.setattr(generate, "TARGET", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "sqlite.py is out of date" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_bulk_texts_have_one_mark_for_each_value():
    for name, value in vars(sqlite).items():
        if isinstance(value, Bulk):
            assert bulk_text(value, 3).count("?") == 3 * len(value.columns), name


def test_values_of_a_statement_are_bound_by_name():
    statement = Statement("a = ? AND b IN (??) AND c = ?", ("a", "b", "a"))
    assert statement.spread(a=1, b=[2, 3]) == ("a = ? AND b IN (?, ?) AND c = ?", [1, 2, 3, 1])
    assert statement.spread(a=1, b=[]) == ("a = ? AND b IN () AND c = ?", [1, 1])
    with pytest.raises(KeyError):
        statement.spread(a=1)
