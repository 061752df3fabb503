"""Declarations of filters, functions and tests: name, parameters, sentence, example, code.

The reference page and the test of its examples are made from these declarations.
"""

from collections.abc import Callable
from typing import Any

import msgspec

Code = Callable[..., Any]


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """`parameters=None`: any arguments are taken and ignored, unless `variadic` passes them as a list.

    An argument that is not given arrives as `None`. With `with_state` the code receives the running state first.
    """

    name: str
    parameters: tuple[str, ...] | None
    code: Code
    summary: str
    template: str
    result: str
    required: tuple[str, ...] = ()
    """Parameters that must be given, be it as null."""
    variadic: bool = False
    with_state: bool = False
    catches_missing: bool = False
    """A missing variable in the input counts as null."""
    changes_list: bool = False
    """Works in place on a list: the code returns the new items."""

    @property
    def signature(self) -> str:
        if self.parameters is None:
            return f"{self.name}(…)" if self.variadic else self.name
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(self.parameters)})"


Table = dict[str, Definition]


class Registry:
    """One kind of declarations, filled by decorators at import."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.table: Table = {}

    def __call__(
        self,
        name: str,
        *parameters: str,
        template: str,
        result: str,
        plain: bool = False,
        required: tuple[str, ...] = (),
        **options: bool,
    ) -> Callable[[Code], Code]:
        """`plain`: no parameters are declared, arguments are ignored. The summary is the docstring's first line."""

        def register(code: Code) -> Code:
            definition = Definition(
                name=name,
                parameters=None if plain or options.get("variadic") else parameters,
                code=code,
                summary=(code.__doc__ or "").strip().split("\n")[0],
                template=template,
                result=result,
                required=required,
                **options,
            )
            self.table[name] = definition
            return code

        return register


FILTERS = Registry("Filters")
FUNCTIONS = Registry("Functions")
TESTS = Registry("Tests")
