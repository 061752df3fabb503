"""Cases that do not come out as recorded yet: `open/KIND.txt`, one name a line. A case that passes must leave the list.

A name with `~` before it depends on timing: it may pass or fail.
"""

from collections.abc import Mapping

from tests.paths import ROOT

FOLDER = ROOT / "tests/conformance/open"
SOMETIMES = "~"


def open_cases(kind: str) -> Mapping[str, bool]:
    """Names, and whether each fails every time."""
    path = FOLDER / f"{kind}.txt"
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    return {name.removeprefix(SOMETIMES).strip(): not name.startswith(SOMETIMES) for name in names}
