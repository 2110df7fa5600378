"""/dead-letters over HTTP: list, replay, purge."""

from __future__ import annotations

from typing import Any

from pixelmill.records import work
from pixelmill.records.claims import Failure, Report
from tests.sites import JPEG, Site
from tests.tenants import tenant


async def failed(site: Site, *codes: str) -> dict[str, Any]:
    """A batch with an image for each code, which has failed with it."""
    batch = await site.accepted(*[(f"{number}.jpg", JPEG) for number, _ in enumerate(codes)])
    for file, code in zip(batch["files"], codes, strict=True):
        await work.fail(site.parts.database, await site.claim(file["jobId"]), Failure(code, "It is bad."), Report())
    return await site.batch(batch["batchId"])


async def letters(site: Site, **which: Any) -> list[dict[str, Any]]:
    answer = await site.client.get("/dead-letters", params=which)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["deadLetters"]
    return found


async def test_list_pages_and_filters(site: Site) -> None:
    first = await failed(site, "corrupt-image", "too-many-pixels")
    second = await failed(site, "corrupt-image")
    ids = [file["jobId"] for batch in (first, second) for file in batch["files"]]
    assert [one["jobId"] for one in await letters(site)] == ids[::-1]
    assert [one["jobId"] for one in await letters(site, code="too-many-pixels")] == [ids[1]]
    assert [one["jobId"] for one in await letters(site, batchId=second["batchId"])] == [ids[2]]
    page = (await site.client.get("/dead-letters", params={"limit": 2})).json()
    rest = (await site.client.get("/dead-letters", params={"cursor": page["nextCursor"]})).json()
    assert [one["jobId"] for one in page["deadLetters"] + rest["deadLetters"]] == ids[::-1]
    assert rest["nextCursor"] is None
    (one,) = await letters(site, batchId=second["batchId"])
    assert one["errorCode"] == "corrupt-image"
    assert one["failedReason"] == "It is bad."
    assert (one["tries"], one["bytes"], one["format"]) == (1, len(JPEG), "jpeg")


async def test_replay_one(site: Site) -> None:
    batch = await failed(site, "corrupt-image")
    job_id = batch["files"][0]["jobId"]
    answer = await site.client.post(f"/dead-letters/{job_id}/replay")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert await letters(site) == []
    assert (await site.client.post(f"/dead-letters/{job_id}/replay")).status_code == 409
    done = await site.finish(await site.batch(batch["batchId"]))
    assert (done["status"], done["progress"]["failed"]) == ("completed", 0)


async def test_replay_many_by_filter_and_in_pages(site: Site) -> None:
    batch = await failed(site, "corrupt-image", "timeout", "timeout", "timeout")
    first = (await site.client.post("/dead-letters/replay", json={"code": "timeout", "limit": 2})).json()
    assert (first["replayed"], first["skipped"]) == (2, 0)
    more = {"code": "timeout", "cursor": first["nextCursor"]}
    assert (await site.client.post("/dead-letters/replay", json=more)).json() == {
        "replayed": 1,
        "skipped": 0,
        "nextCursor": None,
    }
    assert [one["errorCode"] for one in await letters(site)] == ["corrupt-image"]
    progress = (await site.batch(batch["batchId"]))["progress"]
    assert (progress["waiting"], progress["failed"]) == (3, 1)


async def test_purge_one_deletes_its_bytes_and_keeps_the_counters(site: Site) -> None:
    batch = await failed(site, "corrupt-image", "timeout")
    before = site.stored()
    gone, kept = (file["jobId"] for file in batch["files"])
    answer = await site.client.delete(f"/dead-letters/{gone}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert site.stored() == [f"originals/{batch['batchId']}/{kept}"]
    assert len(before) == 2
    after = await site.batch(batch["batchId"])
    assert (after["status"], after["progress"]) == (batch["status"], batch["progress"])
    assert [one["jobId"] for one in await letters(site)] == [kept]
    assert (await site.client.delete(f"/dead-letters/{gone}")).status_code == 409
    assert (await site.client.post(f"/jobs/{gone}/retry")).status_code == 409
    assert (await site.client.delete("/dead-letters/nobody")).status_code == 404


async def test_purge_many(site: Site) -> None:
    batch = await failed(site, "corrupt-image", "timeout", "timeout")
    first = (await site.client.delete("/dead-letters", params={"code": "timeout", "limit": 1})).json()
    assert first["purged"] == 1
    more = {"code": "timeout", "cursor": first["nextCursor"]}
    rest = (await site.client.delete("/dead-letters", params=more)).json()
    assert rest == {"purged": 1, "nextCursor": None}
    assert site.stored() == [f"originals/{batch['batchId']}/{batch['files'][0]['jobId']}"]
    assert (await site.batch(batch["batchId"]))["progress"]["failed"] == 3


async def test_a_changed_batch_has_another_etag(site: Site) -> None:
    batch = await failed(site, "corrupt-image")
    path = f"/batches/{batch['batchId']}"
    tag = (await site.client.get(path)).headers["etag"]
    await site.client.delete(f"/dead-letters/{batch['files'][0]['jobId']}")
    assert (await site.client.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_a_tenant_sees_and_purges_its_own_alone(site: Site) -> None:
    batch = await failed(site, "corrupt-image")
    job_id = batch["files"][0]["jobId"]
    async with tenant(site, "acme") as other, tenant(site, "", ["read", "upload"]) as plain:
        assert (await other.client.get("/dead-letters")).json()["deadLetters"] == []
        assert (await other.client.delete("/dead-letters")).json()["purged"] == 0
        assert (await other.client.post("/dead-letters/replay", json={})).json()["replayed"] == 0
        assert (await other.client.delete(f"/dead-letters/{job_id}")).status_code == 404
        assert (await other.client.post(f"/dead-letters/{job_id}/replay")).status_code == 404
        assert len((await plain.client.get("/dead-letters")).json()["deadLetters"]) == 1
        assert (await plain.client.delete("/dead-letters")).status_code == 403
    assert len(site.stored()) == 1


async def test_who_replayed_and_purged_is_in_the_audit(site: Site) -> None:
    async with tenant(site, "acme") as acme:
        sent = await acme.client.post("/process-images", files=[("images", (name, JPEG)) for name in ("a", "b", "c")])
        batch = (await acme.client.get(sent.json()["statusUrl"])).json()
        one, two, three = (file["jobId"] for file in batch["files"])
        for job, code in ((one, "timeout"), (two, "corrupt-image"), (three, "corrupt-image")):
            await work.fail(site.parts.database, await site.claim(job), Failure(code, "It is bad."), Report())
        assert (await acme.client.post(f"/dead-letters/{one}/replay")).status_code == 202
        which = {"batchId": batch["batchId"], "limit": 1}
        assert (await acme.client.post("/dead-letters/replay", json=which)).json()["replayed"] == 1
        assert (await acme.client.delete(f"/dead-letters/{two}")).status_code == 204
        lines = (await acme.client.get("/audit")).json()["lines"]
    assert [(line["action"], line["target"]) for line in reversed(lines) if line["keyId"] == acme.key_id] == [
        ("job.retried", one),
        ("dead-letters.replay", "dead-letters"),
        ("dead-letter.purge", two),
    ]
    assert lines[1]["data"] == {"replayed": 1, "errorCode": None, "batchId": batch["batchId"]}
