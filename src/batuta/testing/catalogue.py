"""Makes the catalogue of types that Kestra 1.1 knows from recorded facts: `python -m batuta.testing.catalogue SOURCE TARGET`.

SOURCE is a folder of plugin facts, one JSON file for each group. Kept are names, properties, types, required, enums,
defaults and outputs; the properties that all tasks or triggers have are those of our own classes; the result is compact and sorted, so it can be compared.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batuta.model import codec

_DROPPED_OF_TYPES = frozenset({"metrics"})
_NO_GROUPS = frozenset({"index", "flow"})


def catalogue_files(source: Path) -> dict[str, bytes]:
    """The files of the catalogue by name."""
    types: dict[str, tuple[str, str]] = {}
    aliases: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for path in sorted(source.glob("*.json")):
        if path.stem in _NO_GROUPS:
            continue
        group = codec.decode(path.read_bytes())
        files[f"{path.stem}.json"] = codec.encode(_plain_types(_group(group))) + b"\n"
        for name, facts in group["types"].items():
            types[name] = (path.stem, facts["kind"])
            aliases |= dict.fromkeys(facts.get("aliases", ()), name)
    index = {"types": dict(sorted(types.items())), "aliases": dict(sorted(aliases.items()))}
    return {**files, "index.json": codec.encode(index) + b"\n"}


def _plain_types(facts: Any) -> Any:
    """Several types of one value become alternatives."""
    if isinstance(facts, list):
        return [_plain_types(each) for each in facts]
    if not isinstance(facts, dict):
        return facts
    kept = {key: value if key == "default" else _plain_types(value) for key, value in facts.items()}
    if isinstance(facts.get("type"), list):
        kept["anyOf"] = [{"type": name} for name in kept.pop("type") if name != "null"]
    return kept


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "types": {
            name: {key: facts[key] for key in sorted(facts.keys() - _DROPPED_OF_TYPES)}
            for name, facts in sorted(group["types"].items())
        }
    }
    if group.get("definitions"):
        kept["definitions"] = dict(sorted(group["definitions"].items()))
    return kept


def main(arguments: list[str]) -> int:
    source, target = (Path(argument) for argument in arguments)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in catalogue_files(source).items():
        (target / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
