"""File name patterns in Java's dialect (05 §6.2)."""

import pytest

from batuta.sdk.glob import matches, matches_anywhere, selected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "d/a.csv", False),
        ("**.csv", "a.csv", True),
        ("**.csv", "d/e/a.csv", True),
        ("**/*.csv", "a.csv", False),
        ("**/*.csv", "d/a.csv", True),
        ("dir/**", "dir/b/c.txt", True),
        ("dir/**", "other/c.txt", False),
        ("?.txt", "a.txt", True),
        ("?.txt", "/.txt", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("[a-c].txt", "c.txt", True),
        ("*.{csv,json}", "x.json", True),
        ("*.{csv,json}", "x.txt", False),
        ("a.b", "axb", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        ("glob:*.csv", "a.csv", True),
        (r"regex:.*\.csv", "d/a.csv", True),
        ("./a.csv", "a.csv", True),
        ("*", ".hidden", True),
        ("a(b)+.txt", "a(b)+.txt", True),
    ],
)
def test_patterns_are_anchored_at_the_base_directory(
    pattern: str, path: str, expected: bool
) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("report.sql", "a/b/report.sql", True),
        ("report.sql", "report.sql", True),
        ("/report.sql", "report.sql", True),
        ("/report.sql", "a/report.sql", False),
        ("sql/**", "x/sql/q/a.sql", True),
        ("sql/**", "sql/a.sql", True),
        ("*.sql", "a.sql", False),
        ("**.sql", "a.sql", True),
        ("**/*.sql", "a.sql", True),
    ],
)
def test_without_a_base_directory_a_word_fits_at_any_depth(
    pattern: str, path: str, expected: bool
) -> None:
    assert matches_anywhere(pattern, path) is expected


def test_a_file_is_selected_by_any_include_and_no_exclude() -> None:
    assert selected("a/b.sql")
    assert selected("a/b.sql", include=["x.sql", "b.sql"])
    assert not selected("a/b.sql", include=["x.sql"])
    assert not selected("a/b.sql", include=["b.sql"], exclude=["a/**"])


@pytest.mark.parametrize("pattern", ["[a", "{a,b", "a\\", "{a{b}}", "regex:("])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="`"):
        matches(pattern, "a")
