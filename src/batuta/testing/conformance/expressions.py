"""Recorded expressions: template, variables and result or kind of error. The keys are explained in the files."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from batuta.expr import (
    Context,
    EnumName,
    EvaluationError,
    ExpressionError,
    MissingVariableError,
    NullHost,
    RuntimeFaultError,
    Settings,
    render,
    render_typed,
)
from batuta.expr.format.date_reader import read_date
from batuta.expr.temporal import Duration, Instant, LocalDate, LocalDateTime, ZonedDateTime
from batuta.flow.yaml import read_yaml_literally
from batuta.model.duration import parse_duration
from batuta.testing.conformance.casefile import load_cases

Case = Mapping[str, Any]
_NOW = Instant(1_767_323_045, 123_456_000)
_OWN_FILES = ("kestra", "nsfile")


def cases(path: Path) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Name and check of every case; a check returns the difference, or None."""
    for case in load_cases(path):
        yield f"{case['id']}: {case['template']!r}", partial(check, case)


def check(case: Case) -> str | None:
    """What differs from the record, or None."""
    try:
        result = evaluate(case)
    except ExpressionError as problem:
        return _compare_error(case, problem)
    if "error" in case:
        return f"expected error {case['error']}, got {result!r}"
    return _compare(case, result)


def evaluate(case: Case) -> Any:
    """Renders the template of a case. Raises `ExpressionError`."""
    needs = case.get("requires") or {}
    recursive = case.get("mode") == "recursive" or bool(needs.get("recursive_rendering"))
    host = RecordedHost(needs, Settings(recursive_rendering=recursive))
    context = Context(typed_values(case.get("context") or {}), host)
    if case.get("mode") == "typed":
        return render_typed(case["template"], context)
    return render(case["template"], context)


def _compare(case: Case, result: Any) -> str | None:
    expected = case["expected"]
    if case.get("compare") == "json":
        same = _parsed(expected) == _parsed(result)
    else:
        same = result == expected and type(result) is type(expected)
    return None if same else f"expected {expected!r}, got {result!r}"


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _compare_error(case: Case, problem: ExpressionError) -> str | None:
    if "error" not in case:
        return f"expected {case['expected']!r}, got {problem.kind}: {problem.message}"
    if problem.kind != case["error"]:
        return f"expected error {case['error']}, got {problem.kind}: {problem.message}"
    name = case.get("missing")
    if isinstance(problem, MissingVariableError) and name is not None and problem.name != str(name):
        return f"expected `{name}` to be missing, got `{problem.name}`"
    return _compare_place(case.get("message"), problem)


def _compare_place(message: str | None, problem: ExpressionError) -> str | None:
    """Messages may be worded differently, but must name the same line."""
    if message is None:
        return None
    wanted, found = _line(message), _line(problem.message)
    if wanted in {found, "0"}:
        return None
    return f"expected an error in line {wanted}, got line {found}: {problem.message}"


def _line(message: str) -> str:
    return message.rstrip(")").replace(" at line ", ":").rpartition(":")[2]


def typed_values(value: Any) -> Any:
    """Plain data of a case with its `$…` maps turned into values of the language."""
    if isinstance(value, list):
        return [typed_values(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        (name, text), *_ = value.items()
        build = _TYPED.get(name)
        if build is not None:
            return build(str(text))
    return {key: typed_values(item) for key, item in value.items()}


def _instant(text: str) -> Instant:
    moment = read_date(text, None, "en")
    if not isinstance(moment, ZonedDateTime):
        raise TypeError(f"`{text}` is no instant")
    return moment.instant


def _date_time(text: str) -> ZonedDateTime | LocalDateTime | LocalDate:
    return read_date(text, None, "en")


def _duration(text: str) -> Duration:
    return Duration.of_nanos(parse_duration(text) * 1_000)


_TYPED: dict[str, Callable[[str], Any]] = {
    "$instant": _instant,
    "$zoned_datetime": _date_time,
    "$local_date": _date_time,
    "$local_datetime": _date_time,
    "$duration": _duration,
    "$decimal": Decimal,
    "$enum": EnumName,
    "$bytes": b64decode,
}


class RecordedHost(NullHost):
    """Answers look-ups from the `requires` of a case, in the namespace `acme.team` that the cases run in."""

    def __init__(self, needs: Mapping[str, Any], settings: Settings) -> None:
        super().__init__(settings=settings, now=_NOW, seed=1)
        self._secrets = {key.upper(): value for key, value in (needs.get("secrets") or {}).items()}
        self._pairs = needs.get("kv") or {}
        self._files = needs.get("namespace_files") or {}

    @override
    def secret(self, key: str, *, namespace: str | None) -> str:
        if key.upper() not in self._secrets:
            raise EvaluationError(f"Cannot find secret for key '{key}'.")
        return str(self._secrets[key.upper()])

    @override
    def kv(self, key: str, *, namespace: str | None, error_on_missing: bool) -> Any:
        if namespace is not None and namespace not in self._pairs:
            raise EvaluationError(
                f"Cannot access the KV store. The namespace '{namespace}' does not exist."
            )
        for place in [namespace] if namespace is not None else _upwards("acme.team"):
            if key in self._pairs.get(place, {}):
                return self._pairs[place][key]
        return super().kv(
            key, namespace=namespace or "acme.team", error_on_missing=error_on_missing
        )

    def _file(self, path: str, namespace: str | None) -> str | None:
        scheme, mark, rest = path.partition("://")
        if mark and scheme not in _OWN_FILES:
            raise RuntimeFaultError(f"Cannot process the URI {path}: scheme not supported.")
        name = rest.partition("/")[2] if mark else path
        files: Mapping[str, str] = self._files.get(namespace or "acme.team", {})
        return files.get(name)

    @override
    def read(self, path: str, *, namespace: str | None) -> str:
        text = self._file(path, namespace)
        return super().read(path, namespace=namespace) if text is None else text

    @override
    def file_exists(self, path: str, *, namespace: str | None) -> bool:
        return self._file(path, namespace) is not None

    @override
    def file_size(self, path: str, *, namespace: str | None) -> int:
        return len(self.read(path, namespace=namespace).encode())

    @override
    def parse_yaml(self, text: str) -> Any:
        return read_yaml_literally(text)


def _upwards(namespace: str) -> Iterator[str]:
    """A namespace and those above it, nearest first."""
    while namespace:
        yield namespace
        namespace = namespace.rpartition(".")[0]
