"""`python -m bench [NAME…]` measures figures, all of them without names; `--table` prints the last results for the README."""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.figure import Figure, results, run

HEAD = "| figure | value | must | aim |\n|---|---|---|---|"


def figures() -> dict[str, Figure]:
    """Those of every module of this folder that has `FIGURES`, by name."""
    found: dict[str, Figure] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if not path.stem.startswith("_"):
            module = import_module(f"bench.{path.stem}")
            found.update({figure.name: figure for figure in getattr(module, "FIGURES", ())})
    return dict(sorted(found.items()))


def main(arguments: list[str]) -> int:
    known = figures()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--table", action="store_true", help="print the last results as a table")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    if options.table:
        print(table(results()))
        return 0
    missed = 0
    for name in options.names or known:
        result = run(known[name])
        print(f"{result['title']}: {_cell(result, 'median')}", flush=True)
        missed += sum(not value["met"] for value in result["values"].values())
    return 1 if missed else 0


def table(found: list[dict[str, Any]]) -> str:
    """The figures of the README: those whose names begin with their place in it."""
    rows = [
        f"| {one['title']} | {_cell(one, 'median')} | {_cell(one, 'must')} | {_cell(one, 'aim')} |"
        for one in found
        if one["name"][:1].isdigit()
    ]
    return "\n".join([HEAD, *rows])


def _cell(result: dict[str, Any], column: str) -> str:
    parts = []
    for name, value in result["values"].items():
        if value[column] is not None:
            label = f"{name} " if len(result["values"]) > 1 else ""
            parts.append(f"{label}{_number(value[column])} {value['unit']}")
    return ", ".join(parts) or "–"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
