"""What those who run the service see of it."""

from __future__ import annotations

from pixelmill.records import work
from tests.sites import JPEG, Site


async def test_the_queue_is_told_paused_and_resumed_with_a_line_in_the_audit(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))
    held = await site.claim(batch["files"][0]["jobId"])
    await work.fail(site.parts.database, held, work.Failure("corrupt-image", "Cut."), work.Report())
    queue = (await site.client.get("/queue")).json()
    assert queue["counts"] == {"waiting": 1, "active": 0, "completed": 0, "failed": 1, "canceled": 0}
    assert queue["errors"] == [{"code": "corrupt-image", "count": 1}]
    assert queue["oldestWaiting"] == batch["createdAt"]
    assert (await site.client.post("/queue/pause")).json()["paused"] is True
    assert (await site.client.post("/queue/resume")).json()["paused"] is False
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
