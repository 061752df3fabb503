"""Tokens of a template to a tree: recursive descent over texts and tags (02 §1.7)."""

from collections.abc import Callable

from batuta.expr.errors import ExpressionSyntaxError, RuntimeFaultError
from batuta.expr.syntax import nodes
from batuta.expr.syntax.expressions import MAX_DEPTH, ExpressionParser, Facts
from batuta.expr.syntax.lex import (
    EOF,
    EXECUTE_END,
    NAME,
    PRINT_END,
    PRINT_START,
    STRING,
    TEXT,
    tokenize,
)
from batuta.expr.syntax.nodes import Node


def parse(text: str) -> nodes.Tree:
    """Raises `ExpressionSyntaxError`, or `RuntimeFaultError` where the original fails unwrapped."""
    facts = Facts(one_line="\n" not in text and "\r" not in text)
    body = _TemplateParser(tokenize(text), facts).body(())
    return nodes.Tree(
        tuple(body),
        frozenset(facts.assigned),
        facts.stateful or facts.changes_lists,
        facts.changes_lists,
    )


class _TemplateParser(ExpressionParser):
    __slots__ = ()

    def body(self, stops: tuple[str, ...]) -> list[Node]:
        """Statements up to a tag named in `stops`, which is left as the current token, or the end."""
        tokens = self.tokens
        result: list[Node] = []
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._too_deep()
        while True:
            kind, value, at = tokens[self.index]
            self.index += 1
            if kind is TEXT:
                result.append(nodes.Text(str(value)))
            elif kind is PRINT_START:
                expression = self.expression()
                self._expect(PRINT_END)
                result.append(nodes.Print(expression))
            elif kind is EOF:
                self.index -= 1
                break
            else:
                tag = self._tag_name(at)
                if tag in stops:
                    break
                result.append(self._tag(tag))
        self.depth -= 1
        return result

    def _tag_name(self, at: int) -> str:
        kind, value, _ = self.tokens[self.index]
        if kind is not NAME:
            raise ExpressionSyntaxError("A block must start with a tag name.", at)
        return str(value)

    def _tag(self, tag: str) -> Node:
        reader = _TAGS.get(tag)
        self.facts.stateful = True
        at = self.tokens[self.index][2]
        if reader is None:
            raise ExpressionSyntaxError(f'Unexpected tag name "{tag}"', at)
        self.index += 1
        return reader(self, at)

    def read_if(self, at: int) -> Node:
        branches = []
        otherwise: list[Node] = []
        keyword = "elseif"
        while keyword == "elseif":
            condition = self.expression()
            place = self._place(at)
            self._expect(EXECUTE_END)
            body = self.body(("elseif", "else", "endif"))
            branches.append((condition, tuple(body), place))
            keyword = self._closing_word("endif", at)
            at = self.tokens[self.index][2]
        if keyword == "else":
            self._expect(EXECUTE_END)
            otherwise = self.body(("endif",))
            self._closing_word("endif", at)
        self._expect(EXECUTE_END)
        return nodes.If(tuple(branches), tuple(otherwise))

    def read_for(self, at: int) -> Node:
        variable = self._new_name()
        self.facts.assigned |= {variable, "loop"}
        if self.tokens[self.index][1] != "in":
            self._unexpected(NAME)
        self._expect(NAME)
        iterable = self.expression()
        place = self._place(at)
        self._expect(EXECUTE_END)
        body = self.body(("else", "endfor"))
        otherwise: list[Node] = []
        if self._closing_word("endfor", at) == "else":
            self._expect(EXECUTE_END)
            otherwise = self.body(("endfor",))
            self._closing_word("endfor", at)
        self._expect(EXECUTE_END)
        return nodes.For(variable, iterable, tuple(body), tuple(otherwise), place)

    def read_set(self, _: int) -> Node:
        name = self._new_name()
        self.facts.assigned.add(name)
        self._expect_symbol("=")
        value = self.expression()
        self._expect(EXECUTE_END)
        return nodes.Set(name, value)

    def read_macro(self, at: int) -> Node:
        name = str(self._expect(NAME)[1])
        parameters = self._parameters()
        self._expect(EXECUTE_END)
        body = self.body(("endmacro",))
        self._end_of("endmacro", at)
        if name in self.facts.macros:
            raise RuntimeFaultError(f"More than one macro can not share the same name: {name}", at)
        self.facts.macros.add(name)
        return nodes.Macro(name, parameters, tuple(body), at)

    def read_block(self, at: int) -> Node:
        name = str(self._expect(STRING if self.tokens[self.index][0] is STRING else NAME)[1])
        self._expect(EXECUTE_END)
        body = self.body(("endblock",))
        self._skip_end("endblock", at)
        if self.tokens[self.index][1] == name:
            self.index += 1
        self._expect(EXECUTE_END)
        return nodes.Block(name, tuple(body))

    def read_filter(self, at: int) -> Node:
        chain: Node = nodes.FilterBody()
        while True:
            name = str(self._expect(NAME)[1])
            arguments = self._optional_arguments()
            chain = nodes.Filter(chain, name, arguments, at)
            if self.tokens[self.index][1] != "|":
                break
            self.index += 1
        self._expect(EXECUTE_END)
        body = self.body(("endfilter",))
        self._end_of("endfilter", at)
        return nodes.FilterBlock(chain, tuple(body))

    def _closing_word(self, wanted: str, at: int) -> str:
        kind, value, _ = self.tokens[self.index]
        if kind is EOF:
            raise ExpressionSyntaxError(
                f'Unexpected end of template. Pebble was looking for the "{wanted}" tag', at
            )
        self.index += 1
        return str(value)

    def _skip_end(self, wanted: str, at: int) -> None:
        if self.tokens[self.index][0] is EOF:
            # The original runs into a null pointer here (02 §8, tags).
            raise RuntimeFaultError(f"The tag `{wanted}` is missing", at)
        self.index += 1

    def _end_of(self, wanted: str, at: int) -> None:
        self._skip_end(wanted, at)
        self._expect(EXECUTE_END)


_TAGS: dict[str, Callable[[_TemplateParser, int], Node]] = {
    "if": _TemplateParser.read_if,
    "for": _TemplateParser.read_for,
    "set": _TemplateParser.read_set,
    "macro": _TemplateParser.read_macro,
    "block": _TemplateParser.read_block,
    "filter": _TemplateParser.read_filter,
}
