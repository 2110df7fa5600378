from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
import redis.asyncio as redis
from bullmq import Queue as BullQueue

from pixelmill.queue import Done, Failed, Foreign, Job, Later, Queue, Slots, worker
from pixelmill.queue.client import connect
from pixelmill.queue.job import Outcome
from tests.queues import Private, counted, until, working


class Record:
    """A handler that notes what it is given, and answers what it is told to."""

    def __init__(self, **answers: Any) -> None:
        self.seen: list[Job | Foreign] = []
        self.answers = answers

    async def __call__(self, job: Job | Foreign) -> Outcome:
        self.seen.append(job)
        answer = self.answers.get(job.image_id if isinstance(job, Job) else job.job_id, Done())
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, (Done, Later, Failed))
        return answer


async def field(server: Private, job_id: str, name: str) -> str | None:
    async with connect(server.url) as client:
        found: str | None = await client.hget(f"bull:images:{job_id}", name)
    return found


async def test_each_job_is_handed_out_once(queue: Queue) -> None:
    record = Record()
    jobs = [Job(f"image{number}", 1) for number in range(300)]
    await queue.add(jobs[:200])
    async with working(queue, record, concurrency=5), working(queue, record, concurrency=3):
        await queue.add(jobs[200:])
        await until(lambda: counted(queue, completed=300))
    assert Counter(record.seen) == Counter(jobs)


async def test_an_idle_worker_starts_at_once(queue: Queue) -> None:
    record = Record()
    async with working(queue, record, block_seconds=60):
        for number in range(3):
            await asyncio.sleep(0.1)
            await queue.add([Job("a", number)])
            await until(lambda number=number: len(record.seen) == number + 1)


class Crowd:
    """A handler that sees how many are at work at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def __call__(self, job: Job | Foreign) -> Outcome:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.005)
        self.now -= 1
        return Done()


async def test_concurrency_is_kept(queue: Queue) -> None:
    crowd = Crowd()
    await queue.add([Job(f"image{number}", 1) for number in range(40)])
    async with working(queue, crowd, concurrency=3):
        await until(lambda: counted(queue, completed=40))
    assert crowd.most == 3


async def test_a_limit_for_all_workers_together(queue: Queue) -> None:
    crowd = Crowd()
    await queue.limit(2)
    await queue.add([Job(f"image{number}", 1) for number in range(40)])
    # Whoever waits for room is told of it: no worker sleeps until its blocking ends.
    async with working(queue, crowd, concurrency=3, block_seconds=60):
        async with working(queue, crowd, concurrency=3, block_seconds=60):
            await until(lambda: crowd.most)
        await until(lambda: counted(queue, completed=40))
        assert crowd.most == 2
        await queue.limit(0)
        await queue.add([Job(f"more{number}", 1) for number in range(40)])
        await until(lambda: counted(queue, completed=80))
    assert crowd.most == 3


async def test_urgent_first(queue: Queue) -> None:
    record = Record()
    await queue.add([Job("last", 1, priority=9), Job("second", 1, priority=2), Job("first", 1)])
    async with working(queue, record, concurrency=1):
        await until(lambda: len(record.seen) == 3)
    assert [job.image_id for job in record.seen if isinstance(job, Job)] == ["first", "second", "last"]


async def test_what_is_urgent_finds_room_beside_a_full_worker(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """All slots are busy with a bulk job: one photo is taken at once, and no more of the bulk than before."""
    monkeypatch.setattr(worker, "_MOMENT", 60)
    go_on = asyncio.Event()
    ordinary, most = 0, 0
    urgent: list[str] = []

    async def handler(job: Job | Foreign) -> Outcome:
        nonlocal ordinary, most
        if job.id.startswith("photo"):
            urgent.append(job.id)
            return Done()
        ordinary += 1
        most = max(most, ordinary)
        await go_on.wait()
        ordinary -= 1
        return Done()

    await queue.add([Job(f"bulk{number}", 1, priority=3) for number in range(20)])
    async with working(queue, handler, slots=Slots(2, urgent=1), block_seconds=60):
        await until(lambda: ordinary == 2)
        for number in range(3):
            await queue.add([Job("photo", number)])
            await until(lambda number=number: len(urgent) == number + 1)
        go_on.set()
        await until(lambda: counted(queue, completed=23))
    assert most == 2


async def test_what_is_urgent_is_let_in_beside_what_is_urgent_and_takes_long(queue: Queue) -> None:
    go_on = asyncio.Event()
    seen: list[str] = []

    async def handler(job: Job | Foreign) -> Outcome:
        seen.append(job.id)
        if job.id.startswith("slow"):
            await go_on.wait()
        return Done()

    await queue.add([Job(f"slow{number}", 1) for number in range(2)])
    async with working(queue, handler, slots=Slots(2, urgent=1), block_seconds=60):
        await until(lambda: len(seen) == 2)
        await queue.add([Job("photo", 1)])
        await until(lambda: "photo-1" in seen)
        go_on.set()
        await until(lambda: counted(queue, completed=3))


async def test_what_is_urgent_and_short_is_taken_by_who_ends(
    queue: Queue, server: Private, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is let in beside it: that costs commands, and the next slot is free at once."""
    monkeypatch.setattr(worker, "_MOMENT", 60)  # short, on a slow machine too
    most, now = 0, 0

    async def handler(job: Job | Foreign) -> Outcome:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return Done()

    await queue.add([Job(f"photo{number}", 1) for number in range(200)])
    async with connect(server.url) as client, working(queue, handler, slots=Slots(2, urgent=1), block_seconds=60):
        await until(lambda: counted(queue, completed=200))
        assert "cmdstat_blpop" not in await client.info("commandstats")
    assert most <= 2


