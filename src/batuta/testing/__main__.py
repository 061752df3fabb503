"""`python -m batuta.testing conformance KIND FILE… | simulate … | reference FOLDER`"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from batuta.testing.conformance.runner import KINDS, report, results


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["simulate"]:
        simulate: Any = import_module("batuta.testing.simulate")
        return int(simulate.main(arguments[1:]) or 0)
    options = _parser().parse_args(arguments)
    if options.command == "reference":
        reference: Any = import_module("batuta.testing.reference")
        return int(reference.write(options.folder))
    try:
        return report(results(options.kind, options.files), sys.stdout)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m batuta.testing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    conformance = commands.add_parser(
        "conformance", help="run recorded cases and name those that come out differently"
    )
    conformance.add_argument("kind", choices=KINDS)
    conformance.add_argument("files", nargs="+", type=Path, metavar="FILE", help="file or folder")
    commands.add_parser("simulate", help="run the engine in seeded worlds", add_help=False)
    reference = commands.add_parser("reference", help="write the reference pages of all plugins")
    reference.add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
