"""Rules of the one account (03 §2.4)."""

import pytest

from batuta.operations.account import (
    BAD_PASSWORD,
    BAD_USERNAME,
    NO_PASSWORD,
    NO_USERNAME,
    TOO_LONG,
    account_problems,
)


@pytest.mark.parametrize(
    ("username", "password", "problems"),
    [
        ("ops@example.org", "Sup3rsecret", ()),
        ("a.b+c@localhost", "Abcdefg1", ()),
        ("ops@example.org", "$argon2id$v=19$m=1", ()),
        ("ops", "Sup3rsecret", (BAD_USERNAME,)),
        ("o ps@example.org", "Sup3rsecret", (BAD_USERNAME,)),
        (None, None, (NO_USERNAME, NO_PASSWORD)),
        ("ops@example.org", "Short1", (BAD_PASSWORD,)),
        ("ops@example.org", "nouppercase1", (BAD_PASSWORD,)),
        ("ops@example.org", "NOLOWERCASE1", (BAD_PASSWORD,)),
        ("ops@example.org", "NoDigitHere", (BAD_PASSWORD,)),
        (f"{'a' * 250}@example.org", "Sup3rsecret", (TOO_LONG,)),
    ],
)
def test_rules(username: str | None, password: str | None, problems: tuple[str, ...]) -> None:
    assert account_problems(username, password) == problems
