"""tus 1.0.0 as it is written: every refusal leaves the upload as it was, and what has come is not lost."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from pixelmill.pipeline import uploads
from pixelmill.pipeline.sweep import Sweeper
from pixelmill.records import uploads as records
from pixelmill.records.tables import now
from tests.sites import JPEG, Site
from tests.tenants import tenant

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = TUS | {"Content-Type": "application/offset+octet-stream"}


def metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


async def begin(site: Site, length: int, **headers: str) -> str:
    """The address of a new upload."""
    sent = TUS | {"Upload-Length": str(length)} | headers
    answer = await site.client.post("/uploads/tus", headers=sent)
    assert answer.status_code == 201, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    return answer.headers["location"]


async def patch(site: Site, where: str, offset: int, data: Any, **headers: str) -> httpx.Response:
    return await site.client.patch(where, content=data, headers=BYTES | {"Upload-Offset": str(offset)} | headers)


async def offset(site: Site, where: str) -> int:
    answer = await site.client.head(where, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


async def taken(site: Site, where: str) -> bytes:
    """What a batch gets of a finished upload."""
    upload_id = where.rpartition("/")[2]
    answer = await site.client.post("/batches", json={"sources": [{"uploadId": upload_id}]})
    assert answer.status_code == 202, answer.text
    batch = await site.batch(answer.json()["batchId"])
    held = await site.claim(batch["files"][0]["jobId"])
    assert held.key
    with await site.parts.storage.open(held.key, sha256=held.sha256) as file:
        data: bytes = file.read()
    assert hashlib.sha256(data).hexdigest() == held.sha256
    return data


async def test_the_server_tells_what_it_can(site: Site) -> None:
    answer = await site.client.options("/uploads/tus")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(site.settings.max_file_bytes)
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "checksum",
        "expiration",
    }
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


async def test_a_file_in_three_requests(site: Site) -> None:
    told = metadata(filename="häuser am see.jpg", filetype="image/jpeg")
    where = await begin(site, len(JPEG), **{"Upload-Metadata": told})
    at = 0
    for end in (1, 1000, len(JPEG)):
        answer = await patch(site, where, at, JPEG[at:end])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(end))
        assert "upload-expires" in answer.headers
        assert await offset(site, where) == end
        at = end
    head = await site.client.head(where, headers=TUS)
    assert head.headers["upload-length"] == str(len(JPEG))
    assert head.headers["upload-metadata"] == told
    assert await taken(site, where) == JPEG
    told_of = (await site.client.get(where)).json()
    assert (told_of["name"], told_of["state"]) == ("häuser am see.jpg", "taken")
    # The pieces are gone: one object is left.
    assert len(site.stored()) == 1


async def test_creation_may_bring_bytes(site: Site) -> None:
    headers = BYTES | {"Upload-Length": str(len(JPEG))}
    some = await site.client.post("/uploads/tus", content=JPEG[:100], headers=headers)
    assert (some.status_code, some.headers["upload-offset"]) == (201, "100")
    where = some.headers["location"]
    assert (await patch(site, where, 100, JPEG[100:])).status_code == 204
    assert await taken(site, where) == JPEG
    whole = await site.client.post("/uploads/tus", content=JPEG, headers=headers)
    assert await taken(site, whole.headers["location"]) == JPEG


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "5"}, 412, "tus-version"),
        ({"Tus-Resumable": "0.2.2", "Upload-Length": "5"}, 412, "tus-version"),
        (TUS, 400, "bad-request"),
        (TUS | {"Upload-Length": "-1"}, 400, "bad-request"),
        (TUS | {"Upload-Length": "many"}, 400, "bad-request"),
        (TUS | {"Upload-Length": "1e3"}, 400, "bad-request"),
        (TUS | {"Upload-Defer-Length": "1"}, 400, "bad-request"),
        (TUS | {"Upload-Length": "99999999999"}, 413, "too-large"),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "filename !!!"}, 400, "bad-request"),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "a YQ==,a YQ=="}, 400, "bad-request"),
    ],
)
async def test_what_cannot_be_begun(site: Site, headers: dict[str, str], status: int, code: str) -> None:
    answer = await site.client.post("/uploads/tus", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert ("tus-version" in answer.headers) == (status == 412)


async def test_a_refused_request_writes_nothing(site: Site) -> None:
    where = await begin(site, len(JPEG))
    assert (await patch(site, where, 0, JPEG[:100])).status_code == 204
    before = site.stored()
    good = BYTES | {"Upload-Offset": "100"}
    sum_of_other = base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    for headers, data, status in (
        (good | {"Content-Type": "application/octet-stream"}, b"abc", 415),
        ({k: v for k, v in good.items() if k != "Content-Type"}, b"abc", 415),
        (good | {"Tus-Resumable": "2.0.0"}, b"abc", 412),
        ({k: v for k, v in good.items() if k != "Tus-Resumable"}, b"abc", 412),
        (good | {"Upload-Offset": "99"}, b"abc", 409),
        (good | {"Upload-Offset": "101"}, b"abc", 409),
        (good | {"Upload-Offset": "x"}, b"abc", 400),
        (good | {"Upload-Checksum": f"sha1 {sum_of_other}"}, b"abc", 460),
        (good | {"Upload-Checksum": f"crc7 {sum_of_other}"}, b"abc", 400),
        (good | {"Upload-Checksum": "sha1 ???"}, b"abc", 400),
        (good, JPEG, 413),
    ):
        answer = await site.client.patch(where, content=data, headers=headers)
        assert answer.status_code == status, headers
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert await offset(site, where) == 100
        assert site.stored() == before
    wrong = await patch(site, where, 99, b"abc")
    assert wrong.headers["upload-offset"] == "100"
    assert (await site.client.head(where)).status_code == 412


async def test_a_body_longer_than_announced_is_cut(site: Site) -> None:
    where = await begin(site, 150)

    async def more() -> AsyncIterator[bytes]:
        yield JPEG[:100]
        yield JPEG[100:200]

    assert (await patch(site, where, 0, more())).status_code == 413
    assert await offset(site, where) == 0
    assert site.stored() == []


async def test_a_checksum_that_is_right(site: Site) -> None:
    where = await begin(site, len(JPEG))
    for name in ("sha1", "sha256", "md5"):
        at = await offset(site, where)
        data = JPEG[at : at + 500] if name != "md5" else JPEG[at:]
        value = base64.b64encode(hashlib.new(name, data).digest()).decode()
        answer = await patch(site, where, at, data, **{"Upload-Checksum": f"{name} {value}"})
        assert answer.status_code == 204, name
    assert await taken(site, where) == JPEG


async def test_one_writer_at_a_time_and_what_came_before_a_cut_is_kept(site: Site) -> None:
    where = await begin(site, len(JPEG))
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = f"PATCH {where} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(JPEG)}\r\nUpload-Offset: 0\r\n"
    writer.write(head.encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in BYTES.items()) + b"\r\n" + JPEG[:700])
    await writer.drain()
    while True:  # until the first one is in
        second = await patch(site, where, 0, b"")
        if second.status_code == 423:
            break
        await asyncio.sleep(0.01)
    assert second.json()["code"] == "locked"
    writer.close()
    async with asyncio.timeout(20):
        while await offset(site, where) == 0:
            await asyncio.sleep(0.02)
    at = await offset(site, where)
    assert at == 700
    async with asyncio.timeout(20):
        while (answer := await patch(site, where, at, JPEG[at:])).status_code == 423:
            await asyncio.sleep(0.02)
    assert answer.status_code == 204
    assert await taken(site, where) == JPEG
    del reader


async def test_the_writer_of_a_dead_process_holds_nothing(site: Site) -> None:
    where = await begin(site, len(JPEG))
    upload_id = where.rpartition("/")[2]
    await records.hold(site.parts.database, upload_id, "zombie", "dead-process", writing=())
    assert (await patch(site, where, 0, JPEG)).status_code == 204
    # What it writes late is refused.
    assert not await records.advance(
        site.parts.database, upload_id, "zombie", start=0, end=5, metadata={}, expires_at=now()
    )


async def test_large_files_go_in_pieces(
    site_with: Callable[..., AbstractAsyncContextManager[Site]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE", 64 * 1024)
    async with site_with() as site:
        data = JPEG + os.urandom(500_000)
        where = await begin(site, len(data))
        assert (await patch(site, where, 0, data[:300_000])).status_code == 204
        assert len(site.stored()) == 5
        assert (await patch(site, where, 300_000, data[300_000:])).status_code == 204
        assert len(site.stored()) == 1
        assert await taken(site, where) == data


async def test_termination(site: Site) -> None:
    where = await begin(site, len(JPEG))
    assert (await patch(site, where, 0, JPEG[:100])).status_code == 204
    assert (await site.client.delete(where)).status_code == 412
    assert (await site.client.delete(where, headers=TUS)).status_code == 204
    assert site.stored() == []
    assert (await site.client.head(where, headers=TUS)).status_code == 404
    assert (await patch(site, where, 100, JPEG[100:])).status_code == 404


async def test_clients_that_can_only_post(site: Site) -> None:
    where = await begin(site, len(JPEG))
    headers = BYTES | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await site.client.post(where, content=JPEG, headers=headers)).status_code == 204
    gone = await site.client.post(where, headers=TUS | {"X-HTTP-Method-Override": "DELETE"})
    assert gone.status_code == 204
    assert site.stored() == []


async def test_what_is_never_finished_is_deleted(site: Site) -> None:
    where = await begin(site, len(JPEG))
    assert (await patch(site, where, 0, JPEG[:100])).status_code == 204
    at = now() + datetime.timedelta(seconds=site.settings.upload_expire_seconds + 1)
    await Sweeper(site.parts.database, site.parts.storage, site.settings, clock=lambda: at).round()
    assert site.stored() == []
    assert (await site.client.head(where, headers=TUS)).status_code == 404


async def test_no_image_is_no_image_however_it_came(site: Site) -> None:
    for data, code in ((b"plain text", "unsupported-format"), (b"", "empty-file")):
        where = await begin(site, len(data))
        if data:
            assert (await patch(site, where, 0, data)).status_code == 204
        answer = await site.client.post("/batches", json={"sources": [{"uploadId": where.rpartition("/")[2]}]})
        assert answer.json()["code"] == code


async def test_another_tenant_s_upload_is_not_there(site: Site) -> None:
    async with tenant(site, "acme") as acme, tenant(site, "bolt") as bolt:
        made = await acme.client.post("/uploads/tus", headers=TUS | {"Upload-Length": "5"})
        where = made.headers["location"]
        assert (await bolt.client.head(where, headers=TUS)).status_code == 404
        assert (await bolt.client.patch(where, content=b"x", headers=BYTES | {"Upload-Offset": "0"})).status_code == 404
        assert (await bolt.client.delete(where, headers=TUS)).status_code == 404
        source = {"sources": [{"uploadId": where.rpartition("/")[2]}]}
        assert (await bolt.client.post("/batches", json=source)).status_code == 404


@rules(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum", "Content-Type"]
        ),
        st.one_of(
            st.sampled_from(["1.0.0", "0", "7", "application/offset+octet-stream", "sha1 YQ==", "filename YQ=="]),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
        ),
    ),
    body=st.binary(max_size=64),
)
async def test_arbitrary_bytes_are_answered_and_nothing_breaks(
    site: Site, headers: dict[str, str], body: bytes
) -> None:
    sent = {name: value.strip() for name, value in headers.items()}
    answer = await site.client.post("/uploads/tus", content=body, headers=sent)
    assert answer.status_code in (201, 400, 412, 413, 415, 460), answer.text
    where = await begin(site, 64)
    answer = await site.client.patch(where, content=body, headers=sent)
    assert answer.status_code in (204, 400, 409, 412, 413, 415, 460), answer.text
    assert await offset(site, where) == (len(body) if answer.status_code == 204 else 0)


CLIENT = """
const fs = require('fs');
const tus = require('tus-js-client');
const [endpoint, path, chunk, stop] = process.argv.slice(2);
const size = fs.statSync(path).size;
let aborted = false;
const upload = new tus.Upload(fs.createReadStream(path), {
  endpoint, uploadSize: size, chunkSize: Number(chunk), retryDelays: [0, 100, 200, 400, 800, 1600, 3200],
  metadata: {filename: 'from node.jpg', filetype: 'image/jpeg'},
  onError: (error) => { console.error(String(error)); process.exit(1); },
  onSuccess: () => { console.log(JSON.stringify({url: upload.url})); },
});
upload.start();
"""


@pytest.fixture(scope="session")
def tus_js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the client that browsers use is installed."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not on this machine")
    folder = tmp_path_factory.mktemp("tus")
    (folder / "package.json").write_text(json.dumps({"name": "client", "private": True}))
    (folder / "client.js").write_text(CLIENT)
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "tus-js-client@4"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"tus-js-client cannot be installed: {done.stderr[-300:]}")
    return folder


@pytest.mark.parametrize("chunk", ["300000", "Infinity"])
async def test_the_client_that_browsers_use(site: Site, tus_js: Path, photo: Path, chunk: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "node",
        "client.js",
        f"{site.url}/uploads/tus",
        str(photo),
        chunk,
        cwd=tus_js,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    where = httpx.URL(json.loads(said)["url"]).path
    assert (await site.client.get(where)).json()["name"] == "from node.jpg"
    assert await taken(site, where) == photo.read_bytes()


async def test_a_killed_api_loses_nothing_that_it_told(start_service: Any, photo: Path, tmp_path: Path) -> None:
    """kill -9 between two requests and in the middle of one: the offset is what is stored for good."""
    data = photo.read_bytes()
    service = start_service(data_dir=tmp_path / "data")
    async with httpx.AsyncClient(base_url=service.base_url, timeout=30) as client:
        made = await client.post("/uploads/tus", headers=TUS | {"Upload-Length": str(len(data))})
        where = made.headers["location"]
        sent = await client.patch(where, content=data[:50_000], headers=BYTES | {"Upload-Offset": "0"})
        assert sent.status_code == 204
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(service.base_url).port)
        head = f"PATCH {where} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(data) - 50_000}\r\n"
        head += "Upload-Offset: 50000\r\n" + "".join(f"{k}: {v}\r\n" for k, v in BYTES.items()) + "\r\n"
        writer.write(head.encode() + data[50_000:90_000])
        await writer.drain()
        [api] = [pid for pid, line in service.family().items() if "api" in line.split()[1:]]
        os.kill(api, signal.SIGKILL)
        writer.close()
        async with asyncio.timeout(60):
            while True:
                try:
                    at = int((await client.head(where, headers=TUS)).headers["upload-offset"])
                    answer = await client.patch(where, content=data[at:], headers=BYTES | {"Upload-Offset": str(at)})
                    if answer.status_code == 204:
                        break
                    assert answer.status_code in (409, 423, 503), answer.text
                except (httpx.TransportError, KeyError):
                    pass
                await asyncio.sleep(0.1)
        assert at >= 50_000
        batch = await client.post("/batches", json={"sources": [{"uploadId": where.rpartition("/")[2]}]})
        assert batch.status_code == 202, batch.text
        async with asyncio.timeout(60):
            while (told := (await client.get(batch.json()["statusUrl"])).json())["status"] != "completed":
                assert told["status"] in ("waiting", "processing"), told
                await asyncio.sleep(0.1)
    del reader
