import pytest
from hypothesis import given
from hypothesis import strategies as st

from batuta.plugins.jdbc.statement import bind_marks, bind_names, split, tokens
from batuta.plugins.jdbc.url import body_of, postgres_address
from batuta.sdk import PropertyError


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("select 1;select 2", ["select 1", "select 2"]),
        (" ; ;\n-- nothing\n;/* ; */", []),
        ("select ';', \"a;b\", `c;d`; -- x;y\nselect 2;", ["select ';', \"a;b\", `c;d`", "-- x;y\nselect 2"]),
        ("select 'it''s; ok'; select 2", ["select 'it''s; ok'", "select 2"]),
        ("select E'a\\';b'; select 2", ["select E'a\\';b'", "select 2"]),
        ("do $$ begin; end; $$; select $x$ ; $$ ; $x$", ["do $$ begin; end; $$", "select $x$ ; $$ ; $x$"]),
        ("select /* a; /* b; */ c; */ 1; select 2", ["select /* a; /* b; */ c; */ 1", "select 2"]),
        (
            "create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3",
            ["create function f() returns int begin atomic select case when true then 1 end; select 2; end", "select 3"],
        ),
        ("begin; select 1; end;", ["begin", "select 1", "end"]),
        ("select 'open; ", ["select 'open;"]),
    ],
)  # fmt: skip
def test_statements_are_cut_where_they_end(sql: str, statements: list[str]) -> None:
    assert [" ".join(each.split()) for each in split(sql)] == [
        " ".join(each.split()) for each in statements
    ]


@given(st.text(alphabet="';\"-/*$ax \n:?e"))
def test_tokens_are_the_whole_text(sql: str) -> None:
    assert "".join(text for _, text in tokens(sql)) == sql


def test_names_are_bound_only_where_they_are_meant() -> None:
    sql = (
        "select :a, ':a', x::text, \":a\", '10:30', :b /* :a */, :unknown -- :a\n, :a where d[1:a]"
    )
    text, names = bind_names(sql, {"a", "b"}, lambda number: f"${number}")
    assert names == ["a", "b", "a", "a"]
    assert (
        text
        == "select $1, ':a', x::text, \":a\", '10:30', $2 /* :a */, :unknown -- :a\n, $3 where d[1$4]"
    )


def test_marks_are_counted_and_doubled_ones_kept() -> None:
    assert bind_marks(
        "insert into t values (?, '?', ?) where a ?? 'x'", lambda number: f"${number}"
    ) == (
        "insert into t values ($1, '?', $2) where a ? 'x'",
        2,
    )


@pytest.mark.parametrize(
    ("url", "hosts", "database", "options"),
    [
        ("jdbc:postgresql://db:5433/app", (("db", 5433),), "app", {}),
        ("jdbc:postgresql://db/app?user=a%20b&sslmode=require", (("db", 5432),), "app", {"user": "a b", "sslmode": "require"}),
        ("jdbc:postgresql://a:1,b/x", (("a", 1), ("b", 5432)), "x", {}),
        ("jdbc:postgresql://[::1]:7/x", (("::1", 7),), "x", {}),
        ("jdbc:postgresql:app", (("localhost", 5432),), "app", {}),
        ("jdbc:postgresql:///my%2Fdb", (("localhost", 5432),), "my/db", {}),
        ("jdbc:postgresql://db", (("db", 5432),), None, {}),
    ],
)  # fmt: skip
def test_addresses_of_postgresql(
    url: str, hosts: object, database: str | None, options: dict[str, str]
) -> None:
    address = postgres_address(url)
    assert (address.hosts, address.database, address.options) == (hosts, database, options)


@pytest.mark.parametrize(
    "url", ["jdbc:mysql://x", "postgresql://x", "jdbc:postgresql://x:port/y?password=secret"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(PropertyError) as caught:
        postgres_address(url)
    assert "secret" not in str(caught.value)


def test_scheme_is_named() -> None:
    with pytest.raises(PropertyError, match="URL should start with `jdbc:duckdb`"):
        body_of("jdbc:sqlite:x", "jdbc:duckdb:")
