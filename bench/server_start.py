"""From the command to the first healthy answer: on an empty folder, and again on the same one."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.figure import Bound, Figure
from tests.e2e.batuta_server import Server


def measure() -> Mapping[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="batuta-bench-"))
    server = Server(folder)
    try:
        fresh = server.start()
        server.stop()
        second = server.start()
        server.stop()
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    return {"fresh": fresh, "second": second}


FIGURES = (
    Figure(
        name="1-start",
        title="start to the first healthy answer, fresh folder / second start",
        bounds={"fresh": Bound("s", 2.5, 0.8), "second": Bound("s", 1.5, 0.4)},
        measure=measure,
    ),
)
