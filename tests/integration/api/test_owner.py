"""What an owner does: cancel, have it done again, try a recipe first."""

from __future__ import annotations

import pytest

from pixelmill.records import work
from pixelmill.records.claims import Failure, Report
from tests.sites import JPEG, Site


async def test_a_canceled_batch_ends_and_keeps_what_is_done(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))
    await site.make(await site.claim(batch["files"][0]["jobId"]), b"x")
    answer = await site.client.delete(f"/batches/{batch['batchId']}")
    assert answer.status_code == 200
    assert answer.json()["status"] == "canceled"
    batch = await site.batch(batch["batchId"])
    assert [file["state"] for file in batch["files"]] == ["completed", "canceled"]
    assert batch["progress"] == {"total": 2, "completed": 1, "failed": 0, "active": 0, "waiting": 0, "canceled": 1}
    events = (await site.client.get(batch["links"]["events"])).text
    assert '"event":"image.canceled"' in events
    assert '"event":"batch.canceled"' in events
    # Once more changes nothing.
    assert (await site.client.delete(f"/batches/{batch['batchId']}")).json()["status"] == "canceled"
    assert (await site.client.delete("/batches/nope")).status_code == 404


async def test_one_image_is_canceled_and_the_other_goes_on(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG))
    first, second = (file["jobId"] for file in batch["files"])
    assert (await site.client.delete(f"/jobs/{first}")).json()["state"] == "canceled"
    assert (await site.batch(batch["batchId"]))["status"] == "processing"
    await site.make(await site.claim(second), b"x")
    assert (await site.batch(batch["batchId"]))["status"] == "completed-with-errors"
    assert (await site.client.delete(f"/jobs/{second}")).json()["state"] == "completed"
    assert (await site.client.delete("/jobs/nope")).status_code == 404


async def test_a_failed_image_is_done_again(site: Site) -> None:
    batch = await site.accepted()
    job_id = batch["files"][0]["jobId"]
    held = await site.claim(job_id)
    await work.fail(site.parts.database, held, Failure("timeout", "Too slow."), Report())
    assert (await site.batch(batch["batchId"]))["status"] == "completed-with-errors"

    answer = await site.client.post(f"/jobs/{job_id}/retry")
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{job_id}"
    assert (answer.json()["state"], answer.json()["failedReason"]) == ("waiting", None)
    again = await site.client.post(f"/jobs/{job_id}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")

    await site.make(await site.claim(job_id), b"x")
    assert (await site.batch(batch["batchId"]))["status"] == "completed"
    events = (await site.client.get(batch["links"]["events"])).text
    assert events.index("batch.completed") < events.index("batch.reopened") < events.rindex("batch.completed")
    assert (await site.client.post("/jobs/nope/retry")).status_code == 404


async def test_a_file_refused_at_the_door_cannot_be_done_again(site: Site) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("note.txt", b"hello"))
    answer = await site.client.post(f"/jobs/{batch['files'][1]['jobId']}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_recipe_is_tried_before_it_is_used(site: Site) -> None:
    recipe = {"variants": [{"name": "a", "steps": [{"op": "resize", "width": 5}], "output": {"format": "png"}}]}
    answer = await site.client.post("/recipes/validate", json=recipe)
    assert answer.status_code == 200
    assert answer.json()["variants"] == ["a"]
    # What comes back is a recipe again.
    assert (await site.client.post("/recipes/validate", json=answer.json()["recipe"])).json() == answer.json()

    recipe["variants"][0]["steps"] = [{"op": "resize", "width": "wide"}]
    answer = await site.client.post("/recipes/validate", json=recipe)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad-recipe")
    assert answer.json()["pointer"] == "/variants/0/steps/0/width"


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"\xff", "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b"{}", "text/plain", 415),
        (b" " * 400_000, "application/json", 413),
    ],
)
async def test_what_is_no_recipe_is_a_problem(site: Site, content: bytes, content_type: str, status: int) -> None:
    answer = await site.client.post("/recipes/validate", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
