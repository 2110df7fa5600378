from __future__ import annotations

import asyncio
import random
import time

import pytest
import redis

from pixelmill.queue import Limiter, Quota, Standing, limits
from pixelmill.queue.limits import Own

FIVE = Quota("requests", 5, 3600)
MANY = Quota("bytes", 100, 3600)


async def take(limiter: Limiter, quota: Quota, who: str, cost: int = 1) -> Standing:
    (standing,) = await limiter.take(who, (quota, cost))
    return standing


async def test_processes_count_together(valkey_url: str) -> None:
    one, other = Limiter(valkey_url), Limiter(valkey_url)
    found = [await take(limiter, FIVE, "key:1") for limiter in (one, other) * 3]
    assert [standing.granted for standing in found] == [True] * 5 + [False]
    assert [standing.remaining for standing in found] == [4, 3, 2, 1, 0, 0]
    assert 1 <= found[-1].wait <= 2 * FIVE.seconds
    assert (await take(one, FIVE, "key:2")).granted
    assert (await take(one, Quota("bytes", 5, 3600), "key:1")).granted
    await one.close()
    await other.close()


async def test_what_does_not_fit_costs_nothing(valkey_url: str) -> None:
    limiter = Limiter(valkey_url)
    assert (await take(limiter, FIVE, "a", 4)).remaining == 1
    refused = await take(limiter, FIVE, "a", 2)
    assert (refused.granted, refused.remaining) == (False, 1)
    assert (await take(limiter, FIVE, "a", 1)).granted
    assert not (await take(limiter, FIVE, "b", 6)).granted
    assert (await take(limiter, FIVE, "b", 5)).granted
    await limiter.close()


async def test_at_once_no_more_than_the_quota(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 60)  # a busy machine is not a server away
    limiter = Limiter(valkey_url)
    found = await asyncio.gather(*(take(limiter, FIVE, "a") for _ in range(30)))
    assert sum(standing.granted for standing in found) == 5
    await limiter.close()


async def test_what_is_counted_goes_away(valkey_url: str) -> None:
    limiter = Limiter(valkey_url, "pictures")
    await take(limiter, Quota("requests", 5, 60), "a")
    with redis.Redis.from_url(valkey_url) as client:
        found = list(client.scan_iter("pixelmill:pictures:limits*"))
        assert found
        assert all(0 < client.ttl(key) <= 120 for key in found)
    await limiter.close()


async def test_a_clock_that_is_set_back_refuses_nobody(valkey_url: str) -> None:
    """Found by chaos: the window began nineteen hours ahead, so that fifty requests before it weighed as 60,000."""
    limiter, minute = Limiter(valkey_url), Quota("requests", 1000, 60)
    await take(limiter, minute, "a")
    with redis.Redis.from_url(valkey_url) as client:
        (key,) = client.scan_iter("pixelmill:*:limits:requests:a")
        client.hset(key, mapping={"start": time.time() + 70_000, "previous": 100, "current": 5})
    await limiter.close()
    limiter = Limiter(valkey_url)
    standing = await take(limiter, minute, "a")
    assert (standing.granted, standing.remaining, standing.reset) == (True, 894, 60)
    assert (await take(limiter, minute, "a", 500)).granted
    assert not (await take(limiter, minute, "a", 500)).granted
    await limiter.close()


async def test_alone_when_the_server_is_away() -> None:
    limiter = Limiter("redis://127.0.0.1:1")
    assert [(await take(limiter, FIVE, "a")).granted for _ in range(6)] == [True] * 5 + [False]
    await limiter.close()


async def test_several_quotas_at_once(valkey_url: str) -> None:
    limiter = Limiter(valkey_url)
    assert [one.remaining for one in await limiter.take("a", (FIVE, 4), (MANY, 90))] == [1, 10]
    first, second = await limiter.take("a", (FIVE, 1), (MANY, 11))
    assert (first.granted, first.remaining, second.granted, second.remaining) == (True, 0, False, 10)
    (refused,) = await limiter.take("a", (FIVE, 1), (MANY, 10))
    assert not refused.granted
    assert (await take(limiter, MANY, "a", 0)).remaining == 10
    await limiter.close()


