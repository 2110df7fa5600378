"""What only an object store can do wrong: the line fails, the settings are wrong, memory fills."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.storage import Storage, connect, object_store
from pixelmill.storage.object_store import PART, RETRIES
from tests.integration.storage.conftest import s3_settings
from tests.proxy import SLOW_DOWN, Fault, Proxy, Request, answer
from tests.servers import S3, free_port


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same retries, with shorter waits."""
    waits = {"init_backoff": timedelta(milliseconds=5), "max_backoff": timedelta(milliseconds=50), "base": 2}
    monkeypatch.setitem(RETRIES, "backoff", waits)  # type: ignore[arg-type]


@pytest.fixture
def storage(s3: S3, proxy: Proxy) -> Storage:
    """The S3 server behind the line."""
    return connect(s3_settings(s3, aws_endpoint_url=proxy.url))


async def read(storage: Storage, key: str) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key)])


async def write(storage: Storage, key: str, data: bytes) -> None:
    writer = await storage.create(key)
    try:
        for start in range(0, len(data), 1_000_000):
            await writer.write(data[start : start + 1_000_000])
        await writer.commit()
    except OSError:
        await writer.abort()
        raise


def first(times: int, fault: Fault) -> Callable[[Request], Fault | None]:
    """The fault for the first ``times`` tries of each request, as method and target without the query's values."""
    counted: dict[str, int] = {}

    def decide(request: Request) -> Fault | None:
        number = counted[name] = counted.get(name := f"{request.method} {request.target}", 0) + 1
        return fault if number <= times else None

    return decide


BUSY = [answer("503 Slow Down", SLOW_DOWN), answer("500 Internal Server Error"), answer("502 Bad Gateway"), b""]


@pytest.mark.parametrize("reply", BUSY, ids=["slow-down", "500", "502", "cut"])
@pytest.mark.parametrize("size", [1_000, 2 * PART + 1_000], ids=["small", "large"])
async def test_a_store_that_is_busy_or_gone_for_a_moment_is_asked_again(
    storage: Storage, proxy: Proxy, reply: bytes, size: int
) -> None:
    data = os.urandom(size)
    proxy.faults = first(2, Fault(reply))
    await write(storage, "originals/b/i", data)
    with await storage.open("originals/b/i") as file:
        assert file.read() == data
    stat = await storage.stat("originals/b/i")
    assert stat
    assert [one.key async for one in storage.list("originals/")] == ["originals/b/i"]
    await storage.delete(["originals/b/i"])
    assert await storage.stat("originals/b/i") is None
    assert sum(request.method == "PUT" for request in proxy.seen) >= 3


async def test_a_store_that_stays_gone_is_an_os_error_and_leaves_nothing(
    s3: S3, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RETRIES, "max_retries", 2)
    storage = connect(s3_settings(s3, "gone", aws_endpoint_url=proxy.url))
    direct = connect(s3_settings(s3, "gone"))
    proxy.faults = lambda request: Fault(BUSY[0]) if request.method in ("PUT", "GET") else None
    with pytest.raises(OSError, match="Writing failed: SlowDown") as caught:
        await write(storage, "originals/b/i", b"x")
    assert s3.secret_key not in str(caught.value)
    with pytest.raises(OSError, match="Reading failed: SlowDown"):
        await storage.open("originals/b/i")
    # The third part of a large object does not go through
    proxy.faults = lambda request: Fault(BUSY[1]) if "partNumber=3" in request.target else None
    with pytest.raises(OSError, match="Writing failed: HTTP status 500"):
        await write(storage, "originals/b/j", os.urandom(5 * PART))
    assert [one async for one in direct.list("")] == []
    assert await direct.delete_prefix("originals/") == 0


