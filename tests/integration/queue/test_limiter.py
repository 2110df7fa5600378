from __future__ import annotations

import asyncio
import random

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