async def test_who_waits_for_another_host_steps_aside(queue: Queue) -> None:
    slots = Slots(1, aside=2, patience=0)
    answered = asyncio.Event()
    done: list[str] = []

    async def handler(job: Job | Foreign) -> Outcome:
        if job.id.startswith("far"):
            async with slots.aside():
                await answered.wait()
        done.append(job.id)
        return Done()

    await queue.add([Job("far", 1), Job("far", 2), *(Job("near", number) for number in range(5))])
    async with working(queue, handler, slots=slots):
        await until(lambda: len(done) == 5)
        await until(lambda: slots.busy == 0)
        await queue.add([Job("far", 3)])  # one too many: it keeps its slot until there is room aside
        await until(lambda: slots.full)
        await queue.add([Job("near", 6)])
        answered.set()
        await until(lambda: counted(queue, completed=9))


async def test_delayed_jobs_come_when_they_are_due_and_not_before(queue: Queue) -> None:
    when: dict[str, float] = {}

    async def handler(job: Job | Foreign) -> Outcome:
        assert isinstance(job, Job)
        when[job.image_id] = time.time()
        return Done()

    async with working(queue, handler, block_seconds=60):
        await asyncio.sleep(0.05)
        began = time.time()
        await queue.add([Job("soon", 1, delay=0.25), Job("sooner", 1, delay=0.1), Job("now", 1)])
        await until(lambda: len(when) == 3)
    assert list(when) == ["now", "sooner", "soon"]
    assert when["sooner"] - began >= 0.099
    assert when["soon"] - began >= 0.249


async def test_later_is_the_same_job_again(queue: Queue) -> None:
    record = Record(a=[Later(2), Later(0), Done()])  # long enough to be seen on a busy machine
    await queue.add([Job("a", 4)])
    async with working(queue, record, block_seconds=60):
        await until(lambda: counted(queue, delayed=1))
        assert await queue.known([Job("a", 4)]) == [True]
        await until(lambda: counted(queue, completed=1))
    assert record.seen == [Job("a", 4)] * 3
    assert not any(job.retried for job in record.seen)


async def test_a_job_put_off_makes_room_for_the_next(queue: Queue) -> None:
    record = Record(a=[Later(60)])
    await queue.add([Job("a", 1), Job("b", 1)])
    async with working(queue, record, concurrency=1, block_seconds=60):
        await until(lambda: counted(queue, completed=1, delayed=1))


async def test_a_failure_says_why(queue: Queue, server: Private) -> None:
    await queue.add([Job("a", 1), Job("b", 1)])
    async with working(queue, Record(a=Failed("It is no image."), b=OSError("disk full"))):
        await until(lambda: counted(queue, failed=2))
    assert await field(server, "a-1", "failedReason") == "It is no image."
    assert await field(server, "b-1", "failedReason") == "OSError: disk full"
    assert await queue.known([Job("a", 1)]) == [False]


