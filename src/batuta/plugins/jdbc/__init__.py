"""Task types of `io.kestra.plugin.jdbc`: SQL on DuckDB, SQLite and PostgreSQL (06 §7). Drivers are loaded on first use."""

_JDBC = "batuta.plugins.jdbc"

TYPES = {
    "io.kestra.plugin.jdbc.duckdb.Queries": f"{_JDBC}.duckdb.query:Queries",
    "io.kestra.plugin.jdbc.duckdb.Query": f"{_JDBC}.duckdb.query:Query",
    "io.kestra.plugin.jdbc.postgresql.Batch": f"{_JDBC}.postgresql.batch:Batch",
    "io.kestra.plugin.jdbc.postgresql.CopyIn": f"{_JDBC}.postgresql.copy:CopyIn",
    "io.kestra.plugin.jdbc.postgresql.CopyOut": f"{_JDBC}.postgresql.copy:CopyOut",
    "io.kestra.plugin.jdbc.postgresql.Queries": f"{_JDBC}.postgresql.query:Queries",
    "io.kestra.plugin.jdbc.postgresql.Query": f"{_JDBC}.postgresql.query:Query",
    "io.kestra.plugin.jdbc.sqlite.Queries": f"{_JDBC}.sqlite.query:Queries",
    "io.kestra.plugin.jdbc.sqlite.Query": f"{_JDBC}.sqlite.query:Query",
}

ALIASES: dict[str, str] = {}
