"""Hypothesis strategies for what travels through the whole system: plain data, and flows as people write them."""

import json
from typing import Any

from hypothesis import strategies as st

TASK_TYPES = (
    ("io.kestra.plugin.core.log.Log", "message"),
    ("io.kestra.plugin.core.debug.Return", "format"),
)
IDS = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,12}", fullmatch=True)
WORDS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="{}<>"), max_size=20
)


def plain_values() -> st.SearchStrategy[Any]:
    """What JSON holds; integers fit 64 bits, floats are finite."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(min_value=-(2**63), max_value=2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | WORDS
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
        max_leaves=12,
    )


@st.composite
def tasks(draw: st.DrawFn, *, ids: st.SearchStrategy[list[str]]) -> list[dict[str, Any]]:
    made = []
    for task_id in draw(ids):
        type_name, text = draw(st.sampled_from(TASK_TYPES))
        made.append({"id": task_id, "type": type_name, text: draw(WORDS)})
    return made


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Any]:
    """A valid flow of leaf tasks, as plain data."""
    ids = st.lists(IDS, min_size=1, max_size=5, unique=True)
    return {
        "id": draw(st.from_regex(r"flow-[a-z]{1,8}", fullmatch=True)),
        "namespace": draw(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,2}", fullmatch=True)),
        "tasks": draw(tasks(ids=ids)),
    }


def flow_sources() -> st.SearchStrategy[str]:
    """The same as text: JSON is YAML."""
    return flows().map(lambda flow: json.dumps(flow, ensure_ascii=False, indent=2))
