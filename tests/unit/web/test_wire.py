"""State objects and events as the API writes them (03 §5, §6.5)."""

import pytest

from batuta.model.instant import Instant
from batuta.model.state import History, State
from batuta.web.respond import attachment
from batuta.web.stream import sse_event
from batuta.web.wire.state import state_wire

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("states", "duration", "ends"),
    [
        ([State.CREATED], "PT10S", False),
        ([State.CREATED, State.RUNNING], "PT1S", False),
        ([State.CREATED, State.RUNNING, State.PAUSED], "PT2S", True),
        ([State.CREATED, State.RUNNING, State.SUCCESS], "PT2S", True),
    ],
)
def test_duration_and_dates_follow_from_the_history(
    states: list[State], duration: str, ends: bool
) -> None:
    histories = tuple(History(state, Instant(index * SECOND)) for index, state in enumerate(states))
    wire = state_wire(histories, Instant(10 * SECOND))
    assert wire["duration"] == duration
    assert wire["startDate"] == "1970-01-01T00:00:00Z"
    assert ("endDate" in wire) is ends


def test_an_event_is_an_id_and_one_line_of_data() -> None:
    assert sse_event("start", {"a": "b\nc"}) == b'id: start\ndata: {"a":"b\\nc"}\n\n'


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.csv", "a b.csv"),
        ('x";\r\nset-cookie: a', "x____set-cookie_ a"),
        ("ünï.txt", "_n_.txt"),
        ("", "file"),
    ],
)
def test_names_of_downloads_cannot_break_the_header(name: str, header: str) -> None:
    response = attachment(b"", name)
    assert response.headers["content-disposition"] == f'attachment; filename="{header}"'
