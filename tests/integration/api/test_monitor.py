"""What those who run the service see of it."""

from __future__ import annotations

from pixelmill.records import switches, work
from pixelmill.records.claims import Failure, Report
from tests.sites import JPEG, Site
from tests.tenants import tenant


async def test_the_queue_is_told_paused_and_resumed_with_a_line_in_the_audit(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))
    held = await site.claim(batch["files"][0]["jobId"])
    await work.fail(site.parts.database, held, Failure("corrupt-image", "Cut."), Report())
    queue = (await site.client.get("/queue")).json()
    assert queue["counts"] == {"waiting": 1, "active": 0, "completed": 0, "failed": 1, "canceled": 0}
    assert queue["errors"] == [{"code": "corrupt-image", "count": 1}]
    assert queue["oldestWaiting"] == batch["createdAt"]
    for _ in range(2):
        assert (await site.client.post("/queue/pause")).json()["paused"] is True
    assert await switches.is_on(site.parts.database, switches.PAUSED)
    assert (await site.client.post("/queue/resume")).json()["paused"] is False
    assert not await switches.is_on(site.parts.database, switches.PAUSED)
    lines = (await site.client.get("/audit")).json()["lines"]
    assert [line["action"] for line in lines[:2]] == ["queue.resumed", "queue.paused"]


async def test_jobs_are_listed_and_searched(site: Site) -> None:
    batch = await site.accepted(("first.jpg", JPEG), ("second.jpg", JPEG))
    page = (await site.client.get("/jobs", params={"state": "waiting", "limit": 1})).json()
    assert [job["originalName"] for job in page["jobs"]] == ["second.jpg"]
    page = (await site.client.get("/jobs", params={"cursor": page["nextCursor"]})).json()
    assert [job["jobId"] for job in page["jobs"]] == [batch["files"][0]["jobId"]]
    assert (await site.client.get("/jobs", params={"name": "sec"})).json()["jobs"][0]["originalName"] == "second.jpg"
    assert (await site.client.get("/jobs", params={"state": "lost"})).status_code == 400


async def test_processes_and_samples_are_told(site: Site) -> None:
    [process] = (await site.client.get("/workers")).json()["workers"]
    assert process["kind"] == "api"
    assert (await site.client.get("/stats", params={"minutes": 5})).json() == {"samples": []}


async def test_each_act_has_a_line_in_the_audit(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG), ("c.jpg", JPEG))
    one, two, _ = (file["jobId"] for file in batch["files"])
    for _ in range(2):  # the second time there is nothing to do
        await site.client.delete(f"/jobs/{two}")
    await work.fail(site.parts.database, await site.claim(one), Failure("corrupt-image", "Cut."), Report())
    await site.client.post(f"/jobs/{one}/retry")
    await work.fail(site.parts.database, await site.claim(one), Failure("corrupt-image", "Cut."), Report())
    await site.client.post("/dead-letters/replay", json={"code": "corrupt-image"})
    for _ in range(2):
        await site.client.delete(f"/batches/{batch['batchId']}")
    lines = (await site.client.get("/audit")).json()["lines"]
    assert [line["action"] for line in reversed(lines)] == [
        "job.canceled",
        "job.retried",
        "dead-letters.replay",
        "batch.canceled",
    ]
    assert lines[1]["data"] == {"replayed": 1, "errorCode": "corrupt-image", "batchId": None}


async def test_who_may_read_and_belongs_to_no_tenant_watches_and_changes_nothing(site: Site) -> None:
    async with tenant(site, "", ["read"]) as watcher, tenant(site, "acme", ["read"]) as acme:
        await site.parts.queue.pause()
        for path in ("/queue", "/workers", "/stats", "/jobs"):
            assert (await watcher.client.get(path)).status_code == 200, path
        assert (await watcher.client.post("/queue/resume")).status_code == 403
        assert (await watcher.client.get("/audit")).status_code == 403
        told = (await acme.client.get("/queue")).json()
        assert (told["paused"], told["queued"]) == (True, None)
        assert (await acme.client.get("/workers")).status_code == 403


async def test_a_job_tells_its_recipe_and_to_admins_its_tracebacks(site: Site) -> None:
    batch = await site.accepted(preset="instagram")
    job = batch["files"][0]["jobId"]
    failure = Failure("internal-error", "A fault.", traceback="Traceback: here")
    await work.fail(site.parts.database, await site.claim(job), failure, Report())
    told = (await site.client.get(f"/jobs/{job}")).json()
    assert told["attempts"][0]["traceback"] == "Traceback: here"
    assert (told["preset"], told["recipe"]["variants"][0]["name"]) == ("instagram", "square")
    async with tenant(site, "", ["read"]) as reader:
        assert (await reader.client.get(f"/jobs/{job}")).json()["attempts"][0]["traceback"] is None


async def test_what_was_purged_is_listed_no_more(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))
    gone, stays = (file["jobId"] for file in batch["files"])
    failure = Failure("corrupt-image", "Cut.")
    for job in (gone, stays):
        await work.fail(site.parts.database, await site.claim(job), failure, Report())
    assert (await site.client.delete(f"/dead-letters/{gone}")).status_code == 204
    for query in ({}, {"state": "failed"}, {"name": "jpg"}):
        assert [job["jobId"] for job in (await site.client.get("/jobs", params=query)).json()["jobs"]] == [stays]
    queue = (await site.client.get("/queue")).json()
    assert (queue["counts"]["failed"], queue["errors"]) == (1, [{"code": "corrupt-image", "count": 1}])
    assert (await site.batch(batch["batchId"]))["progress"]["failed"] == 2
