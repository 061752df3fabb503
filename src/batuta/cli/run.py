"""`batuta run`: options and help; what does the work is imported on use."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def run(
    file: Path,
    *,
    inputs: Annotated[list[str], Parameter(consume_multiple=True, negative="")] = [],  # noqa: B006 - cyclopts never changes it
    labels: Annotated[list[str], Parameter(consume_multiple=True, negative="")] = [],  # noqa: B006
    json: Annotated[bool, Parameter(negative="")] = False,
    server: str | None = None,
    user: Annotated[str | None, Parameter(env_var="BATUTA_USER")] = None,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> int:
    """Run a flow from a file and show its progress; the exit code is 1 when the execution failed.

    Parameters
    ----------
    file
        The flow. In a file of several documents the first is run, the others are there for it.
    inputs
        Inputs as name=value; for a FILE input the value is the path of a file.
    labels
        Labels of the execution as key=value.
    json
        Print nothing but the execution at its end, as the API shows it.
    server
        Address of a server to run on; otherwise a private store is made and thrown away.
    user
        Name and password for the server, as name:password.
    config
        Configuration file for a run without a server.
    """
    from batuta.cli.running.order import read_order

    order = read_order(file, inputs, labels)
    if server is not None:
        from batuta.cli.running.remote import run_remote

        return run_remote(order, server, user=user, as_json=json)
    from batuta.cli.running.local import run_local

    return run_local(order, config=config, as_json=json)
