"""Cases that do not come out as recorded yet: `open/KIND.txt`, one name a line. A case that passes must leave the list."""

from tests.paths import ROOT

FOLDER = ROOT / "tests/conformance/open"


def open_cases(kind: str) -> frozenset[str]:
    path = FOLDER / f"{kind}.txt"
    if not path.exists():
        return frozenset()
    lines = path.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
