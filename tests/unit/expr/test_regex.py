"""Regular expressions as Java spells them, and their bounds."""

import pytest

from batuta.expr import LimitError, RuntimeFaultError
from batuta.expr.regex import compile_java, java_replace, java_split, matches_whole

REPLACED = [
    (r"[\w&&[^b]]", "abc", "<$0>", "<a>b<c>"),
    (r"\Qa.b\E+", "a.bbb", "x", "x"),
    (r"\Q(", "a(b", "x", "axb"),
    (r"\p{Lower}\p{Upper}\P{Digit}\p{L}\pL", "aBcde", "x", "x"),
    (r"\P{Lower}", "aB1", "x", "axx"),
    (r"\p{IsAlphabetic}\p{javaLowerCase}?", "é", "x", None),
    (r"(?<n>a)\k<n>", "aab", "${n}", "ab"),
    (r"(?<=a)b(?!c)", "abc abd", "x", "abc axd"),
    (r"(?<!a)b", "ab cb", "x", "ab cx"),
    (r"\d{2,3}?", "1234", "x", "xx"),
    (r"\d{2,}", "1234", "x", "x"),
    (r"a++b", "aaab", "x", "x"),
    (r"(?i)A", "a", "x", "x"),
    (r"(?s)a.b", "a\nb", "x", "x"),
    (r"a.b", "a\nb", "x", "a\nb"),
    (r"(?m)^b$", "a\nb\nc", "x", "a\nx\nc"),
    (r"b$", "ab\n", "x", "ax\n"),
    (r"\h\v\R\s\S\D\W", " \n\r\n \tab", "x", None),
    (r"[a-c[x-z]]", "abxq", "-", "---q"),
    (r"[a&b|c~d]", "&|~e", "-", "---e"),
    (r"[a\-z]", "-", "x", "x"),
    (r"[--a]", "-", "x", None),
    (r"\\", "a\\b", "/", "a/b"),
    (r"(a)(b)", "ab", "$2$1$10", "baa0"),
    (r"a", "a", r"\$\\", "$\\"),
    (r"\z", "a", "!", "a!"),
    (r"\x41\u0042", "AB", "x", "x"),
]


@pytest.mark.parametrize(("pattern", "text", "new", "expected"), REPLACED, ids=range(len(REPLACED)))
def test_java_spelling_is_understood(
    pattern: str, text: str, new: str, expected: str | None
) -> None:
    if expected is None:
        try:
            assert isinstance(java_replace(text, pattern, new), str)
        except RuntimeFaultError as problem:
            assert pattern in problem.detail  # noqa: PT017 - a refusal names the pattern
    else:
        assert java_replace(text, pattern, new) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[",
        "[]",
        "[a",
        "a{x}",
        "a{1,99999}",
        "{",
        "\\",
        r"\y",
        r"\p{",
        r"\p{Nope}",
        r"\k",
        r"\k<",
        "*a",
        "(?<1>a)",
        "a{e<=2}",
    ],
)
def test_bad_expressions_are_refused(pattern: str) -> None:
    with pytest.raises(RuntimeFaultError):
        compile_java(pattern)


@pytest.mark.parametrize("replacement", ["$", "$a", "$9", "${", "${a", "${1}", "${zz}", "\\"])
def test_bad_replacements_are_refused(replacement: str) -> None:
    with pytest.raises(RuntimeFaultError):
        java_replace("a", "a", replacement)


@pytest.mark.parametrize(
    ("text", "pattern", "limit", "expected"),
    [
        ("a,b,,", ",", 0, ["a", "b"]),
        ("a,b,,", ",", -1, ["a", "b", "", ""]),
        ("a,b,c", ",", 2, ["a", "b,c"]),
        (",a", ",", 0, ["", "a"]),
        ("", ",", 0, [""]),
        ("abc", "", 0, ["a", "b", "c"]),
        ("abc", "", 2, ["a", "bc"]),
        ("aaa", "a", 0, []),
        ("abc", "(?=b)", 0, ["a", "bc"]),
    ],
)
def test_texts_are_split_as_in_java(
    text: str, pattern: str, limit: int, expected: list[str]
) -> None:
    assert java_split(text, pattern, limit) == expected


def test_the_whole_text_has_to_match() -> None:
    assert matches_whole("abc", "a.c")
    assert not matches_whole("abcd", "a.c")


def test_an_expression_that_runs_away_is_stopped() -> None:
    with pytest.raises(LimitError):
        matches_whole("a" * 40 + "!", r"(a|aa)+\1?$")


def test_expressions_and_results_have_a_size() -> None:
    with pytest.raises(LimitError):
        compile_java("a" * 20_000)
    with pytest.raises(LimitError):
        java_replace("a" * 20_000, "a", "x" * 5_000)
