"""From the text of a source to a `Flow`, or to everything that is wrong with it (09 §4, 01 §1.6 and §1.7)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import ValidationError

from batuta.flow.check import Checker, Found, Scope
from batuta.flow.defaults import Default, defaults_in, with_defaults
from batuta.flow.definition import Flow
from batuta.flow.labels import read_labels
from batuta.flow.literal import java_text
from batuta.flow.problems import Problems
from batuta.flow.rules import Offers, Subject, check_rules
from batuta.flow.yaml import Path, Tree, path_text, try_read_yaml
from batuta.model.problem import Problem, Severity
from batuta.sdk.definition import RESOLVE, Plugin
from batuta.sdk.facts import object_facts
from batuta.sdk.registry import Registry

FLOW_CLASS = "io.kestra.core.models.flows.FlowWithSource"
MAX_NODES = 10_000
"""Of texts, lists and maps in a source."""
_CATALOGUE_BLOCK = "extend"
_OLD_DEFAULTS = "taskDefaults"
FlowExists = Callable[[str, str], bool]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a source. `flow` is None when there is an error."""

    flow: Flow | None
    problems: tuple[Problem, ...] = ()
    tree: Tree | None = None
    id: str | None = None
    """The id and namespace as far as they could be read, also of a flow with errors."""
    namespace: str | None = None
    revision: int | None = None

    @property
    def is_valid(self) -> bool:
        return self.flow is not None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return self._of(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self._of(Severity.WARNING)

    @property
    def deprecations(self) -> tuple[Problem, ...]:
        return self._of(Severity.DEPRECATION)

    @property
    def infos(self) -> tuple[Problem, ...]:
        return self._of(Severity.INFO)

    def _of(self, severity: Severity) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is severity)


def read_flow(
    source: str,
    registry: Registry,
    *,
    defaults: Sequence[Default] = (),
    strict: bool = True,
    exists: FlowExists | None = None,
    offers: Offers = Offers(),  # noqa: B008 - frozen
) -> Reading:
    """Read, check and explain a source; never raises for a mistake of its author.

    `defaults` are those of the installation, the most important first. Not `strict`: unknown properties are ignored
    with a warning. `exists` tells whether a flow is stored; without it, calls of unknown flows are not reported.
    `offers`: of the installation that will run the flow.
    """
    reading = try_read_yaml(source, max_nodes=MAX_NODES)
    tree = reading.tree
    if tree is None:
        return Reading(flow=None, problems=_illegal(reading.problems))
    value = tree.value
    if not isinstance(value, Mapping):
        problem = Problem(
            code="yaml",
            message="Illegal Flow source: a flow is a map with an `id`, a `namespace` and `tasks`",
            line=tree.root.line,
            column=tree.root.column,
        )
        return Reading(flow=None, problems=(problem,), tree=tree)
    reader = _FlowReader(tree, registry, strict=strict)
    flow = reader.read(value, defaults=defaults, exists=exists, offers=offers)
    problems = (*_illegal(reading.problems), *reader.problems.in_order())
    errors = any(problem.severity is Severity.ERROR for problem in problems)
    return Reading(
        flow=None if errors else flow,
        problems=problems,
        tree=tree,
        id=_text(value.get("id")),
        namespace=_text(value.get("namespace")),
        revision=_revision(value.get("revision")),
    )


def read_part(source: str, registry: Registry, *, kind: str) -> Reading:
    """Check a task or trigger alone (`kind`); `flow` stays None."""
    reading = try_read_yaml(source, max_nodes=MAX_NODES)
    tree = reading.tree
    if tree is None or reading.problems:
        return Reading(flow=None, problems=_illegal(reading.problems), tree=tree)
    reader = _FlowReader(tree, registry, strict=True)
    reader.part(tree.value, (), kind)
    return Reading(flow=None, problems=reader.problems.in_order(), tree=tree)


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, Mapping | list) else java_text(value)


