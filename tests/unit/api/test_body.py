from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive

from pixelmill.api.body import START, Body, Pace
from pixelmill.errors import PixelmillError

seconds = st.floats(0, 10_000)
sizes = st.integers(0, 10**12)
paces = st.builds(Pace, st.floats(0.1, 100), st.floats(1, 10_000), st.integers(0, 10**6))


@given(paces, seconds, sizes)
def test_nobody_has_longer_than_the_idle_time_or_the_whole(pace: Pace, waited: float, received: int) -> None:
    left = pace.left(waited, received)
    assert left <= pace.idle
    assert left <= pace.total - waited


@given(paces, seconds, sizes, sizes)
def test_who_has_sent_more_has_longer(pace: Pace, waited: float, received: int, more: int) -> None:
    assert pace.left(waited, received + more) >= pace.left(waited, received)


@given(st.integers(1, 10**6), st.floats(START + 1, 10_000))
def test_the_rate_is_the_fewest_bytes_a_second(rate: int, waited: float) -> None:
    pace = Pace(idle=1, total=1e9, rate=rate)
    assert pace.left(waited, int(rate * (waited + 2))) == 1
    assert pace.left(waited, int(rate * (waited - 0.5))) <= 0


def test_a_slow_start_is_no_fault() -> None:
    assert Pace(idle=30, total=3600, rate=1024).left(START - 1, 0) == 1
    assert Pace(idle=30, total=3600, rate=0).left(1000, 0) == 30


def sending(chunks: Sequence[bytes]) -> Receive:
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


EASY = Pace(5, 5, 0)


def watched(receive: Receive, most: int | None = None, pace: Pace = EASY) -> Body:
    return Body(receive, pace, most_bytes=most, charge=None)


@given(st.lists(st.binary(max_size=50), min_size=1), st.integers(0, 500))
async def test_a_body_passes_whole_or_not_at_all(chunks: list[bytes], most: int) -> None:
    body = watched(sending(chunks), most)
    if sum(map(len, chunks)) <= most:
        assert await body.whole() == b"".join(chunks)
        assert body.error is None
    else:
        with pytest.raises(PixelmillError) as caught:
            await body.whole()
        assert caught.value.code == "too-large-request"
        assert body.error is caught.value


async def test_every_byte_is_charged_once() -> None:
    charged = []

    async def charge(size: int) -> None:
        charged.append(size)

    body = Body(sending([b"abc", b"", b"de"]), Pace(5, 5, 0), most_bytes=None, charge=charge)
    await body.whole()
    assert charged == [3, 2]


async def test_silence_ends_it() -> None:
    async def receive() -> Message:
        await asyncio.sleep(3600)
        return {}

    with pytest.raises(PixelmillError) as caught:
        await watched(receive, pace=Pace(0.01, 5, 0)).receive()
    assert caught.value.code == "slow-request"


async def test_after_the_end_one_may_wait_for_the_connection_to_close() -> None:
    closed = asyncio.Event()

    async def receive() -> Message:
        if body.began:
            await closed.wait()
            return {"type": "http.disconnect"}
        body.began = True  # type: ignore[attr-defined]
        return {"type": "http.request", "body": b"a", "more_body": False}

    body = watched(receive, pace=Pace(0.01, 0.01, 0))
    body.began = False  # type: ignore[attr-defined]
    await body.receive()
    waiting = asyncio.create_task(body.receive())  # type: ignore[arg-type]
    await asyncio.wait({waiting}, timeout=0.05)
    closed.set()
    assert (await waiting)["type"] == "http.disconnect"


async def test_a_cut_connection_is_no_whole_body() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(PixelmillError) as caught:
        await watched(receive).whole()
    assert caught.value.code == "bad-request"
