"""Workers and servers that die at any moment. What was acknowledged stays, what was not comes again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

from pixelmill.queue import Done, Foreign, Job, Queue
from pixelmill.queue.client import connect
from pixelmill.queue.job import Outcome
from tests import servers
from tests.queues import Private, counted, until, working

HOLDER = """
import asyncio, sys
from pixelmill.queue import Queue, Slots, Worker

async def hold(job):
    print(job.id, flush=True)
    await asyncio.Event().wait()

async def main():
    await Worker(Queue(sys.argv[1]), hold, slots=Slots(2), lock_seconds=1.5, scan_seconds=0.5).run()

asyncio.run(main())
"""


async def test_what_a_killed_worker_held_goes_to_another(queue: Queue, server: Private) -> None:
    jobs = [Job("a", 1), Job("b", 1)]
    await queue.add(jobs)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, server.url],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=servers.die_with_parent,
    )
    assert holder.stdout
    assert {holder.stdout.readline().strip() for _ in jobs} == {"a-1", "b-1"}
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    seen: list[Job | Foreign] = []

    async def handler(job: Job | Foreign) -> Outcome:
        seen.append(job)
        return Done()

    async with working(queue, handler, lock_seconds=1.5, scan_seconds=0.5):
        await until(lambda: counted(queue, completed=2))
    assert Counter(seen) == Counter(jobs)
    assert not any(job.retried for job in seen)


async def test_a_job_may_stall_any_number_of_times(queue: Queue, server: Private) -> None:
    """BullMQ gives up after one; here SQL alone says when it is enough."""
    await queue.add([Job("a", 1)])
    async with connect(server.url) as client:
        await client.hset("bull:images:a-1", "stc", "50")
        await client.rpoplpush("bull:images:wait", "bull:images:active")  # a worker took it, and is gone
    done = asyncio.Event()

    async def handler(job: Job | Foreign) -> Outcome:
        done.set()
        return Done()

    async with working(queue, handler, scan_seconds=0.1):
        await done.wait()
        await until(lambda: counted(queue, completed=1))


async def test_the_server_is_killed_again_and_again(queue: Queue, server: Private) -> None:
    """Every acknowledged job is done; the worker goes on by itself each time."""
    total = 150
    done: Counter[str] = Counter()

    async def handler(job: Job | Foreign) -> Outcome:
        await asyncio.sleep(0.005)
        done[job.id] += 1
        return Done()

    jobs = [Job(f"image{number}", 1) for number in range(total)]
    await queue.add(jobs)
    async with working(queue, handler, concurrency=4, lock_seconds=2, scan_seconds=0.5):
        for goal in (30, 60, 90):
            await until(lambda goal=goal: len(done) >= goal)
            server.kill()
            await asyncio.sleep(0.2)
            await server.start()
        await until(lambda: counted(queue, completed=total))
    assert set(done) == {job.id for job in jobs}


async def test_everything_lost_is_queued_again(queue: Queue, server: Private) -> None:
    """FLUSHALL under load: the marker is gone, and adding all that is unfinished brings all of it to an end."""
    jobs = {Job(f"image{number}", 1) for number in range(60)}
    finished: set[Job | Foreign] = set()

    async def handler(job: Job | Foreign) -> Outcome:
        await asyncio.sleep(0.01)
        finished.add(job)
        return Done()

    await queue.sentinel()
    await queue.add(list(jobs))
    async with working(queue, handler, concurrency=2):
        await until(lambda: len(finished) > 20)
        async with connect(server.url) as client:
            await client.flushall()
        assert not await queue.sentinel()
        left = [job for job in jobs if job not in finished]
        assert left
        assert await queue.known(left) == [False] * len(left)
        await queue.add(left)
        await until(lambda: len(finished) == len(jobs))
        await until(lambda: counted(queue, completed=len(left)))


async def test_an_outage_longer_than_the_lock(queue: Queue, server: Private) -> None:
    """The server is away while a job is worked on; its end is told when the server is back."""
    begun, go = asyncio.Event(), asyncio.Event()
    runs = 0

    async def handler(job: Job | Foreign) -> Outcome:
        nonlocal runs
        runs += 1
        begun.set()
        await go.wait()
        return Done()

    await queue.add([Job("a", 1)])
    async with working(queue, handler, lock_seconds=0.6, scan_seconds=0.3):
        await begun.wait()
        server.kill()
        go.set()
        await asyncio.sleep(1.0)
        await server.start()
        await until(lambda: counted(queue, completed=1))
    assert runs <= 2  # at least once; SQL's claim makes the second an empty one


async def test_stop_while_the_server_is_away(queue: Queue, server: Private) -> None:
    begun = asyncio.Event()

    async def handler(job: Job | Foreign) -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        return Done()

    await queue.add([Job("a", 1)])
    async with working(queue, handler) as worker:
        await begun.wait()
        server.kill()
        await worker.abandon()
    await server.start()
    seen: list[Any] = []

    async def other(job: Job | Foreign) -> Outcome:
        seen.append(job)
        return Done()

    async with connect(server.url) as client:
        await client.delete("bull:images:a-1:lock")  # its 15 s are over
    async with working(queue, other, scan_seconds=0.1):
        await until(lambda: seen)
