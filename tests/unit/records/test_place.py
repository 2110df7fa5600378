"""The place of a reader of the whole log: whatever the order of commits, no event is missed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pixelmill.records.events import MOST_GAPS, Place


def unseen(place: Place, id: int) -> bool:
    return id > place.last or any(first <= id <= last for first, last in place.gaps)


@given(st.permutations(range(1, 30)), st.data())
def test_each_event_is_told_once_in_whatever_order_they_are_committed(order: list[int], data: st.DataObject) -> None:
    committed: set[int] = set()
    place, told = Place(0), []
    while order or any(unseen(place, id) for id in committed):
        new = data.draw(st.integers(1, 5)) if order else 0
        committed |= {order.pop() for _ in range(min(new, len(order)))}
        for id in sorted(id for id in committed if unseen(place, id)):
            place = place.after(id)
            told.append(id)
        place = Place.read(str(place)) or Place(0)
    assert sorted(told) == list(range(1, 30))
    assert place == Place(29)


@given(st.sets(st.integers(1, 2_000), max_size=300))
def test_its_length_is_bounded_and_nothing_is_taken_for_seen(ids: set[int]) -> None:
    place = Place(0)
    for id in sorted(ids):
        place = place.after(id)
    assert len(place.gaps) <= MOST_GAPS
    assert all(unseen(place, id) for id in range(1, place.last) if id not in ids)


def test_what_cannot_come_any_more_is_not_waited_for() -> None:
    place = Place(0).after(5).after(10)
    assert place.gaps == ((1, 4), (6, 9))
    assert place.settled(7).gaps == ((8, 9),)
    assert place.settled(9).gaps == ()


def test_what_is_no_place_is_none() -> None:
    long = "1" + "-1.1" * (MOST_GAPS + 1)
    for text in ("", "x", "1-", "1-2", "1-2.x", "-1", "9" * 19, long, "\N{ARABIC-INDIC DIGIT ONE}"):
        assert Place.read(text) is None
    assert Place.read("7-1.2-4.4") == Place(7, ((1, 2), (4, 4)))
