"""Cancel, purge and retention over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from pixelmill.records.tables import images
from tests.sites import JPEG, Site

DATA = JPEG[:700]


async def test_a_batch_tells_how_long_it_is_kept(site: Site) -> None:
    batch = await site.accepted(retention='{"originals": 60, "results": 0}')
    nothing = {"originalsUntil": None, "resultsUntil": None, "originalsDeleted": False, "resultsDeleted": False}
    assert batch["retention"] == nothing
    done = await site.finish(batch, DATA)
    assert done["retention"]["originalsUntil"] > done["finishedAt"]
    assert done["retention"]["resultsUntil"] is None


@pytest.mark.parametrize(
    "retention",
    ["1", "[]", '{"x": 1}', '{"originals": -1}', '{"results": "1"}', '{"results": true}', '{"results": 1e12}'],
)
async def test_a_retention_that_is_none(site: Site, retention: str) -> None:
    answer = await site.send(("a.jpg", JPEG), fields={"retention": retention})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert site.stored() == []


async def test_a_batch_overrides_its_preset_and_a_preset_the_service(
    site_with: Callable[..., AbstractAsyncContextManager[Site]], tmp_path: Path
) -> None:
    preset = '[retention]\noriginals = 60\nresults = 120\n[[variants]]\nname = "a"\n'
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "brief.toml").write_text(preset)
    async with site_with(presets_dir=tmp_path / "presets", keep_originals_seconds=30) as site:
        for fields, kept in [
            ({}, (30, 30 * 86400)),
            ({"preset": "brief"}, (60, 120)),
            ({"preset": "brief", "retention": '{"originals": 90}'}, (90, 120)),
            ({"preset": "brief", "retention": '{"results": 0}'}, (60, None)),
        ]:
            batch = await site.finish(await site.accepted(**fields), DATA)
            end = datetime.fromisoformat(batch["finishedAt"])
            until = [batch["retention"][f"{part}Until"] for part in ("originals", "results")]
            lives = [round((datetime.fromisoformat(at) - end).total_seconds()) if at else None for at in until]
            assert lives == list(kept)


async def test_a_purge_leaves_nothing(site: Site) -> None:
    batch = await site.finish(await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG)), DATA)
    other = await site.finish(await site.accepted(), DATA)
    path, result = f"/batches/{batch['batchId']}", batch["files"][0]["variants"][0]["url"]
    assert len(site.stored()) == 6
    kept = await site.client.delete(path)  # a batch that is over is not canceled, and not deleted by mistake
    assert (kept.status_code, kept.json()["status"]) == (200, "completed")
    assert (await site.client.delete(path, params={"purge": "true"})).status_code == 204
    assert len(site.stored()) == 2
    for gone in (path, f"{path}/archive", f"{path}/events", result, f"/jobs/{batch['files'][0]['jobId']}"):
        assert (await site.client.get(gone)).status_code == 404, gone
    listed = (await site.client.get("/batches")).json()["batches"]
    assert [one["batchId"] for one in listed] == [other["batchId"]]
    assert (await site.client.delete(path, params={"purge": "true"})).status_code == 404


async def test_a_batch_that_runs_is_canceled_and_purged(site: Site) -> None:
    batch = await site.accepted()
    assert (await site.client.delete(f"/batches/{batch['batchId']}?purge=true")).status_code == 204
    assert site.stored() == []


async def test_a_purged_batch_is_hidden_while_a_late_worker_may_still_write(site: Site) -> None:
    batch = await site.accepted()
    job = batch["files"][0]["jobId"]
    await site.claim(job)  # its worker is told by nobody
    assert (await site.client.delete(f"/batches/{batch['batchId']}?purge=true")).status_code == 204
    async with site.parts.database.read() as connection:
        assert (await connection.execute(select(images.c.id))).scalar_one() == job  # the rows stay for now
    assert (await site.client.get("/jobs")).json()["jobs"] == []
    for method, path in (("GET", ""), ("POST", "/retry"), ("DELETE", "")):
        assert (await site.client.request(method, f"/jobs/{job}{path}")).status_code == 404


async def test_only_an_admin_purges(site: Site) -> None:
    batch = await site.finish(await site.accepted(), DATA)
    admin = (await site.client.post("/keys", json={"name": "admin", "scopes": ["admin"]})).json()["secret"]
    as_admin = {"authorization": f"Bearer {admin}"}
    body = {"name": "uploads", "scopes": ["upload", "read"]}
    key = (await site.client.post("/keys", json=body, headers=as_admin)).json()["secret"]
    url = f"/batches/{batch['batchId']}?purge=true"
    refused = await site.client.delete(url, headers={"authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing-scope")
    assert len(site.stored()) == 2
    assert (await site.client.delete(url, headers=as_admin)).status_code == 204


async def test_a_callback_that_may_not_be_called_is_refused(site: Site) -> None:
    for url in (
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "http://2130706433/",
    ):
        answer = await site.send(("a.jpg", JPEG), fields={"callbackUrl": url})
        assert (answer.status_code, answer.json()["code"]) == (422, "address-refused"), url
    assert site.stored() == []
