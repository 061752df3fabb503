"""The expression language beside Jinja2, which both can say: ratios in one process on one core, and the cache's memory."""

import gc
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from jinja2 import Environment

from batuta.expr import Context, Template, compile_template, render
from bench.figure import Bound, Figure

VARIABLES: dict[str, Any] = {
    "inputs": {"name": "Ana", "n": 3, "on": True},
    "name": "  some text ",
    "rows": [f"item {index}" for index in range(1_000)],
    "records": [
        {"id": f"r{index}", "n": index, "on": index % 2 == 0, "tags": ["a", "b", "c"]}
        for index in range(1_000)
    ],
}
SHORT = {
    "path": ("{{ inputs.name }}", "{{ inputs.name }}"),
    "filters": ("{{ name | trim | upper }}", "{{ name | trim | upper }}"),
    "ternary": ("{{ inputs.on ? 'yes' : 'no' }}", "{{ 'yes' if inputs.on else 'no' }}"),
}
LOOPS = {
    "plain": "{% for x in rows %}{{ x }},{% endfor %}",
    # `loop.index` counts from 0 here and from 1 there.
    "index": "{% for x in rows %}{{ loop.index }}:{{ x }} {% endfor %}",
    "keys": "{% for r in records %}{{ r.id }}={{ r.n }};{% endfor %}",
    "branch": "{% for r in records %}{% if r.on %}{{ r.id }}{% else %}-{% endif %};{% endfor %}",
    "statements": (
        "{% for r in records %}{% set name = r.id %}{{ name }}: {{ r.n }}\n"
        "{% if r.n > 500 %}late {{ r.id }}\n{% endif %}{% endfor %}"
    ),
    "nested": "{% for r in records %}{{ r.id }}:{% for t in r.tags %}{{ t }},{% endfor %};{% endfor %}",
}
_TEMPLATES = 10_000


def _seconds(code: Callable[[], object], *, count: int) -> float:
    """The best of five rounds, for one call."""
    best = float("inf")
    for _ in range(5):
        gc.collect()
        start = perf_counter()
        for _ in range(count):
            code()
        best = min(best, perf_counter() - start)
    return best / count


def evaluation() -> Mapping[str, float]:
    """How many times as fast as a template of Jinja2 that is already compiled."""
    environment = Environment(autoescape=False)
    context = Context(VARIABLES)
    ratios = {}
    for name, (ours, theirs) in SHORT.items():
        other = environment.from_string(theirs)
        if render(ours, context) != other.render(VARIABLES):
            raise ValueError(f"{name}: the results differ")
        mine = _seconds(lambda text=ours: render(text, context), count=20_000)  # type: ignore[misc]
        ratios[name] = _seconds(lambda t=other: t.render(VARIABLES), count=20_000) / mine  # type: ignore[misc]
    return ratios


def first_rendering() -> Mapping[str, float]:
    """Parsing and rendering once, without any cache."""
    environment = Environment(autoescape=False, cache_size=0)
    context = Context(VARIABLES)
    ratios = {}
    for name, (ours, theirs) in SHORT.items():
        mine = _seconds(lambda text=ours: Template(text).render(context), count=2_000)  # type: ignore[misc]
        other = _seconds(
            lambda text=theirs: environment.from_string(text).render(VARIABLES),  # type: ignore[misc]
            count=200,
        )
        ratios[name] = other / mine
    return ratios


def loops() -> Mapping[str, float]:
    """1,000 turns of bodies from one print to several statements."""
    environment = Environment(autoescape=False)
    context = Context(VARIABLES)
    ratios = {}
    for name, text in LOOPS.items():
        other = environment.from_string(text)
        mine = _seconds(lambda t=text: render(t, context), count=200)  # type: ignore[misc]
        ratios[name] = _seconds(lambda t=other: t.render(VARIABLES), count=200) / mine  # type: ignore[misc]
    return ratios


def static_text() -> Mapping[str, float]:
    """Nanoseconds for text without a brace, whatever its length."""
    text = "no markup at all " * 100
    context = Context(VARIABLES)
    return {"time": _seconds(lambda: render(text, context), count=100_000) * 1e9}


def cache_memory() -> Mapping[str, float]:
    """MiB for as many distinct templates as the cache holds."""
    gc.collect()
    tracemalloc.start()
    for number in range(_TEMPLATES):
        compile_template(
            f"{{{{ inputs.name{number} | trim | upper }}}} and {{{{ outputs.t{number}.v ?? 'd' }}}}"
        )
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {"memory": size / 2**20}


FIGURES = (
    Figure(
        name="expr-evaluation",
        title="short templates, times as fast as Jinja2",
        bounds={name: Bound("×", must=3, more_is_better=True) for name in SHORT},
        measure=evaluation,
        runs=3,
    ),
    Figure(
        name="expr-first-rendering",
        title="parsing and first rendering, times as fast as Jinja2",
        bounds={name: Bound("×", must=20, more_is_better=True) for name in SHORT},
        measure=first_rendering,
        runs=3,
    ),
    Figure(
        name="expr-loop",
        title="a loop of 1,000 turns, times as fast as Jinja2",
        bounds={name: Bound("×", must=1, more_is_better=True) for name in LOOPS},
        measure=loops,
        runs=3,
    ),
    Figure(
        name="expr-static",
        title="text without markup",
        bounds={"time": Bound("ns", must=1_000)},
        measure=static_text,
        runs=3,
    ),
    Figure(
        name="expr-cache",
        title="10,000 distinct templates in the cache",
        bounds={"memory": Bound("MiB", must=40)},
        measure=cache_memory,
        runs=1,
    ),
)

if __name__ == "__main__":
    for figure in FIGURES:
        sys.stdout.write(f"{figure.title}: {dict(figure.measure())}\n")
