"""How the conformance command counts and reports."""

from io import StringIO
from pathlib import Path

import pytest

from batuta.testing.conformance.casefile import expand, load_cases
from batuta.testing.conformance.runner import report, run_case


def test_the_report_names_failures_and_ends_with_the_totals() -> None:
    out = StringIO()
    code = report([("a", None), ("b", "expected 1\ngot 2"), ("c", None)], out)
    assert code == 1
    assert out.getvalue() == "FAILED b\n    expected 1\n    got 2\n2 passed, 1 failed\n"


def test_without_failures_the_exit_code_is_zero() -> None:
    out = StringIO()
    assert report([("a", None)], out) == 0
    assert out.getvalue() == "1 passed, 0 failed\n"


def test_a_case_that_raises_has_failed() -> None:
    def run() -> None:
        raise KeyError("zone")

    assert run_case(("a", run)) == ("a", "KeyError: 'zone'")


def test_folders_stand_for_their_files(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "c.txt"):
        (tmp_path / name).write_text("- {name: x}\n")
    assert [path.name for path in expand([tmp_path, tmp_path / "c.txt"])] == [
        "a.yaml",
        "b.yaml",
        "c.txt",
    ]
    with pytest.raises(FileNotFoundError):
        list(expand([tmp_path / "none.yaml"]))


@pytest.mark.parametrize("text", ["a: 1\n", "- 1\n", "- [\n"])
def test_a_file_without_cases_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"cases\.yaml"):
        load_cases(path)
