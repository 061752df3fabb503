"""Functions of jq whose arguments are programs, and those that give many values."""

from collections.abc import Callable, Iterator
from typing import Any

from batuta.expr.jq.errors import JqError
from batuta.expr.jq.match import replaced
from batuta.expr.jq.value import delete_paths, get_path, iterate, number, truthy, type_name
from batuta.expr.values import Value

Arguments = tuple[Any, ...]
Stream = Callable[[Any, Arguments, Any, Value], Iterator[Value]]


def _empty(_run: Any, _arguments: Arguments, _scope: Any, _value: Value) -> Iterator[Value]:
    return iter(())


def _error(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    for problem in run.values(arguments[0], scope, value) if arguments else (value,):
        text = problem if isinstance(problem, str) else type_name(problem)
        raise JqError(text, problem)
    return
    yield  # makes this a generator


def _path(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    for path, _ in run.paths(arguments[0], scope, ((), value)):
        yield list(path)


def _recurse(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    stack: list[Iterator[Value]] = [iter((value,))]
    end = object()
    while stack:
        item = next(stack[-1], end)
        if item is end:
            stack.pop()
            continue
        run.spend()
        yield item
        if arguments:
            stack.append(run.values(arguments[0], scope, item))
        elif isinstance(item, (list, dict)):
            stack.append(iter([inner for _, inner in iterate(item)]))


def _range(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    for given in run.combinations(arguments, scope, value):
        if any(type_name(each) != "number" for each in given):
            raise JqError("Range bounds must be numeric")
        start, end, step = (0, *given, 1) if len(given) == 1 else (*given, 1)[:3]
        while (start < end) if step > 0 else (step < 0 and start > end):
            run.spend()
            yield start
            start = number(start + step)


def _limit(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    for count in run.values(arguments[0], scope, value):
        if count <= 0:
            continue
        for index, item in enumerate(run.values(arguments[1], scope, value), 1):
            yield item
            if index >= count:
                break


def _first(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    for item in run.values(arguments[0], scope, value):
        yield item
        return


def _last(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    found = None
    for found in run.values(arguments[0], scope, value):
        run.spend()
    yield found


def _until(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    while not truthy(run.first(arguments[0], scope, value)):
        value = run.first(arguments[1], scope, value)
    yield value


def _while(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    while truthy(run.first(arguments[0], scope, value)):
        yield value
        value = run.first(arguments[1], scope, value)


def _repeat(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    while True:
        run.spend()
        value = run.first(arguments[0], scope, value)
        yield value


def _any_of(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    source, test = arguments
    yield any(
        truthy(result)
        for item in run.values(source, scope, value)
        for result in run.values(test, scope, item)
    )


def _all_of(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    source, test = arguments
    yield all(
        truthy(result)
        for item in run.values(source, scope, value)
        for result in run.values(test, scope, item)
    )


def _delete(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    yield delete_paths(value, [path for path, _ in run.paths(arguments[0], scope, ((), value))])


def _pick(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
    from batuta.expr.jq.value import set_path

    result: Value = None
    for path, _ in run.paths(arguments[0], scope, ((), value)):
        result = set_path(result, path, get_path(value, path))
    yield result


def _replace(every: bool) -> Stream:
    def replace(run: Any, arguments: Arguments, scope: Any, value: Value) -> Iterator[Value]:
        flags_of = run.values(arguments[2], scope, value) if len(arguments) > 2 else iter(("",))
        for flags in flags_of:
            for pattern in run.values(arguments[0], scope, value):
                yield replaced(
                    value,
                    pattern,
                    flags + ("g" if every else ""),
                    insert=lambda capture: run.first(arguments[1], scope, capture),
                )

    return replace


STREAMS: dict[tuple[str, int], Stream] = {
    ("empty", 0): _empty,
    ("error", 0): _error,
    ("error", 1): _error,
    ("path", 1): _path,
    ("recurse", 0): _recurse,
    ("recurse", 1): _recurse,
    ("range", 1): _range,
    ("range", 2): _range,
    ("range", 3): _range,
    ("limit", 2): _limit,
    ("first", 1): _first,
    ("last", 1): _last,
    ("until", 2): _until,
    ("while", 2): _while,
    ("repeat", 1): _repeat,
    ("any", 2): _any_of,
    ("all", 2): _all_of,
    ("del", 1): _delete,
    ("pick", 1): _pick,
    ("sub", 2): _replace(every=False),
    ("sub", 3): _replace(every=False),
    ("gsub", 2): _replace(every=True),
    ("gsub", 3): _replace(every=True),
}
