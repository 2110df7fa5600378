from __future__ import annotations

import asyncio
import json
import signal
import time

import pytest
import redis.asyncio as redis

from pixelmill.errors import PixelmillError
from pixelmill.queue import Done, Foreign, Job, Queue
from pixelmill.queue.client import connect
from tests.queues import Private, counted, until, working


async def test_a_job_is_added_once(queue: Queue) -> None:
    jobs = [Job("a", 1), Job("b", 1, priority=3), Job("c", 1, delay=60)]
    await queue.add([*jobs, jobs[0]])
    await queue.add(jobs)
    assert await counted(queue, waiting=1, prioritized=1, delayed=1)
    assert await queue.known([*jobs, Job("a", 2)]) == [True, True, True, False]


async def test_nothing_is_nothing(queue: Queue) -> None:
    await queue.add([])
    await queue.remove([])
    assert await queue.known([]) == []
    assert await counted(queue)


async def test_many_are_added_in_a_few_round_trips(queue: Queue, server: Private) -> None:
    await queue.add([Job("first", 1)])  # the scripts are known from here on
    async with connect(server.url) as client:
        before = (await client.info("stats"))["total_reads_processed"]
        await queue.add([Job(f"image{number}", 1) for number in range(100)])
        after = (await client.info("stats"))["total_reads_processed"]
    assert await counted(queue, waiting=101)
    # A batch of 100 KB is read in a few pieces, and INFO itself is two: far from one a job.
    assert after - before < 20


async def test_a_server_that_forgot_the_scripts_is_told_again(queue: Queue, server: Private) -> None:
    await queue.add([Job("a", 1)])
    async with connect(server.url) as client:
        await client.script_flush()
    await queue.add([Job("b", 1), Job("c", 1, priority=1)])
    async with connect(server.url) as client:
        await client.script_flush()
    await queue.remove([Job("a", 1)])
    assert await counted(queue, waiting=1, prioritized=1)


async def test_what_stands_in_redis_is_bullmqs(queue: Queue, server: Private) -> None:
    await queue.add([Job("a", 7, priority=2)])
    async with connect(server.url) as client:
        kept = await client.hgetall("bull:images:a-7")
    assert kept["name"] == "process"
    assert json.loads(kept["data"]) == {"imageId": "a", "generation": 7}
    assert json.loads(kept["opts"])["attempts"] == 1
    assert kept["priority"] == "2"


async def test_known_in_every_state(queue: Queue) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def handler(job: Job | Foreign) -> Done:
        begun.set()
        await go.wait()
        return Done()

    await queue.add([Job("a", 1)])
    async with working(queue, handler):
        await begun.wait()
        assert await counted(queue, active=1)
        assert await queue.known([Job("a", 1)]) == [True]
        await queue.remove([Job("a", 1)])  # a worker holds it
        assert await queue.known([Job("a", 1)]) == [True]
        go.set()
        await until(lambda: counted(queue, completed=1))
    assert await queue.known([Job("a", 1)]) == [False]


async def test_removed_from_every_state(queue: Queue) -> None:
    jobs = [Job("a", 1), Job("b", 1, priority=3), Job("c", 1, delay=60)]
    await queue.add(jobs)
    await queue.remove([*jobs, Job("never", 1)])
    assert await counted(queue)
    assert await queue.known(jobs) == [False] * 3
    await queue.add(jobs)
    assert await queue.known(jobs) == [True] * 3


async def test_pause_and_resume(queue: Queue) -> None:
    seen: list[Job | Foreign] = []

    async def handler(job: Job | Foreign) -> Done:
        seen.append(job)
        return Done()

    await queue.pause()
    assert await queue.paused()
    await queue.add([Job("a", 1)])
    async with working(queue, handler):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await until(lambda: seen)
        await queue.resume()
        assert not await queue.paused()
        await until(lambda: seen)


async def test_the_sentinel_tells_of_lost_data(queue: Queue, server: Private) -> None:
    assert [await queue.sentinel() for _ in range(3)] == [False, True, True]
    async with connect(server.url) as client:
        await client.flushall()
    assert [await queue.sentinel() for _ in range(2)] == [False, True]