async def test_a_value_is_kept_for_whoever_asked(queue: Queue, server: Private) -> None:
    await queue.add([Job("a", 1), Job("b", 1)])
    async with working(queue, Record(a=Done({"url": "/images/a"}), b=Done({"not json": object()}))):
        await until(lambda: counted(queue, completed=1, failed=1))
    assert await field(server, "a-1", "returnvalue") == '{"url":"/images/a"}'


@pytest.mark.parametrize("state", ["completed", "failed"])
async def test_retry_in_a_dashboard_is_seen(queue: Queue, server: Private, state: str) -> None:
    record = Record(a=Done() if state == "completed" else Failed("no"))
    async with (
        redis.Redis.from_url(server.url, decode_responses=True) as client,
        working(queue, record, concurrency=1),
    ):
        theirs = BullQueue("images", {"connection": client})
        await queue.add([Job("a", 3)])
        await until(lambda: counted(queue, **{state: 1}))
        bull = (await theirs.getJobs([state]))[0]
        await bull.retry(state, {"resetAttemptsMade": True, "resetAttemptsStarted": True})
        await until(lambda: len(record.seen) == 2)
        await until(lambda: counted(queue, **{state: 1}))
    assert record.seen == [Job("a", 3), Job("a", 3)]
    assert [job.retried for job in record.seen] == [False, True]


async def test_jobs_of_others_are_handed_out_as_they_are(queue: Queue, server: Private) -> None:
    record = Record(mine=Done({"urls": ["/images/1"]}))
    data = {"url": "https://example.org/a.jpg", "preset": "web", "metadata": {"order": 7}}
    async with redis.Redis.from_url(server.url, decode_responses=True) as client:
        theirs = BullQueue("images", {"connection": client})
        await theirs.add("process", data, {"jobId": "mine"})
        await theirs.add("other", ["no", "object"], {"jobId": "list"})
        await theirs.add("process", {"imageId": "a", "generation": 2}, {"jobId": "x"})
        async with working(queue, record, concurrency=1):
            await until(lambda: counted(queue, completed=3))
        assert record.seen == [Foreign("mine", data), Foreign("list", {}, "other"), Job("a", 2)]
        done = next(job for job in await theirs.getCompleted() if job.id == "mine")
        assert done.returnvalue == {"urls": ["/images/1"]}


async def test_a_job_deleted_by_hand_is_forgotten(queue: Queue, server: Private) -> None:
    record = Record()
    await queue.add([Job("gone", 1), Job("here", 1)])
    async with connect(server.url) as client:
        await client.delete("bull:images:gone-1")
    async with working(queue, record, concurrency=1):
        await until(lambda: counted(queue, completed=1))
    assert record.seen == [Job("here", 1)]


async def test_stop_finishes_what_is_in_hand(queue: Queue) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def handler(job: Job | Foreign) -> Outcome:
        begun.set()
        await go.wait()
        return Done()

    await queue.add([Job("a", 1), Job("b", 1)])
    async with working(queue, handler, concurrency=1) as worker:
        await begun.wait()
        worker.stop()
        asyncio.get_running_loop().call_later(0.05, go.set)
    assert await counted(queue, completed=1, waiting=1)
    assert worker.active == 0


async def test_abandon_hands_back_for_another_to_take(queue: Queue) -> None:
    begun = asyncio.Event()

    async def stuck(job: Job | Foreign) -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        return Done()

    record = Record()
    await queue.add([Job("a", 1), Job("b", 1)])
    async with working(queue, stuck, concurrency=1) as worker:
        await begun.wait()
        await worker.abandon()
        assert worker.active == 0
    async with working(queue, record, lock_seconds=600, scan_seconds=600):
        await until(lambda: counted(queue, completed=2))
    assert {job.retried for job in record.seen} == {False}


async def test_a_long_job_keeps_its_lock(queue: Queue) -> None:
    seen: list[Job | Foreign] = []

    async def handler(job: Job | Foreign) -> Outcome:
        seen.append(job)
        await asyncio.sleep(1.2)
        return Done()

    options = {"lock_seconds": 0.4, "scan_seconds": 0.1}
    await queue.add([Job("a", 1)])
    async with working(queue, handler, **options), working(queue, handler, **options):
        await until(lambda: counted(queue, completed=1))
    assert seen == [Job("a", 1)]


async def test_the_worker_is_listed_by_dashboards(queue: Queue, server: Private) -> None:
    async def listed() -> bool:
        async with connect(server.url) as client:
            return queue.worker_name in {one["name"] for one in await client.client_list()}

    async with working(queue, Record()):
        await until(listed)
