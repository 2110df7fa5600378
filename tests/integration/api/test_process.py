"""POST /process-images, from the wire to the disk and the record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from pixelmill.records import tables
from tests.servers import LOOPBACK
from tests.sites import JPEG, Site, multipart

SiteWith = Callable[..., AbstractAsyncContextManager[Site]]


async def nothing_is_left(site: Site) -> None:
    assert site.stored() == []
    async with site.parts.database.read() as connection:
        for table in (tables.intents, tables.batches, tables.images):
            assert await connection.scalar(select(func.count()).select_from(table)) == 0


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, object] = answer.json()
    assert told["type"] == f"/problems/{code}"
    assert told["status"] == status
    assert told["detail"]
    return told


async def test_a_photo_is_taken(site: Site, photo: Path) -> None:
    answer = await site.send(("photo1.jpg", photo.read_bytes()))
    assert answer.status_code == 202
    told = answer.json()
    assert set(told) == {"batchId", "statusUrl", "totalFiles"}
    assert told["statusUrl"] == f"/batches/{told['batchId']}"
    assert told["totalFiles"] == 1
    assert answer.headers["location"] == told["statusUrl"]
    assert answer.headers["retry-after"] == "1"

    batch = (await site.client.get(told["statusUrl"])).json()
    job_id = batch["files"][0]["jobId"]
    assert batch["status"] == "waiting"
    assert batch["preset"] == "default"
    assert batch["progress"] == {"total": 1, "completed": 0, "failed": 0, "active": 0, "waiting": 1, "canceled": 0}
    key = f"originals/{told['batchId']}/{job_id}"
    assert site.stored() == [key]
    assert (site.settings.data_dir / "files" / key).read_bytes() == photo.read_bytes()


async def test_options_are_form_fields_or_in_the_query(site: Site) -> None:
    wanted = {"preset": "web", "priority": "3", "metadata": '{"order": [7, "ü"]}', "callbackUrl": "https://a.example/x"}
    for fields, query in ((wanted, {}), ({}, wanted), ({"preset": "web"}, wanted | {"preset": "instagram"})):
        answer = await site.send(("a.jpg", JPEG), fields=fields, **query)
        assert answer.status_code == 202, answer.text
        batch = await site.batch(answer.json()["batchId"])
        assert batch["preset"] == "web"
        assert batch["metadata"] == {"order": [7, "ü"]}


async def test_a_recipe_of_ones_own(site: Site) -> None:
    recipe = {"variants": [{"name": "a", "steps": [{"op": "resize", "width": 5}], "output": {"format": "png"}}]}
    batch = await site.accepted(recipe=json.dumps(recipe))
    assert batch["preset"] is None
    assert [variant["name"] for variant in batch["files"][0]["variants"]] == ["a"]


async def test_a_bad_file_beside_good_ones_fails_and_the_others_are_taken(site: Site) -> None:
    most = site.settings.max_file_bytes
    batch = await site.accepted(
        ("good.jpg", JPEG), ("note.txt", b"hello"), ("empty.jpg", b""), ("big.jpg", JPEG + bytes(most)), ("2.jpg", JPEG)
    )
    found = [(file["originalName"], file["state"], file["errorCode"]) for file in batch["files"]]
    assert found == [
        ("good.jpg", "waiting", None),
        ("note.txt", "failed", "unsupported-format"),
        ("empty.jpg", "failed", "empty-file"),
        ("big.jpg", "failed", "too-large"),
        ("2.jpg", "waiting", None),
    ]
    assert all(file["failedReason"] for file in batch["files"] if file["state"] == "failed")
    assert len(site.stored()) == 2


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ([], 400, "no-files"),
        ([("empty.jpg", b"")], 422, "empty-file"),
        ([("note.txt", b"hello")], 415, "unsupported-format"),
        ([("big.jpg", JPEG + bytes(5 * 1024 * 1024))], 413, "too-large"),
        ([("note.txt", b"hello"), ("empty.jpg", b"")], 422, "nothing-acceptable"),
        ([("a.jpg", JPEG)] * 11, 413, "too-many-files"),
    ],
)
async def test_a_request_with_nothing_to_do_is_refused_whole(
    site: Site, files: list[tuple[str, bytes]], status: int, code: str
) -> None:
    answer = await site.client.post(
        "/process-images",
        content=multipart(files) if files else b"--frontier--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=frontier"},
    )
    told = problem(answer, status, code)
    if code in ("empty-file", "nothing-acceptable"):
        assert [file["originalName"] for file in told["files"]] == [name for name, _ in files]  # type: ignore[attr-defined]
    await nothing_is_left(site)


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"preset": "nope"}, 422, "unknown-preset"),
        ({"recipe": "{"}, 422, "bad-recipe"),
        ({"recipe": '{"variants": [{"name": "a", "steps": [{"op": "nope"}]}]}'}, 422, "bad-recipe"),
        ({"preset": "web", "recipe": "{}"}, 400, "bad-request"),
        ({"priority": "-1"}, 400, "bad-request"),
        ({"priority": "131072"}, 400, "bad-request"),
        ({"priority": "1.5"}, 400, "bad-request"),
        ({"metadata": "[]"}, 400, "bad-request"),
        ({"metadata": '{"a": NaN}'}, 400, "bad-request"),
        ({"metadata": '{"a": "\\u0000"}'}, 400, "bad-request"),
        ({"metadata": '{"a": "\\ud800"}'}, 400, "bad-request"),
        ({"metadata": '{"a":' * 5000}, 400, "bad-request"),
        ({"metadata": json.dumps({"a": "x" * 17_000})}, 400, "bad-request"),
        ({"callbackUrl": "ftp://a.example/"}, 400, "bad-request"),
        ({"callbackUrl": "//a.example/"}, 400, "bad-request"),
        ({"callbackUrl": "https://user@a.example/"}, 400, "bad-request"),
        ({"callbackUrl": "https://a.example/ x"}, 400, "bad-request"),
        ({"callbackUrl": "https://[::1"}, 400, "bad-request"),
    ],
)
async def test_bad_options_are_refused_from_the_form_and_from_the_query(
    site: Site, options: dict[str, str], status: int, code: str
) -> None:
    problem(await site.send(("a.jpg", JPEG), fields=options), status, code)
    if sum(map(len, options.values())) < 10_000:
        problem(await site.send(("a.jpg", JPEG), **options), status, code)
    await nothing_is_left(site)


async def test_another_content_type_is_unsupported(site: Site) -> None:
    problem(await site.client.post("/process-images", json={}), 415, "unsupported-media-type")
    problem(await site.client.post("/process-images"), 415, "unsupported-media-type")
    problem(await site.client.post("/process-images", files={"photo": ("a.jpg", JPEG)}), 400, "bad-request")
    await nothing_is_left(site)


async def test_a_request_that_is_too_large_is_refused_by_its_header(site: Site) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, site.port)
    head = "POST /process-images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    writer.write(f"{head}Content-Length: 99999999999\r\n\r\n".encode())
    assert b" 413 " in await reader.readline()
    writer.close()
    await nothing_is_left(site)


async def test_a_request_of_unknown_length_is_counted(site_with: SiteWith) -> None:
    async with site_with(max_files=1, max_file_bytes=2000) as site:

        async def body():  # type: ignore[no-untyped-def]
            yield multipart([("a.jpg", JPEG)])[:-20]
            for _ in range(40):
                yield bytes(100_000)

        answer = await site.client.post(
            "/process-images",
            content=body(),
            headers={"Content-Type": "multipart/form-data; boundary=frontier"},
        )
        problem(answer, 413, "too-large-request")
        await nothing_is_left(site)


async def test_a_connection_that_is_cut_leaves_nothing(site: Site) -> None:
    body = multipart([("a.jpg", JPEG), ("b.jpg", JPEG + bytes(3_000_000))])
    head = (
        "POST /process-images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=frontier\r\n"
    )
    _, writer = await asyncio.open_connection(LOOPBACK, site.port)
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-500_000])
    await writer.drain()
    while not any(".part" in name for name in site.stored()):
        await asyncio.sleep(0.01)
    writer.close()
    while site.stored():
        await asyncio.sleep(0.01)
    # The record forgets after the bytes are gone.
    for _ in range(500):
        async with site.parts.database.read() as connection:
            if not await connection.scalar(select(func.count()).select_from(tables.intents)):
                break
        await asyncio.sleep(0.01)
    await nothing_is_left(site)


async def test_a_body_that_stands_still_is_ended(site_with: SiteWith) -> None:
    async with site_with(upload_idle_seconds=0.2) as site:
        reader, writer = await asyncio.open_connection(LOOPBACK, site.port)
        head = f"POST /process-images HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        writer.write(f"{head}Content-Length: 100000\r\n\r\n".encode() + multipart([("a.jpg", JPEG)], "b")[:500])
        assert b" 408 " in await reader.readline()
        writer.close()
        await nothing_is_left(site)


async def test_the_queue_may_be_down(site: Site) -> None:
    await site.parts.queue.close()
    broken = site.settings.model_copy(update={"redis_url": None, "redis_host": LOOPBACK, "redis_port": 1})
    site.parts.intake.queue.__init__(broken.redis, "images")  # type: ignore[misc]
    assert (await site.accepted())["status"] == "waiting"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                b"--b",
                b"--b--",
                b"\r\n",
                b"Content-Disposition: form-data; name=",
                b'"images"',
                b'; filename="a\0"',
                JPEG,
            ]
        ),
        max_size=12,
    ).map(b"".join),
    content_type=st.just("multipart/form-data; boundary=b")
    | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])).map(str.strip),
)
async def test_no_body_is_ever_a_fault(site: Site, body: bytes, content_type: str) -> None:
    answer = await site.client.post("/process-images", content=body, headers={"Content-Type": content_type})
    assert answer.status_code in (202, 400, 413, 415, 422), answer.text
    if answer.status_code != 202:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_full_disk_is_told_as_such_and_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(key: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site.parts.storage, "create", full)
    problem(await site.send(("a.jpg", JPEG)), 503, "storage-unavailable")
    assert site.stored() == []