async def test_a_process_alone_counts_as_the_server_does(valkey_url: str) -> None:
    limiter, own, dice = Limiter(valkey_url), Own(), random.Random(7)
    for _ in range(200):
        wanted = [(FIVE, dice.randint(0, 2)), (MANY, dice.choice([0, 1, 30, 10**18]))]
        who = dice.choice("abcde")
        theirs, ours = await limiter.take(who, *wanted), own.take(who, wanted, 0.0)
        assert [(one.granted, one.remaining) for one in theirs] == [(one.granted, one.remaining) for one in ours]
    await limiter.close()


PLENTY = Quota("requests", 100_000, 3600)


def asked(valkey_url: str) -> int:
    """How often a script was called on this server so far."""
    with redis.Redis.from_url(valkey_url) as client:
        found = client.info("commandstats")
    assert isinstance(found, dict)
    return int(found.get("cmdstat_evalsha", {"calls": 0})["calls"])


async def left(valkey_url: str, *quotas: Quota) -> list[int]:
    """What the server says is left for ``a``."""
    limiter = Limiter(valkey_url)
    found = await limiter.take("a", *((quota, 0) for quota in quotas))
    await limiter.close()
    return [standing.remaining for standing in found]


async def test_far_from_the_quota_a_process_need_not_ask(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOLD", 3600)
    one, other = Limiter(valkey_url), Limiter(valkey_url)
    await take(one, PLENTY, "a")
    before = asked(valkey_url)
    found = [(await take(one, PLENTY, "a")).remaining for _ in range(100)]
    assert found == list(range(99_998, 99_898, -1))
    assert asked(valkey_url) == before
    # Another process does not know of these yet. A part too large, and other limits, are asked for.
    assert (await take(other, PLENTY, "a", 0)).remaining == 99_999
    assert (await take(one, PLENTY, "a", 5_000)).remaining == 94_899
    assert (await take(one, Quota("requests", 50, 3600), "a")).granted is False
    await take(one, PLENTY, "a", 99)
    await one.close()
    await other.close()
    assert await left(valkey_url, PLENTY) == [94_800]


async def test_what_was_used_unasked_is_told_soon(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOLD", 0.02)
    one, other = Limiter(valkey_url), Limiter(valkey_url)
    await take(one, PLENTY, "a")
    for _ in range(20):
        await take(one, PLENTY, "a")
    async with asyncio.timeout(30):
        while (await take(other, PLENTY, "a", 0)).remaining > 99_979:
            await asyncio.sleep(0.01)
        while one._telling is not None and not one._telling.done():
            await asyncio.sleep(0.01)
    await one.close()
    await other.close()


async def test_the_quota_is_held(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one process to the unit; by several but for what they were lent at the time."""
    monkeypatch.setattr(limits, "HOLD", 3600)
    thousand = Quota("requests", 1000, 3600)
    alone = Limiter(valkey_url)
    found = [(await take(alone, thousand, "a")).granted for _ in range(1010)]
    assert found == [True] * 1000 + [False] * 10
    several = [Limiter(valkey_url) for _ in range(3)]
    granted = 0
    for number in range(1100):
        granted += (await take(several[number % 3], thousand, "b")).granted
    assert 1000 <= granted <= 1000 + 3 * 1000 // 128
    for limiter in (alone, *several):
        await limiter.close()


async def test_what_could_not_be_told_is_forgotten(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may have heard it, and only its answer was lost."""
    monkeypatch.setattr(limits, "HOLD", 3600)
    limiter = Limiter(valkey_url)
    for _ in range(10):
        await take(limiter, PLENTY, "a")
    script = limiter._script

    async def unheard(**told: object) -> None:
        await script(**told)
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(limiter, "_script", unheard)
    assert (await take(limiter, PLENTY, "a", 5_000)).granted  # by its own count
    monkeypatch.setattr(limiter, "_script", script)
    await limiter.close()
    assert await left(valkey_url, PLENTY) == [94_990]


async def test_what_was_used_is_told_with_what_is_refused(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOLD", 3600)
    bytes_ = Quota("bytes", 100_000, 3600)
    limiter = Limiter(valkey_url)
    for _ in range(10):
        await limiter.take("a", (PLENTY, 1), (bytes_, 1))
    (refused,) = await limiter.take("a", (PLENTY, 1_000_000), (bytes_, 1))
    assert (refused.granted, refused.remaining) == (False, 99_990)
    await limiter.close()
    assert await left(valkey_url, PLENTY, bytes_) == [99_990] * 2
