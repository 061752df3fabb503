"""Compiled templates, their cache, and the entry points of rendering (02 §2.1)."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from batuta.expr.compiler.scope import Scope
from batuta.expr.compiler.state import Meter, State, state_for
from batuta.expr.compiler.statement import (
    Definitions,
    compile_body,
    compile_piece,
    concatenated,
)
from batuta.expr.context import Context
from batuta.expr.errors import (
    ExpressionError,
    LimitError,
    RenderRecursionError,
)
from batuta.expr.format.text import PRINTED
from batuta.expr.syntax.nodes import Print, Text, Tree
from batuta.expr.syntax.parse import parse
from batuta.expr.syntax.references import References, references_of
from batuta.expr.values import LeafMap, Value, to_plain

_RAW = re.compile(r"\{%-*\s*raw\s*-*%\}(.*?)\{%-*\s*endraw\s*-*%\}", re.ASCII)
_PLACEHOLDER = "\ue0f0raw{}\ue0f0"
_MAX_TEMPLATES = 10_000
_MAX_CACHED_CHARS = 8 * 1024 * 1024

Renderer = Callable[[Any], str]


class Template:
    """One template. Compiled on creation, so a syntax error shows then; can be rendered any number of times."""

    __slots__ = ("_piece", "_raws", "_references", "_run", "_source", "_typed", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._raws: tuple[str, ...] = ()
        self._source = _RAW.sub(self._set_raw_aside, text) if "raw" in text else text
        self._typed: Callable[[Context, Meter | None], Value] | None = None
        self._references: References | None = None
        try:
            tree = parse(self._source)
            self._piece = _compile_piece(tree)
            if self._piece is None:
                self._run = _compile_text(tree)
        except ExpressionError as problem:
            problem.locate(text)
            raise
        except RecursionError:
            raise LimitError("The template is nested too deeply").locate(text) from None

    def _set_raw_aside(self, match: re.Match[str]) -> str:
        self._raws += (match[0],)
        return _PLACEHOLDER.format(len(self._raws) - 1)

    @property
    def references(self) -> References:
        """What the template reads, found without evaluating it."""
        if self._references is None:
            self._references = references_of(parse(self._source))
        return self._references

    @property
    def tree(self) -> Tree:
        """The parse tree, for people."""
        return parse(self._source)

    def render(self, context: Context) -> str:
        """Raises `ExpressionError` with the place of the mistake."""
        if context.recursive:
            return strip_raw(self.render_stable(context, None))
        try:
            piece = self._piece
            result = piece(context) if piece is not None else self._run(context, None)
        except ExpressionError as problem:
            problem.locate(self._source)
            raise
        except RecursionError:
            raise LimitError("The template is nested too deeply").locate(self.text) from None
        if self._raws:
            result = self._put_raw_back(result)
        return strip_raw(result) if "{%" in result else result

    def _evaluate(self, context: Any, meter: Meter | None) -> str:
        if self._piece is not None:
            return self._piece(context)
        return self._run(context, meter)

    def render_typed(self, context: Context) -> Value:
        """The value, plain, with its type (02 §2.3)."""
        if context.recursive:
            text = self.render_stable(context, None)
            return strip_raw(text)
        if self._typed is None:
            self._typed = _compile_typed(parse(self._source))
        try:
            result = to_plain(self._typed(context, None))
        except ExpressionError as problem:
            problem.locate(self._source)
            raise
        except RecursionError:
            raise LimitError("The template is nested too deeply").locate(self.text) from None
        if isinstance(result, str):
            result = strip_raw(self._put_raw_back(result))
        return result

    def render_once(self, context: Context, meter: Meter | None) -> str:
        """One pass, raw blocks still in their tags; `meter` is that of a rendering around this one."""
        try:
            return self._put_raw_back(self._evaluate(context, meter))
        except ExpressionError as problem:
            problem.locate(self._source)
            raise

    def render_stable(self, context: Context, meter: Meter | None) -> str:
        """Rendered again until nothing changes."""
        meter = meter or Meter(context.host.settings.limits)
        template, before = self, self.text
        for _ in range(meter.limits.renderings + 1):
            after = template.render_once(context, meter)
            if after == before or "{" not in after:
                return after
            template, before = compile_template(after), after
        raise RenderRecursionError

    def _put_raw_back(self, text: str) -> str:
        for index, raw in enumerate(self._raws):
            text = text.replace(_PLACEHOLDER.format(index), raw)
        return text


def strip_raw(text: str) -> str:
    """Without the tags of raw blocks."""
    return _RAW.sub(lambda match: match[1], text)


def _compile_piece(tree: Tree) -> Callable[[Any], str] | None:
    """The whole template as one function of the context, where it needs nothing but variables."""
    if tree.stateful or not all(isinstance(node, (Text, Print)) for node in tree.body):
        return None
    return compile_piece(tree.body, Scope(tree, PRINTED))


def _compile_text(tree: Tree) -> Callable[[Any, Meter | None], str]:
    start = _prepare(tree, Scope(tree, PRINTED))

    def run(context: Context, meter: Meter | None) -> str:
        pieces: list[str] = []
        state = start(context, meter, pieces.append)
        if len(pieces) == 1:
            return pieces[0]
        state.meter.charge(sum(map(len, pieces)))
        return "".join(pieces)

    return run


def _compile_typed(tree: Tree) -> Callable[[Context, Meter | None], Value]:
    start = _prepare(tree, Scope(tree, PRINTED, typed=True))

    def run(context: Context, meter: Meter | None) -> Value:
        values: list[Value] = []
        start(context, meter, values.append)
        return concatenated(values)

    return run


def _prepare(tree: Tree, scope: Scope) -> Callable[[Context, Meter | None, Any], State]:
    found = Definitions()
    body: Sequence[Any] = compile_body(tree.body, scope, found)
    macros, blocks = found.macros, found.blocks
    roots = references_of(tree).variables if tree.changes_lists else frozenset()

    def start(context: Context, meter: Meter | None, out: Callable[[Value], None]) -> State:
        state = state_for(context, meter)
        state.macros, state.blocks, state.roots = macros, blocks, roots
        for statement in body:
            statement(state, out)
        return state

    return start


# The cache: the oldest go first when there are too many, or too much text in them.


class _Cache:
    __slots__ = ("chars", "templates")

    def __init__(self) -> None:
        self.templates: dict[str, Template] = {}
        self.chars = 0

    def add(self, text: str) -> Template:
        template = Template(text)
        if len(text) > _MAX_CACHED_CHARS // 8:
            return template
        self.templates[text] = template
        self.chars += len(text)
        while len(self.templates) > _MAX_TEMPLATES or self.chars > _MAX_CACHED_CHARS:
            oldest = next(iter(self.templates))
            del self.templates[oldest]
            self.chars -= len(oldest)
        return template


_CACHE = _Cache()
_find = _CACHE.templates.get


def compile_template(text: str) -> Template:
    """The template of a text, from the cache if it was compiled before. Raises `ExpressionSyntaxError`."""
    return _find(text) or _CACHE.add(text)


def render(text: str | None, context: Context) -> str | None:
    """Text without `{` comes back as it is."""
    if text is None or "{" not in text:
        return text
    return compile_template(text).render(context)


def render_typed(text: str | None, context: Context) -> Value:
    """A template that is one expression keeps the type of its value."""
    if text is None or "{" not in text:
        return text
    return compile_template(text).render_typed(context)


def render_value(value: Value, context: Context) -> Value:
    """Texts inside maps (keys too) and lists are rendered, other values stay."""
    if isinstance(value, str):
        return render(value, context)

    def leaf(item: Value) -> Value:
        return render(item, context) if isinstance(item, str) else item

    return LeafMap(leaf, leaf).apply(value)