async def test_a_server_that_is_down_is_said_quickly(queue: Queue, server: Private) -> None:
    assert await queue.ping()
    server.kill()
    for call in (queue.add([Job("a", 1)]), queue.known([Job("a", 1)]), queue.counts(), queue.sentinel()):
        with pytest.raises(PixelmillError) as caught:
            await call
        assert caught.value.code == "unavailable"
    assert not await queue.ping()
    queue.ring(["b"])
    await server.start()
    await queue.add([Job("a", 1)])
    assert await queue.known([Job("a", 1)]) == [True]


async def test_a_server_that_hangs_is_not_waited_for(queue: Queue, server: Private) -> None:
    await queue.add([Job("a", 1)])
    server.send(signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(PixelmillError):
                await queue.add([Job("b", 1)])
            assert not await queue.ping()
    finally:
        server.send(signal.SIGCONT)
    await queue.add([Job("c", 1)])
    assert await queue.known([Job("c", 1)]) == [True]
    assert await queue.counts()  # and the answer is to this question, not a late one to another


async def test_redis_over_tcp_is_the_same(valkey_url: str) -> None:
    queue = Queue(valkey_url, "others")
    await queue.add([Job("a", 1)])
    assert await counted(queue, waiting=1)
    beside = Queue(valkey_url, "images")
    assert await counted(beside)
    await beside.close()
    await queue.close()


async def test_bells_ring_together(queue: Queue) -> None:
    bells = queue.bells()
    assert await anext(bells) is None
    queue.ring(["a", "b"])
    queue.ring([])
    queue.ring(["b", "c"])
    heard: set[str] = set()
    while heard != {"a", "b", "c"}:
        rung = await anext(bells)
        assert rung
        heard |= rung
    await bells.aclose()


async def test_bells_are_few_however_often_they_are_rung(queue: Queue, server: Private) -> None:
    before = time.monotonic()
    for number in range(300):
        queue.ring([str(number)])
        await asyncio.sleep(0.001)
    await queue.close()  # what has not rung yet rings now
    most = (time.monotonic() - before) / 0.1 + 2  # the first at once, then one each tenth of a second
    async with connect(server.url) as client:
        rung = (await client.info("commandstats"))["cmdstat_publish"]["calls"]
    assert 1 <= rung <= most


async def test_bells_survive_the_server(queue: Queue, server: Private) -> None:
    bells = queue.bells()
    assert await anext(bells) is None
    server.kill()
    assert await anext(bells) is None  # the connection is lost
    assert await anext(bells) is None  # still away
    await server.start()
    assert await anext(bells) is None  # back, look yourself
    heard = asyncio.ensure_future(anext(bells))
    while not heard.done():  # a bell rung before the subscription is back is not heard
        queue.ring(["a"])
        await asyncio.wait({heard}, timeout=0.05)
        if heard.done() and heard.result() is None:
            heard = asyncio.ensure_future(anext(bells))
    assert heard.result() == {"a"}
    await bells.aclose()


async def test_the_eviction_policy_is_known(queue: Queue, server: Private) -> None:
    assert await queue.eviction_policy() == "noeviction"
    async with connect(server.url) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
    assert await queue.eviction_policy() == "allkeys-lru"


async def test_a_client_of_another_sort_reads_the_same_keys(queue: Queue, server: Private) -> None:
    """The wire is BullMQ's, so its own queue sees our jobs."""
    from bullmq import Queue as BullQueue

    async with redis.Redis.from_url(server.url, decode_responses=True) as client:
        theirs = BullQueue("images", {"connection": client})
        await queue.add([Job("a", 1)])
        assert [job.id for job in await theirs.getWaiting()] == ["a-1"]
        await theirs.close()


async def test_each_urgent_job_wakes_a_full_worker(queue: Queue, server: Private) -> None:
    await queue.add([Job("first", 1, priority=3)])  # the scripts are known from here on
    async with connect(server.url) as client:
        await queue.add([*(Job(f"photo{number}", 1) for number in range(3)), Job("bulk", 1, priority=3)])
        assert await client.llen(queue._door) == 3
        assert [await queue.knock(client, 60) for _ in range(3)] == [True, True, True]


async def test_a_knock_that_nobody_heard_is_not_the_last_word(queue: Queue, server: Private) -> None:
    """It lives for a second: whoever looks later finds the job all the same."""
    async with connect(server.url) as client:
        assert not await queue.knock(client, 0.01)
        await queue.add([Job("photo", 1)])
        await client.delete(queue._door)
        assert await queue.knock(client, 0.01)
