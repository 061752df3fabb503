"""Functions of jq whose arguments are programs, and those that give many values."""

from collections.abc import Callable, Iterator

from batuta.expr.jq.errors import JqError
from batuta.expr.jq.match import replaced
from batuta.expr.jq.native import Invocation
from batuta.expr.jq.value import (
    delete_paths,
    get_path,
    iterate,
    number,
    set_path,
    truthy,
    type_name,
)
from batuta.expr.values import Value

_WITH_FLAGS = 3
Stream = Callable[[Invocation], Iterator[Value]]


def _empty(_: Invocation) -> Iterator[Value]:
    return iter(())


def _error(call: Invocation) -> Iterator[Value]:
    for problem in call.values(0, call.value) if call.arguments else (call.value,):
        text = problem if isinstance(problem, str) else type_name(problem)
        raise JqError(text, problem)
    return iter(())


def _path(call: Invocation) -> Iterator[Value]:
    for path, _ in call.paths():
        yield list(path)


def _recurse(call: Invocation) -> Iterator[Value]:
    stack: list[Iterator[Value]] = [iter((call.value,))]
    end = object()
    while stack:
        item = next(stack[-1], end)
        if item is end:
            stack.pop()
            continue
        call.run.spend()
        yield item
        if call.arguments:
            stack.append(call.values(0, item))
        elif isinstance(item, (list, dict)):
            stack.append(iter([inner for _, inner in iterate(item)]))


def _range(call: Invocation) -> Iterator[Value]:
    # The first argument is the outermost here, unlike in other functions.
    reverse = tuple(reversed(call.arguments))
    for backwards in call.run.combinations(reverse, call.scope, call.value):
        given = tuple(reversed(backwards))
        if any(type_name(each) != "number" for each in given):
            raise JqError("Range bounds must be numeric")
        start, end, step = (0, *given, 1) if len(given) == 1 else (*given, 1)[:3]
        while (start < end) if step > 0 else (step < 0 and start > end):
            call.run.spend()
            yield start
            start = number(start + step)


def _limit(call: Invocation) -> Iterator[Value]:
    for count in call.values(0, call.value):
        if count <= 0:
            continue
        for index, item in enumerate(call.values(1, call.value), 1):
            yield item
            if index >= count:
                break


def _first(call: Invocation) -> Iterator[Value]:
    for item in call.values(0, call.value):
        yield item
        return


def _last(call: Invocation) -> Iterator[Value]:
    last: Value = None
    for item in call.values(0, call.value):
        call.run.spend()
        last = item
    yield last


def _until(call: Invocation) -> Iterator[Value]:
    value = call.value
    while not truthy(call.first(0, value)):
        value = call.first(1, value)
    yield value


def _while(call: Invocation) -> Iterator[Value]:
    value = call.value
    while truthy(call.first(0, value)):
        yield value
        value = call.first(1, value)


def _repeat(call: Invocation) -> Iterator[Value]:
    value = call.value
    while True:
        call.run.spend()
        value = call.first(0, value)
        yield value


def _any_of(call: Invocation) -> Iterator[Value]:
    yield any(
        truthy(result) for item in call.values(0, call.value) for result in call.values(1, item)
    )


def _all_of(call: Invocation) -> Iterator[Value]:
    yield all(
        truthy(result) for item in call.values(0, call.value) for result in call.values(1, item)
    )


def _delete(call: Invocation) -> Iterator[Value]:
    yield delete_paths(call.value, [path for path, _ in call.paths()])


def _pick(call: Invocation) -> Iterator[Value]:
    result: Value = None
    for path, _ in call.paths():
        result = set_path(result, path, get_path(call.value, path))
    yield result


def _replace(*, every: bool) -> Stream:
    def replace(call: Invocation) -> Iterator[Value]:
        flags_of = call.values(2, call.value) if len(call.arguments) == _WITH_FLAGS else iter(("",))
        for flags in flags_of:
            for pattern in call.values(0, call.value):
                yield replaced(
                    call.value,
                    pattern,
                    flags + ("g" if every else ""),
                    insert=lambda capture: call.first(1, capture),
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
