"""Our readers, renderers, validators and calendars do what was recorded, file by file."""

from pathlib import Path

import pytest

from batuta.testing.conformance.runner import results
from tests.conformance.open_cases import open_cases
from tests.paths import ROOT

DATA = ROOT / "tests/conformance/data"
FILES = [
    ("yaml", DATA / "yaml.yaml"),
    ("validation", DATA / "validation.yaml"),
    ("cron", DATA / "cron.yaml"),
    ("conditions", DATA / "conditions.yaml"),
    *(("expressions", path) for path in sorted(DATA.glob("expressions*.yaml"))),
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("kind", "path"), FILES, ids=[path.stem for _, path in FILES])
def test_cases_come_out_as_recorded(kind: str, path: Path) -> None:
    found = dict(results(kind, [path]))
    known = open_cases(kind)
    failed = {name: text for name, text in found.items() if text is not None}
    fresh = {name: text for name, text in failed.items() if name not in known}
    assert not fresh, "\n" + "\n".join(f"{name}: {text}" for name, text in fresh.items())
    mended = sorted(name for name in known if name in found and name not in failed)
    assert not mended, f"no longer open, take them off the list: {mended}"
