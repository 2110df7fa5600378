"""``/batches/{id}/archive`` on the wire: a ZIP that any tool opens, safe to unpack, as large as it may be."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from pixelmill.pipeline import archive
from pixelmill.records import batches
from pixelmill.records.tables import variants
from tests.servers import find_program
from tests.sites import JPEG, Site

DATA = JPEG[:700]


def opened(answer: httpx.Response) -> zipfile.ZipFile:
    assert answer.status_code == 200, answer.text
    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    return found


async def test_every_result_and_a_manifest(site: Site) -> None:
    batch = await site.finish(await site.accepted(("one.jpg", JPEG), ("one.jpg", JPEG), preset="default"), DATA)
    assert batch["links"]["archive"] == f"/batches/{batch['batchId']}/archive"
    answer = await site.client.get(batch["links"]["archive"])
    found = opened(answer)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{batch["batchId"]}.zip"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert found.namelist() == ["one-default.jpg", "one-default (2).jpg", "manifest.json"]
    assert {entry.compress_type for entry in found.infolist()} == {zipfile.ZIP_STORED}
    manifest = json.loads(found.read("manifest.json"))
    assert (manifest["batchId"], manifest["status"], manifest["missing"]) == (batch["batchId"], "completed", [])
    for file, told in zip(batch["files"], manifest["files"], strict=True):
        data = found.read(told["name"])
        assert data == DATA
        assert (told["bytes"], told["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert (told["jobId"], told["originalName"], told["variant"]) == (file["jobId"], "one.jpg", "default")


async def test_head_tells_its_length_and_reads_nothing(site: Site) -> None:
    batch = await site.finish(await site.accepted(), DATA)
    path = f"/batches/{batch['batchId']}/archive"
    whole = await site.client.get(path)
    for stored in (site.settings.data_dir / "files" / "processed").rglob("*.jpg"):
        stored.unlink()
    head = await site.client.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))
    assert head.headers["content-type"] == "application/zip"


async def test_who_goes_away_in_the_middle_leaves_nothing_running(site: Site) -> None:
    batch = await site.finish(await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG)), bytes(30_000_000))
    async with site.client.stream("GET", f"/batches/{batch['batchId']}/archive") as answer:
        async for _ in answer.aiter_raw(1000):
            break
    assert (await site.client.get("/livez")).status_code == 200


async def test_what_clients_call_their_files_cannot_leave_the_folder(site: Site, tmp_path: Path) -> None:
    names = ["../../evil.jpg", "/etc/cron.d/evil.jpg", "..\\..\\evil.jpg", "nul.jpg", "a\u202egpj.exe", "\u5bb6.jpg"]
    batch = await site.finish(await site.accepted(*((name, JPEG) for name in names)), DATA)
    answer = await site.client.get(f"/batches/{batch['batchId']}/archive")
    found = opened(answer).namelist()
    assert len(found) == len({name.casefold() for name in found}) == 7
    folder = tmp_path / "unpacked"
    # Where a tool would put them that believes the names, on Unix and on Windows.
    for name in found:
        assert (folder / name).resolve().parent == (folder / name.replace("\\", "/")).resolve().parent == folder, name
    folder.mkdir()
    (tmp_path / "a.zip").write_bytes(answer.content)
    subprocess.run(["python3", "-m", "zipfile", "-e", tmp_path / "a.zip", folder], check=True)
    unpacked = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    assert unpacked == sorted(found)
    assert all("/" not in name and "\\" not in name for name in found)


async def test_other_tools_open_it(site: Site, tmp_path: Path) -> None:
    try:
        unzip = find_program("unzip")
    except RuntimeError:
        pytest.skip("no unzip on this machine")
    batch = await site.finish(await site.accepted(("\u5bb6.jpg", JPEG)), DATA)
    (tmp_path / "a.zip").write_bytes((await site.client.get(f"/batches/{batch['batchId']}/archive")).content)
    subprocess.run([unzip, "-t", tmp_path / "a.zip"], check=True, capture_output=True)


async def test_it_is_not_ready_before_the_end_unless_asked_for_what_there_is(site: Site) -> None:
    batch = await site.accepted(("one.jpg", JPEG), ("two.jpg", JPEG))
    path = f"/batches/{batch['batchId']}/archive"
    for query in ("", "?partial=true"):
        answer = await site.client.get(path + query)
        assert (answer.status_code, answer.json()["code"]) == (409, "not-ready")
    assert (await site.client.get(path)).headers["retry-after"] == "2"
    await site.make(await site.claim(batch["files"][0]["jobId"]), DATA)
    assert (await site.client.get(path)).status_code == 409
    found = opened(await site.client.get(f"{path}?partial=true"))
    assert found.namelist() == ["one-default.jpg", "manifest.json"]
    (missing,) = json.loads(found.read("manifest.json"))["missing"]
    assert (missing["originalName"], missing["state"]) == ("two.jpg", "waiting")


async def test_an_image_that_failed_is_no_hindrance(site: Site) -> None:
    batch = await site.finish(await site.accepted(("good.jpg", JPEG), ("bad.jpg", b"no image")), DATA)
    found = opened(await site.client.get(f"/batches/{batch['batchId']}/archive"))
    (missing,) = json.loads(found.read("manifest.json"))["missing"]
    assert (missing["originalName"], missing["errorCode"]) == ("bad.jpg", "unsupported-format")


@pytest.mark.parametrize("size", [None, 10, 5000])
async def test_a_result_that_is_gone_or_another_breaks_the_transfer_off(site: Site, size: int | None) -> None:
    batch = await site.finish(await site.accepted(("a.jpg", JPEG), ("b.jpg", JPEG)), DATA)
    folder = site.settings.data_dir / "files" / "processed" / batch["batchId"] / batch["files"][1]["jobId"]
    for path in folder.iterdir():
        path.unlink() if size is None else path.write_bytes(bytes(size))
    with pytest.raises(httpx.RemoteProtocolError):
        await site.client.get(f"/batches/{batch['batchId']}/archive")


async def test_memory_stays_flat_however_large_it_is(site: Site) -> None:
    """Results of 256 MB in all pass through in chunks, and no more than a few of them are held."""
    batch = await site.accepted(("large.jpg", JPEG), ("larger.jpg", JPEG))
    made = await site.finish(batch, DATA)
    large = 128 * 1024 * 1024
    for path in (site.settings.data_dir / "files" / "processed").rglob("*.jpg"):
        with path.open("r+b") as file:
            file.truncate(large)
    async with site.parts.database.write() as tx:
        await tx.execute(update(variants).values(bytes=large))
    found = await batches.find(site.parts.database, made["batchId"])
    assert found
    plan = await archive.plan(site.parts.database, found)
    tracemalloc.start()
    size = 0
    async for chunk in plan.stream(site.parts.storage):
        size += len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == plan.length > 2 * large
    assert peak < 16 * 1024 * 1024
