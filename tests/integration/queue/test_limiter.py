from __future__ import annotations

import asyncio

import redis

from pixelmill.queue import Limiter, Quota

FIVE = Quota("requests", 5, 3600)


async def test_processes_count_together(valkey_url: str) -> None:
    one, other = Limiter(valkey_url), Limiter(valkey_url)
    found = [await limiter.take(FIVE, "key:1") for limiter in (one, other) * 3]
    assert [standing.granted for standing in found] == [True] * 5 + [False]
    assert [standing.remaining for standing in found] == [4, 3, 2, 1, 0, 0]
    assert 1 <= found[-1].wait <= 2 * FIVE.seconds
    assert (await one.take(FIVE, "key:2")).granted
    assert (await one.take(Quota("bytes", 5, 3600), "key:1")).granted
    await one.close()
    await other.close()


async def test_what_does_not_fit_costs_nothing(valkey_url: str) -> None:
    limiter = Limiter(valkey_url)
    assert (await limiter.take(FIVE, "a", 4)).remaining == 1
    refused = await limiter.take(FIVE, "a", 2)
    assert (refused.granted, refused.remaining) == (False, 1)
    assert (await limiter.take(FIVE, "a", 1)).granted
    assert not (await limiter.take(FIVE, "b", 6)).granted
    assert (await limiter.take(FIVE, "b", 5)).granted
    await limiter.close()


async def test_at_once_no_more_than_the_quota(valkey_url: str) -> None:
    limiter = Limiter(valkey_url)
    found = await asyncio.gather(*(limiter.take(FIVE, "a") for _ in range(30)))
    assert sum(standing.granted for standing in found) == 5
    await limiter.close()


async def test_what_is_counted_goes_away(valkey_url: str) -> None:
    limiter = Limiter(valkey_url, "pictures")
    await limiter.take(Quota("requests", 5, 60), "a")
    with redis.Redis.from_url(valkey_url) as client:
        found = list(client.scan_iter("pixelmill:pictures:limits*"))
        assert found
        assert all(0 < client.ttl(key) <= 120 for key in found)
    await limiter.close()


async def test_alone_when_the_server_is_away() -> None:
    limiter = Limiter("redis://127.0.0.1:1")
    assert [(await limiter.take(FIVE, "a")).granted for _ in range(6)] == [True] * 5 + [False]
    await limiter.close()
