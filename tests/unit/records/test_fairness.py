from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pixelmill.queue.protocol import LARGEST_PRIORITY
from pixelmill.records.fairness import LOWEST, rank

counts = st.integers(0, 10**7)
priorities = st.integers(0, LOWEST)


@given(priorities, counts, counts)
def test_every_number_is_one_that_the_queue_has(priority: int, ahead: int, position: int) -> None:
    assert 0 <= rank(priority, ahead=ahead, position=position) <= LARGEST_PRIORITY


def test_the_ends() -> None:
    assert rank(0, ahead=9, position=9) == 0
    assert rank(LOWEST, ahead=10**6, position=10**6) == LARGEST_PRIORITY


@given(priorities, priorities, counts, counts)
def test_one_photo_goes_before_the_bulk_of_another_whatever_their_priorities(
    mine: int, theirs: int, ahead: int, position: int
) -> None:
    bulk = rank(theirs, ahead=10 + ahead, position=position)
    assert rank(mine, ahead=0, position=0) < bulk


@given(priorities, counts, st.integers(0, 9))
def test_one_photo_goes_before_another_batch_of_the_same_owner(priority: int, ahead: int, position: int) -> None:
    single, bulk = rank(priority, ahead=ahead, position=position), rank(priority, ahead=ahead, position=10 + position)
    assert single < bulk


@given(priorities, priorities, counts, counts, counts)
def test_a_priority_orders_what_an_owner_sent(one: int, other: int, ahead: int, first: int, second: int) -> None:
    low, high = sorted((one, other))
    if low != high:
        assert rank(low, ahead=ahead, position=first) < rank(high, ahead=ahead, position=second)
