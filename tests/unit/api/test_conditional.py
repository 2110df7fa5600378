from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.api.conditional import byte_range, not_modified

ETAG = '"abc"'


@pytest.mark.parametrize("asked", ['"abc"', 'W/"abc"', '"x", "abc"', 'W/"x",W/"abc"', "*", ' "abc" '])
def test_a_tag_that_is_named_is_not_modified(asked: str) -> None:
    assert not_modified({"if-none-match": asked}, ETAG)
    assert not_modified({"if-none-match": asked}, f"W/{ETAG}")


@pytest.mark.parametrize("asked", ["", "abc", '"ab"', '"abcd"', '"x", "y"'])
def test_another_tag_is_modified(asked: str) -> None:
    assert not not_modified({"if-none-match": asked}, ETAG)
    assert not not_modified({}, ETAG)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 10)),
        ("bytes=3-", (3, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-300", (0, 10)),
        ("BYTES= 2 - 4 ", (2, 5)),
        # Malformed, of another unit, or several: the whole.
        ("bytes=4-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
        ("bytes=1", None),
        ("", None),
    ],
)
def test_a_range(asked: str, part: tuple[int, int] | None) -> None:
    assert byte_range({"range": asked}, ETAG, 10) == part


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_a_range_that_does_not_exist(asked: str) -> None:
    with pytest.raises(IndexError):
        byte_range({"range": asked}, ETAG, 10)


def test_a_range_of_another_version_is_the_whole() -> None:
    assert byte_range({"range": "bytes=0-1", "if-range": ETAG}, ETAG, 10) == (0, 2)
    assert byte_range({"range": "bytes=0-1", "if-range": '"old"'}, ETAG, 10) is None
    # A weak tag never matches (RFC 9110 §13.1.5).
    assert byte_range({"range": "bytes=0-1", "if-range": f"W/{ETAG}"}, ETAG, 10) is None


@given(st.text(max_size=30), st.integers(0, 100))
def test_any_range_is_within_the_bytes(asked: str, size: int) -> None:
    for value in (asked, f"bytes={asked}"):
        try:
            part = byte_range({"range": value}, ETAG, size)
        except IndexError:
            continue
        assert part is None or 0 <= part[0] < part[1] <= size
