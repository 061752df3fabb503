"""The documents mention what exists, and say nothing of what does not."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import batuta.web.routes
from batuta.cli.config import KEYS
from batuta.sdk.registry import Registry
from batuta.testing.reference import reference_pages
from batuta.web.route import Route
from tests.paths import ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MADE_FOR_THE_ENGINE = "$"
"""Types with this in their name are parts of another type, not written by authors."""


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def test_every_setting_is_documented() -> None:
    text = (DOCS / "operate/configuration.md").read_text(encoding="utf-8")
    assert not [key.name for key in KEYS if f"| `{key.name}` | {key.kind} | {key.doc}" not in text]


def test_every_documented_setting_exists() -> None:
    text = (DOCS / "operate/configuration.md").read_text(encoding="utf-8")
    written = re.findall(r"^\| `([a-z][\w.-]+)` \|", text, re.MULTILINE)
    assert sorted(written) == sorted(key.name for key in KEYS)


def test_the_reference_is_up_to_date() -> None:
    made = reference_pages(Registry.installed())
    kept = {
        path.name: path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md")
    }
    stale = sorted(name for name in set(made) | set(kept) if made.get(name) != kept.get(name))
    assert not stale, "run `make docs`"


def test_every_type_is_described() -> None:
    registry = Registry.installed()
    names = [name for name in registry if MADE_FOR_THE_ENGINE not in name]
    silent = [name for name in names if len(registry.get(name).__doc__ or "") < 40]
    assert names
    assert not silent


def routes() -> set[str]:
    """Every route that a module of `web.routes` declares."""
    found = set()
    for module in iter_modules(batuta.web.routes.__path__, "batuta.web.routes."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, tuple):
                found.update(f"{r.method} {r.path}" for r in value if isinstance(r, Route))
    return found


def test_every_route_is_documented_and_no_other() -> None:
    text = (DOCS / "reference-api.md").read_text(encoding="utf-8")
    written = set(re.findall(r"^\| `([A-Z]+ /[^`]+)` \|", text, re.MULTILINE))
    assert len(routes()) > 20
    assert written == routes()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert not [link for link in targets if not (page.parent / link).exists()]
