"""How much of a turn an execution may take."""

from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.server.executor.turn.share import ALONE, BESIDE, LATELY, Crowd, Share

ONE, OTHER = ExecutionId("one"), ExecutionId("other")


def events(share: Share) -> int:
    count = 0
    while share.take():
        count += 1
    return count


def test_a_share_ends() -> None:
    share = Share(2)
    assert (share.take(), bool(share), share.take(), bool(share), share.take()) == (
        True,
        True,
        True,
        False,
        False,
    )


def test_an_execution_that_has_been_alone_for_a_while_gets_more() -> None:
    crowd = Crowd()
    began = Instant(LATELY)
    crowd.note([ONE], now=began)
    assert events(crowd.share(now=began)) == BESIDE
    later = Instant(began + LATELY + 1)
    crowd.note([ONE], now=later)
    assert events(crowd.share(now=later)) == ALONE


def test_another_one_makes_everybody_share() -> None:
    crowd = Crowd()
    crowd.note([ONE], now=Instant(LATELY))
    later = Instant(3 * LATELY)
    crowd.note([ONE, OTHER], now=later)
    assert events(crowd.share(now=later)) == BESIDE
