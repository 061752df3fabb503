"""How commands are put together (06 §1.2)."""

from typing import Any

import pytest

from batuta.plugins.script.command import assemble, render_list, render_map
from batuta.sdk import PropertyError

SHELL = ["/bin/sh", "-c"]


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (
            {"interpreter": SHELL, "before": [], "commands": ["a", "b"], "fail_fast": True},
            ("/bin/sh", "-c", "set -e\na\nb"),
        ),
        (
            {"interpreter": SHELL, "before": ["x"], "commands": ["a"], "fail_fast": False},
            ("/bin/sh", "-c", "x\na"),
        ),
        (
            {"interpreter": [], "before": [], "commands": ["ls", "-l"], "fail_fast": True},
            ("ls", "-l"),
        ),
        (
            {
                "interpreter": SHELL,
                "before": [],
                "commands": ["a"],
                "fail_fast": True,
                "target_os": "WINDOWS",
            },
            ("/bin/sh", "-c", "\r\na"),
        ),
        (
            {
                "interpreter": ["pwsh", "-Command"],
                "before": [],
                "commands": ["a"],
                "fail_fast": True,
            },
            ("pwsh", "-Command", "$ErrorActionPreference = 'Stop'\na"),
        ),
    ],
)
def test_commands_share_one_shell_unless_there_is_none(
    arguments: dict[str, Any], command: tuple[str, ...]
) -> None:
    assert assemble(**arguments) == command


def render(value: Any) -> Any:
    """`{{ x }}` is replaced as the test wants it."""
    if isinstance(value, str):
        return value.replace("{{ list }}", '["p", 1]').replace("{{ map }}", '{"K": "v", "N": null}')
    if isinstance(value, dict):
        return {render(key): render(item) for key, item in value.items()}
    return [render(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        (None, []),
        (["a", 1, None, {"k": [1]}], ["a", "1", '{"k":[1]}']),
        ("{{ list }}", ["p", "1"]),
        ('["a", "{{ list }}"]', ["a", '["p", 1]']),
        ("", []),
    ],
)
def test_a_list_may_be_one_expression(raw: Any, texts: list[str]) -> None:
    assert render_list(raw, render, name="commands") == texts


@pytest.mark.parametrize("raw", ["echo one", "a-{{ list }}", '{"a": 1}', {"a": 1}])
def test_a_text_is_no_list(raw: Any) -> None:
    with pytest.raises(PropertyError, match="commands: expected"):
        render_list(raw, render, name="commands")


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        (None, {}),
        ({"A": 5, "B": True, "C": ["x"], "D": None}, {"A": "5", "B": "true", "C": '["x"]'}),
        ("{{ map }}", {"K": "v"}),
    ],
)
def test_a_map_may_be_one_expression(raw: Any, texts: dict[str, str]) -> None:
    assert render_map(raw, render, name="env") == texts
