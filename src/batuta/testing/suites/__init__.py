"""Suites that every store and every storage has to pass, ours and those of others.

Each case is an async function whose name says what must hold and whose argument is a fresh store or storage; it raises
`AssertionError` with the difference. `cases` lists those of a module:

    @pytest.mark.parametrize("case", cases(turns, queues), ids=lambda case: case.__name__)
    async def test_store(case):
        await case(await MyStore.open(...))
"""

import inspect
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

Case = Callable[[Any], Awaitable[None]]


def cases(*modules: ModuleType) -> list[Case]:
    """The public async functions that the modules define, in the order of the text."""
    return [
        function
        for module in modules
        for name, function in vars(module).items()
        if inspect.iscoroutinefunction(function)
        and not name.startswith("_")
        and function.__module__ == module.__name__
    ]