def _revision(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _illegal(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(
        msgspec.structs.replace(problem, message=f"Illegal Flow source: {problem.message}")
        for problem in problems
    )


def _named(entry: Any) -> Any:
    """An input may still have its older `name` instead of an `id` (01 §2.1)."""
    if isinstance(entry, Mapping) and entry.get("id") is None and entry.get("name") is not None:
        return {**entry, "id": entry["name"]}
    return entry


class _FlowReader:
    def __init__(self, tree: Tree, registry: Registry, *, strict: bool) -> None:
        self._registry = registry
        self._strict = strict
        self.problems = Problems(tree)
        self._checker = Checker(registry, self.problems, strict=strict)

    def read(
        self,
        source: Mapping[str, Any],
        *,
        defaults: Sequence[Default],
        exists: FlowExists | None,
        offers: Offers,
    ) -> Flow | None:
        merged = with_defaults(
            self._without_extras(source), (*defaults_in(source), *defaults), self._registry
        )
        plain = self._checker.object(merged, object_facts(Flow), (), scope=Scope(FLOW_CLASS))
        labels = read_labels(merged.get("labels"), ("labels",), self.problems)
        if labels is not None:
            plain["labels"] = labels
        subject = Subject(
            plain=plain,
            source=source,
            found=tuple(self._checker.found),
            registry=self._registry,
            exists=exists,
            offers=offers,
        )
        check_rules(subject, self.problems)
        return self._made(plain)

    def part(self, value: Any, path: Path, kind: str) -> None:
        spec = self._checker.plugin(value, path, kind)
        if isinstance(spec, Mapping) and not self.problems.errors:
            self._make_plugin(self._checker.found[0])

    def _without_extras(self, source: Mapping[str, Any]) -> Mapping[str, Any]:
        dropped = set()
        if isinstance(source.get(_CATALOGUE_BLOCK), Mapping):
            dropped.add(_CATALOGUE_BLOCK)
            self.problems.warning(
                "ignored",
                "the block `extend` of a blueprint catalogue is ignored",
                (_CATALOGUE_BLOCK,),
            )
        if _OLD_DEFAULTS in source:
            dropped.add(_OLD_DEFAULTS)
            self.problems.deprecated(
                "`taskDefaults` is ignored; its name is `pluginDefaults`", (_OLD_DEFAULTS,)
            )
        kept = {key: value for key, value in source.items() if key not in dropped}
        if isinstance(kept.get("inputs"), list):
            kept["inputs"] = [_named(entry) for entry in kept["inputs"]]
        return kept

    def _made(self, plain: dict[str, Any]) -> Flow | None:
        """The validators of the classes themselves; only what was read without errors is made."""
        bad = tuple(
            problem for problem in self.problems.found if problem.severity is Severity.ERROR
        )
        if bad:
            self._check_sound_parts(bad)
            return None
        try:
            return Flow.model_validate(plain, context={RESOLVE: self._resolve})
        except ValidationError as error:
            self._report(error, ())
        except Exception as error:
            self.problems.error("plugin", f"{type(error).__name__} in a plugin: {error}", ())
        return None

    def _check_sound_parts(self, bad: Sequence[Problem]) -> None:
        for found in self._checker.found:
            name = path_text(found.path)
            if found.depth == 0 and not any(problem.path.startswith(name) for problem in bad):
                self._make_plugin(found)

    def _make_plugin(self, found: Found) -> None:
        try:
            self._resolve(found.type).model_validate(found.spec, context={RESOLVE: self._resolve})
        except ValidationError as error:
            self._report(error, found.path)
        except Exception as error:
            self.problems.error(
                "plugin", f"{type(error).__name__} in {found.type}: {error}", found.path
            )

    def _resolve(self, type_name: str) -> type[Plugin]:
        return self._registry.definition(type_name)

    def _report(self, error: ValidationError, path: Path) -> None:
        for detail in error.errors(include_url=False, include_input=False):
            message = str(detail.get("ctx", {}).get("error", detail["msg"]))
            steps = (step for step in detail["loc"] if step != "function-wrap")
            self.problems.error("constraint", message, (*path, *steps))
