from __future__ import annotations

from datetime import timedelta

from pixelmill.records import Database, monitor, processes, work
from pixelmill.records.claims import Failure, Report
from pixelmill.records.tables import now
from tests.integration.records.test_work import accept, claim, image, made


async def test_jobs_are_found_by_state_code_and_name_page_by_page(db: Database) -> None:
    await accept(db, *(image(f"i{number}") for number in range(5)), image("refused", "empty-file"))
    await work.fail(db, await claim(db, "i0"), Failure("corrupt-image", "Cut."), Report())
    first, cursor = await monitor.jobs(db, state="waiting", limit=3)
    rest, end = await monitor.jobs(db, state="waiting", limit=3, cursor=cursor)
    assert [one.id for one in first + rest] == ["i4", "i3", "i2", "i1"]
    assert end is None
    assert [one.id for one in (await monitor.jobs(db, error_code="corrupt-image"))[0]] == ["i0"]
    assert [one.id for one in (await monitor.jobs(db, name="I3.J"))[0]] == ["i3"]
    assert (await monitor.jobs(db, name="%"))[0] == []
    assert (await monitor.jobs(db, owner="somebody else"))[0] == []
    assert len((await monitor.jobs(db, batch_id="batch"))[0]) == 6
    assert dict(await monitor.errors(db)) == {"corrupt-image": 1, "empty-file": 1}
    assert await monitor.counts(db) == {"waiting": 4, "active": 0, "completed": 0, "failed": 2, "canceled": 0}
    assert await monitor.oldest(db) is not None
    assert await monitor.oldest(db, owner="somebody else") is None


async def test_a_search_goes_on_behind_what_a_page_looks_at(db: Database) -> None:
    await accept(db, *(image(f"i{number}") for number in range(5)))
    at_once, monitor.MOST = monitor.MOST, 2
    try:
        pages, cursor = [], None
        while True:
            found, cursor = await monitor.jobs(db, name="i0", cursor=cursor)
            pages.append([one.id for one in found])
            if cursor is None:
                break
    finally:
        monitor.MOST = at_once
    assert pages == [[], ["i0"]]


async def test_samples_tell_what_happened_between_them(db: Database) -> None:
    await accept(db, image("one"), image("two"))
    since = now() - timedelta(seconds=5)
    await work.complete(db, await claim(db, "one"), Report(made=made("a", "b")))
    taken = await monitor.sample(db, since)
    assert (taken.completed, taken.failed, taken.waiting, taken.active) == (1, 0, 1, 0)
    assert taken.latency_p50 is not None
    assert taken.oldest is not None
    again = await monitor.sample(db, taken.at)
    assert again.completed == 0
    assert [one.completed for one in await monitor.series(db, since)] == [1, 0]
    await monitor.forget_samples(db, timedelta(0))
    assert await monitor.series(db, since) == []


async def test_processes_say_what_they_do(db: Database) -> None:
    await processes.register(db, "p", kind="worker", slot=None, host="here", pid=7, version="1")
    await processes.beat(db, "p", {"images": [{"jobId": "one", "seconds": 1.5}]})
    [found] = await monitor.running(db)
    assert (found.id, found.pid, found.beat, found.doing["images"][0]["jobId"]) == ("p", 7, 1, "one")
