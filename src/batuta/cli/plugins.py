"""`batuta plugins list|doc`."""

import inspect
from collections.abc import Iterator

from batuta.cli.failure import CommandError
from batuta.cli.output import complain, say
from batuta.sdk.errors import PluginError, UnknownTypeError
from batuta.sdk.facts import UNSET, Facts, TypeFacts, facts_of
from batuta.sdk.registry import Registry


def list_types(word: str = "") -> int:
    """List all task types that are installed.

    Parameters
    ----------
    word
        Only types that contain this text.
    """
    registry = Registry.installed()
    for name in registry:
        if word.lower() in name.lower():
            say(name)
    for package, reason in registry.failures.items():
        complain(f"{package} cannot be loaded: {reason}")
    return 1 if registry.failures else 0


def doc(type_name: str) -> int:
    """Print the documentation of a type: what it does and its properties.

    Parameters
    ----------
    type_name
        The type, or one of its aliases.
    """
    registry = Registry.installed()
    try:
        plugin = registry.get(type_name)
    except UnknownTypeError as error:
        hint = f"; did you mean {', '.join(error.nearest)}?" if error.nearest else ""
        raise CommandError(f"The type {type_name} is unknown{hint}") from None
    except PluginError as error:
        raise CommandError(str(error)) from None
    for line in _page(plugin.TYPE, facts_of(plugin)):
        say(line)
    return 0


def _page(name: str, facts: TypeFacts) -> Iterator[str]:
    yield name
    if facts.aliases:
        yield f"also {', '.join(facts.aliases)}"
    if facts.deprecated:
        yield "deprecated"
    yield ""
    yield inspect.cleandoc(facts.description or "")
    yield ""
    yield "Properties"
    width = max((len(each) for each in facts.properties), default=0) + 2
    for each, property_facts in facts.properties.items():
        yield f"  {each:<{width}}{_line(property_facts)}"


def _line(facts: Facts) -> str:
    words = [_kind(facts)]
    if facts.required:
        words.append("required")
    if facts.dynamic:
        words.append("expression")
    if facts.default is not UNSET and facts.default is not None:
        words.append(f"default {facts.default}")
    if facts.deprecated:
        words.append("deprecated")
    return f"({', '.join(words)})  {facts.description or ''}".rstrip()


def _kind(facts: Facts) -> str:
    if facts.enum:
        return " or ".join(facts.enum)
    if facts.any_of:
        return " or ".join(dict.fromkeys(_kind(each) for each in facts.any_of))
    return facts.format or facts.type or facts.plugin_kind or "anything"