async def test_a_large_upload_whose_process_died_is_swept(s3: S3) -> None:
    dies = (
        "import asyncio, os, sys; from pixelmill.settings import Settings; from pixelmill.storage import connect\n"
        "async def main():\n"
        "    writer = await connect(Settings(_env_file=None)).create('originals/b/i')\n"
        "    for _ in range(30): await writer.write(os.urandom(1_000_000))\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    env = {**os.environ, **s3.env(), "PIXELMILL_STORAGE_URL": f"s3://{s3.bucket}/died"}
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", dies], env=env, check=False)
    assert done.returncode == 9
    storage = connect(s3_settings(s3, "died"))
    assert [one async for one in storage.list("")] == []
    assert await storage.delete_prefix("originals/a/") == 0
    assert await storage.delete_prefix("originals/b/") == 1
    assert await storage.delete_prefix("originals/b/") == 0


async def test_bytes_changed_on_their_way_to_the_store_are_refused_by_it(storage: Storage, proxy: Proxy) -> None:
    proxy.faults = lambda request: Fault(flip=True) if request.method == "PUT" else None
    with pytest.raises(OSError, match="Writing failed"):
        await storage.put("a/b", b"bytes")
    with pytest.raises(OSError, match="Writing failed"):
        await write(storage, "a/c", os.urandom(2 * PART))
    proxy.faults = lambda request: None
    assert [one async for one in storage.list("")] == []


async def test_bytes_that_are_not_those_stored_are_not_worked_on(storage: Storage) -> None:
    await storage.put("a/b", b"others")
    with pytest.raises(OSError, match="not what was stored"):
        await storage.open("a/b", sha256=hashlib.sha256(b"bytes").hexdigest())


async def test_a_download_that_breaks_off_goes_on_where_it_broke(storage: Storage, proxy: Proxy) -> None:
    data = os.urandom(6_000_000)
    await storage.put("a/b", data)
    cuts = iter([1_500_000, 700, 2_000_000])
    proxy.faults = lambda request: Fault(cut=next(cuts, None)) if request.method == "GET" else None
    with await storage.open("a/b", sha256=hashlib.sha256(data).hexdigest()) as file:
        assert file.read() == data
    cuts = iter([1_500_000, 700, 2_000_000])
    assert b"".join([chunk async for chunk in storage.read("a/b", 1000, 5_000_000)]) == data[1000:5_000_000]


async def test_a_download_that_breaks_off_for_ever_is_an_error(storage: Storage, proxy: Proxy) -> None:
    await storage.put("a/b", os.urandom(3_000_000))
    cuts = iter([500_000])
    proxy.faults = lambda request: Fault(cut=next(cuts, 300)) if request.method == "GET" else None
    with pytest.raises(OSError, match="Reading failed"):
        await storage.open("a/b")


@pytest.mark.parametrize("keep", [object_store.IN_MEMORY, 0], ids=["memory", "file"])
async def test_an_opened_object_has_no_name(storage: Storage, monkeypatch: pytest.MonkeyPatch, keep: int) -> None:
    monkeypatch.setattr(object_store, "IN_MEMORY", keep)
    await storage.put("a/b", b"bytes")
    with await storage.open("a/b") as file:
        assert file.read() == b"bytes"
        assert os.fstat(file.fileno()).st_nlink == 0
        assert os.get_inheritable(file.fileno()) is False


async def test_memory_stays_flat_however_large_the_object(s3: S3) -> None:
    """150 MB up and down in a process of its own, whose peak is read from the kernel."""
    work = (
        "import asyncio, hashlib, resource, sys\n"
        "from pixelmill.settings import Settings; from pixelmill.storage import connect, object_store\n"
        "async def main():\n"
        "    storage = connect(Settings(_env_file=None)); chunk = bytes(range(256)) * 4096\n"
        "    await storage.put('flat/small', chunk); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    writer = await storage.create('flat/large')\n"
        "    for _ in range(150): await writer.write(chunk)\n"
        "    await writer.commit()\n"
        "    size = 0\n"
        "    async for part in storage.read('flat/large'): size += len(part)\n"
        "    assert size == 150 * len(chunk), size\n"
        "    (await storage.open('flat/large')).close()\n"
        "    await storage.delete_prefix('flat/')\n"
        "    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
        "asyncio.run(main())\n"
    )
    env = {**os.environ, **s3.env()}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", work], env=env, check=True, capture_output=True
    )
    assert int(done.stdout) < 70, f"it grew by {int(done.stdout)} MB"


async def test_a_process_that_ends_at_once_ends_well(s3: S3) -> None:
    work = (
        "import asyncio; from pixelmill.settings import Settings; from pixelmill.storage import connect\n"
        "asyncio.run(connect(Settings(_env_file=None)).put('end/x', b'x'))\n"
    )
    env = {**os.environ, **s3.env()}
    for _ in range(5):
        done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", work], env=env, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [
        ({"storage_url": "s3://no-such-bucket"}, r"no-such-bucket.*PIXELMILL_STORAGE_URL"),
        ({"aws_access_key_id": "nobody"}, "AWS_ACCESS_KEY_ID"),
        ({"aws_secret_access_key": "very-secret"}, "AWS_SECRET_ACCESS_KEY"),
        ({"aws_endpoint_url": "http://127.0.0.1:{port}"}, r"127.0.0.1:\d+.*AWS_ENDPOINT_URL"),
        ({"aws_endpoint_url": "https://127.0.0.1:{port}"}, "AWS_ENDPOINT_URL"),
        ({"aws_endpoint_url": "no address"}, "AWS_ENDPOINT_URL"),
        ({"aws_endpoint_url": "127.0.0.1:9000"}, "AWS_ENDPOINT_URL"),
        ({"aws_endpoint_url": "http://key:very-secret@127.0.0.1:9000"}, "AWS_ENDPOINT_URL"),
        ({"storage_public_url": "http://files.example:port"}, "PIXELMILL_STORAGE_PUBLIC_URL"),
    ],
)
async def test_a_wrong_setting_is_named(
    s3: S3, wrong: dict[str, str], setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    filled = {name: value.format(port=free_port()) for name, value in wrong.items()}
    with pytest.raises(PixelmillError, match=setting) as caught:
        await connect(s3_settings(s3, **filled)).check()
    assert caught.value.code == "storage-unavailable"
    for said in (caplog.text, *traceback.format_exception(caught.value)):
        assert s3.secret_key not in said
        assert "very-secret" not in said
