"""GET /batches, /batches/{id} and /jobs/{id}."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import pytest

from pixelmill.records import images, work
from pixelmill.records.claims import Failure, LostVariant, Report
from tests.sites import JPEG, Site

SiteWith = Callable[..., AbstractAsyncContextManager[Site]]


async def test_a_batch_has_the_shape_of_the_contract(site: Site) -> None:
    batch = await site.finish(await site.accepted(("photo1.jpg", JPEG), preset="instagram"), b"x" * 130)
    assert list(batch) == [
        "batchId",
        "status",
        "progress",
        "createdAt",
        "finishedAt",
        "preset",
        "metadata",
        "retention",
        "links",
        "files",
        "nextCursor",
    ]
    assert batch["status"] == "completed"
    assert batch["progress"] == {"total": 1, "completed": 1, "failed": 0, "active": 0, "waiting": 0, "canceled": 0}
    assert batch["createdAt"].endswith("Z")
    assert len(batch["createdAt"]) == len("2026-11-22T06:00:00.000Z")
    assert datetime.fromisoformat(batch["createdAt"]) <= datetime.fromisoformat(batch["finishedAt"])
    assert batch["links"]["events"] == f"/batches/{batch['batchId']}/events"

    (file,) = batch["files"]
    first = file["variants"][0]
    path = f"processed/{batch['batchId']}/{file['jobId']}/"
    assert file["state"] == "completed"
    assert file["result"]["originalName"] == "photo1.jpg"
    assert file["result"]["outputPath"].startswith(path)
    assert file["result"]["outputPath"].endswith(f"-{first['name']}.jpg")
    assert (file["failedReason"], file["errorCode"]) == (None, None)
    assert (file["width"], file["height"], file["bytes"], file["format"]) == (40, 30, len(JPEG), "jpeg")
    assert first == {
        "name": first["name"],
        "state": "completed",
        "progress": 100,
        "url": f"/images/{file['jobId']}/{first['name']}",
        "format": "jpeg",
        "width": 4,
        "height": 3,
        "bytes": 130,
        "quality": 80,
        "savedPercent": round(100 - 13_000 / len(JPEG), 1),
        "error": None,
        "deliveredUrl": None,
    }


async def test_each_variant_appears_as_it_is_done(site: Site) -> None:
    batch = await site.accepted(preset="instagram")
    held = await site.claim(batch["files"][0]["jobId"])
    await site.make(held, b"x", held.missing[:1], end=False)
    batch = await site.batch(batch["batchId"])
    (file,) = batch["files"]
    assert batch["status"] == "processing"
    assert (file["state"], file["result"]) == ("active", None)
    assert [variant["state"] for variant in file["variants"][:2]] == ["completed", "waiting"]
    assert [bool(variant["url"]) for variant in file["variants"][:2]] == [True, False]


async def test_an_unchanged_batch_costs_a_304(site: Site) -> None:
    batch = await site.accepted()
    path = f"/batches/{batch['batchId']}"
    first = await site.client.get(path)
    assert first.headers["retry-after"] == "1"
    asked = {"If-None-Match": first.headers["etag"]}
    again = await site.client.get(path, headers=asked)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    await site.finish(batch)
    changed = await site.client.get(path, headers=asked)
    assert changed.status_code == 200
    assert "retry-after" not in changed.headers


async def test_many_files_come_in_pages(site_with: SiteWith) -> None:
    async with site_with(max_files=250) as site:
        batch = await site.accepted(*((f"{number}.jpg", JPEG) for number in range(201)))
        names = [file["originalName"] for file in batch["files"]]
        assert len(names) == 100
        while cursor := batch["nextCursor"]:
            batch = (await site.client.get(f"/batches/{batch['batchId']}", params={"cursor": cursor})).json()
            assert batch["progress"]["total"] == 201
            names += [file["originalName"] for file in batch["files"]]
        assert names == [f"{number}.jpg" for number in range(201)]


async def test_the_list_is_newest_first_and_has_pages_and_a_filter(site: Site) -> None:
    made = [await site.accepted() for _ in range(5)]
    await site.finish(made[2])
    ids = [batch["batchId"] for batch in reversed(made)]
    page = (await site.client.get("/batches")).json()
    assert [batch["batchId"] for batch in page["batches"]] == ids
    assert page["nextCursor"] is None
    assert "files" not in page["batches"][0]

    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await site.client.get("/batches", params={"limit": "2"} | cursor)).json()
        found += [batch["batchId"] for batch in page["batches"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert found == ids

    page = (await site.client.get("/batches?status=completed")).json()
    assert [batch["batchId"] for batch in page["batches"]] == [made[2]["batchId"]]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "status=nope", "cursor=%00", "cursor=a/b", "cursor=" + "1" * 40],
)
async def test_a_bad_query_is_told(site: Site, query: str) -> None:
    answer = await site.client.get(f"/batches?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert query.partition("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize(
    "batch_id", ["nope", "%00", "a%20b", "x" * 200, "0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e", "..%2f"]
)
async def test_what_is_not_there_is_not_found(site: Site, batch_id: str) -> None:
    for path in (f"/batches/{batch_id}", f"/batches/{batch_id}/events", f"/jobs/{batch_id}", f"/images/{batch_id}/a"):
        answer = await site.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path


async def test_a_job_tells_how_it_went(site: Site) -> None:
    batch = await site.accepted()
    job_id = batch["files"][0]["jobId"]
    waiting = await site.client.get(f"/jobs/{job_id}")
    assert waiting.headers["retry-after"] == "1"
    job = waiting.json()
    assert (job["jobId"], job["batchId"], job["state"], job["progress"]) == (job_id, batch["batchId"], "waiting", 0)
    assert (job["result"], job["failedReason"], job["attempts"]) == (None, None, [])

    held = await site.claim(job_id)
    await work.fail(site.parts.database, held, Failure("timeout", "Too slow.", delay=0.0), Report())
    held = await site.claim(job_id)
    await site.make(held, b"x")
    job = (await site.client.get(f"/jobs/{job_id}")).json()
    assert (job["state"], job["progress"], job["result"]["originalName"]) == ("completed", 100, "photo.jpg")
    assert [(attempt["number"], attempt["errorCode"]) for attempt in job["attempts"]] == [(1, "timeout"), (2, None)]
    assert job["attempts"][1]["outcome"] == "completed"
    assert job["timings"]["decode"] == 0.25
    said = [line["message"] for line in job["log"]]
    assert said[0] == "accepted"
    assert "Too slow." in said[2]
    assert [line["at"] for line in job["log"]] == sorted(line["at"] for line in job["log"])
    assert [attempt["traceback"] for attempt in job["attempts"]] == [None, None]


async def test_a_failed_variant_says_why(site: Site) -> None:
    batch = await site.accepted(preset="instagram")
    held = await site.claim(batch["files"][0]["jobId"])
    lost = [LostVariant(name, "timeout", "Too slow.") for name in held.missing]
    await work.complete(site.parts.database, held, Report(lost=lost))
    batch = await site.batch(batch["batchId"])
    (file,) = batch["files"]
    assert batch["status"] == "completed-with-errors"
    assert (file["state"], file["result"], file["errorCode"]) == ("failed", None, "timeout")
    assert file["failedReason"]
    assert file["variants"][0]["error"] == {"code": "timeout", "detail": "Too slow."}
    image = await images.find(site.parts.database, file["jobId"])
    assert image
    url = f"/images/{file['jobId']}/{held.missing[0]}"
    assert (await site.client.get(url)).json()["code"] == "not-found"
