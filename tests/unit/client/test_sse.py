"""Events out of bytes, in whatever pieces they come."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pixelmill.client.sse import Message, Parser

STREAM = (
    b"retry: 2000\n\n"
    b":\n\n"
    b'id: 1\ndata: {"event":"a"}\n\n'
    b"id: 2\r\nevent: named\r\ndata: one\r\ndata: two\r\n\r\n"
    b"id: 3\rdata:\xc3\xa9\r\r"
    b"data: the id stays\n\n"
    b"id: 4\ndata: cut off\n"
)
MESSAGES = [
    Message("1", "message", '{"event":"a"}'),
    Message("2", "named", "one\ntwo"),
    Message("3", "message", "é"),
    Message("3", "message", "the id stays"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_the_pieces_make_no_difference(cuts: list[int]) -> None:
    parser = Parser()
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [message for start, end in pairwise(edges) for message in parser.feed(STREAM[start:end])]
    assert found == MESSAGES


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(data: bytes) -> None:
    for message in Parser().feed(data):
        assert message.data is not None


def test_the_place_moves_with_what_is_whole_and_by_an_id_alone() -> None:
    parser = Parser()
    assert [*parser.feed(b"id: 1\ndata: a\n\n")] == [Message("1", "message", "a")]
    assert ([*parser.feed(b"id: 2\ndata: b\n")], parser.place) == ([], "1")
    assert [*parser.feed(b"\n")] == [Message("2", "message", "b")]
    assert ([*parser.feed(b"id: 3-1.2\n\n")], parser.place) == ([], "3-1.2")
