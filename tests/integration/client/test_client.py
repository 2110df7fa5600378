"""Both clients against the real API, and through a line that breaks."""

from __future__ import annotations

import functools
import inspect
import io
import itertools
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from pixelmill.client import AsyncClient, Client, ConnectionLost, ProblemError, TimedOut
from pixelmill.records import batches, events, work
from pixelmill.records.claims import Failure, Report
from tests.proxy import Fault, Proxy, Request
from tests.sites import JPEG, Site
from tests.tenants import tenant

#: More than one piece for every line.
LARGE = bytes(range(256)) * 1500


class Both:
    """Calls either client in the same words: what iterates gives a list, of ``most`` if it has no end."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        async def call(*args: Any, most: int | None = None, **options: Any) -> Any:
            if isinstance(self.client, Client):
                return await anyio.to_thread.run_sync(functools.partial(_blocking, method, most, *args, **options))
            found = method(*args, **options)
            return await _some(found, most) if inspect.isasyncgen(found) else await found

        return call


def _blocking(method: Callable[..., Any], most: int | None, *args: Any, **options: Any) -> Any:
    found = method(*args, **options)
    return list(itertools.islice(found, most)) if inspect.isgenerator(found) else found


async def _some(found: AsyncGenerator[Any, None], most: int | None) -> list[Any]:
    some: list[Any] = []
    async with aclosing(found):
        async for one in found:
            some.append(one)
            if len(some) == most:
                break
    return some


@asynccontextmanager
async def client_at(kind: str, url: str, key: str | None = None, **options: Any) -> AsyncIterator[Both]:
    if kind == "blocking":
        with Client(url, key, **options) as client:
            yield Both(client)
    else:
        async with AsyncClient(url, key, **options) as client:
            yield Both(client)


@pytest.fixture(params=["blocking", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def mill(kind: str, site: Site) -> AsyncIterator[Both]:
    async with client_at(kind, site.url) as both:
        yield both


async def test_an_upload_with_all_it_may_carry(mill: Both, site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    seen: list[tuple[int, int]] = []
    batch = await mill.submit(
        [tmp_path / "a.jpg", ('q"é.jpg', JPEG), ("c.jpg", io.BytesIO(JPEG))],
        recipe={"variants": [{"name": "small", "steps": [{"op": "resize", "width": 64}]}]},
        metadata={"order": 7, "name": "é"},
        priority=3,
        retention={"originals": 60},
        on_progress=lambda sent, total: seen.append((sent, total)),
    )
    assert (batch.status, batch.progress.total, batch.metadata) == ("waiting", 3, {"order": 7, "name": "é"})
    assert [one.original_name for one in batch.files] == ["a.jpg", 'q"é.jpg', "c.jpg"]
    assert [one.name for one in batch.files[0].variants] == ["small"]
    found = await batches.find(site.parts.database, batch.batch_id)
    assert found
    assert (found.priority, found.retention.keep_originals) == (3, 60)
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 3 * len(JPEG)


async def test_addresses_are_fetched_by_the_service(mill: Both) -> None:
    urls = ["https://example.com/a.jpg", "https://example.com/%C3%A9.png"]
    batch = await mill.submit(urls=urls, preset="thumbnail", metadata={"order": 7})
    assert [one.original_name for one in batch.files] == ["a.jpg", "é.png"]
    assert (batch.status, batch.preset, batch.metadata) == ("waiting", "thumbnail", {"order": 7})
    with pytest.raises(ProblemError, match="address-refused"):
        await mill.submit(urls=["http://127.0.0.1/a.jpg"])


async def test_follow_fetch_and_archive(mill: Both, site: Site, tmp_path: Path) -> None:
    batch = await site.accepted(("a.jpg", JPEG), ("a.jpg", JPEG))
    with pytest.raises(TimedOut):
        await mill.wait(batch["batchId"], timeout=0.3)
    await site.finish(batch, LARGE)
    names: list[str] = []
    over = await mill.wait(batch["batchId"], lambda event: names.append(event.event))
    assert (over.status, over.over) == ("completed", True)
    assert (names[0], names[-1], names.count("image.completed")) == ("batch.accepted", "batch.completed", 2)
    files = await mill.download(over, tmp_path / "out")
    assert [path.name for path in files] == ["a-default.jpg", "a-default (2).jpg"]
    assert [path.read_bytes() for path in files] == [LARGE, LARGE]
    (one,) = await mill.download(over.files[0].variants[0], tmp_path / "one")
    assert one.read_bytes() == LARGE
    path = await mill.archive(over.batch_id, tmp_path / "deep" / "all.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3
    # Nothing half-made is left.
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-default (2).jpg", "a-default.jpg"]


async def test_lists_jobs_retry_and_dead_letters(mill: Both, site: Site) -> None:
    made = [await site.accepted() for _ in range(3)]
    ids = [one["batchId"] for one in made]
    assert [one.batch_id for one in await mill.batches()] == ids[::-1]
    assert [one.batch_id for one in await mill.batches(limit=2)] == ids[:0:-1]
    job_id = made[0]["files"][0]["jobId"]
    await work.fail(site.parts.database, await site.claim(job_id), Failure("timeout", "Too slow."), Report())
    assert [one.batch_id for one in await mill.batches("completed-with-errors")] == ids[:1]
    (letter,) = await mill.dead_letters()
    assert (letter.job_id, letter.error_code, letter.failed_reason) == (job_id, "timeout", "Too slow.")
    assert (await mill.retry(job_id)).state == "waiting"
    await work.fail(site.parts.database, await site.claim(job_id), Failure("timeout", "Too slow."), Report())
    assert (await mill.replay_dead_letters(code="timeout")).replayed == 1
    await work.fail(site.parts.database, await site.claim(job_id), Failure("timeout", "Too slow."), Report())
    assert (await mill.replay_dead_letter(job_id)).state == "waiting"
    await work.fail(site.parts.database, await site.claim(job_id), Failure("timeout", "Too slow."), Report())
    assert (await mill.purge_dead_letters(batch_id=ids[0])).purged == 1
    assert await mill.dead_letters() == []
    assert len((await mill.job(job_id)).attempts) == 4
    assert (await mill.cancel_job(made[1]["files"][0]["jobId"])).state == "canceled"
    assert (await mill.cancel(ids[2])).status == "canceled"
    await mill.delete(ids[2])
    with pytest.raises(ProblemError) as caught:
        await mill.batch(ids[2])
    assert (caught.value.type, caught.value.code, caught.value.status) == ("/problems/not-found", "not-found", 404)
    assert "default" in [one.name for one in await mill.presets()]
    assert (await mill.limits()).max_files == site.settings.max_files


async def test_refusals_are_told_with_all_they_say(mill: Both) -> None:
    with pytest.raises(ProblemError) as caught:
        await mill.submit(("a.jpg", JPEG), recipe={"variants": [{"name": "a", "steps": [{"op": "nonsense"}]}]})
    assert caught.value.code == "bad-recipe"
    assert caught.value.extra["pointer"].startswith("/variants/0")
    with pytest.raises(ProblemError, match="no-files"):
        await mill.submit([])


async def test_a_key_opens_and_an_upload_key_need_not_read(site: Site, kind: str) -> None:
    async with tenant(site, "acme", ["upload"]) as acme:
        async with client_at(kind, site.url, acme.secret) as both:
            batch = await both.submit(("a.jpg", JPEG))
            assert (batch.status, batch.progress.total, batch.files) == ("waiting", 1, ())
        async with client_at(kind, site.url) as nobody:
            with pytest.raises(ProblemError, match="no-key"):
                await nobody.batch(batch.batch_id)


async def test_files_of_a_large_batch_are_fetched_page_by_page(
    site_with: Callable[..., Any], kind: str, tmp_path: Path
) -> None:
    async with site_with(max_files=250) as site, client_at(kind, site.url) as mill:
        batch = await mill.submit([(f"{number}.jpg", JPEG) for number in range(230)])
        assert [one.original_name for one in batch.files] == [f"{number}.jpg" for number in range(230)]


async def test_a_stream_that_is_cut_again_and_again_has_no_gap_and_no_repeat(site: Site, kind: str) -> None:
    batch = await site.finish(await site.accepted(*[(f"{number}.jpg", JPEG) for number in range(10)]))

    def cut(request: Request) -> Fault:
        return Fault(cut=1300)  # headers, and a few events: only who goes on where it broke gets to the end

    async with Proxy(site.url, cut) as proxy, client_at(kind, proxy.url) as mill:
        told = await mill.watch(batch["batchId"])
    assert [one.id for one in told] == [*range(1, len(told) + 1)]
    assert (told[0].event, told[-1].event) == ("batch.accepted", "batch.completed")
    assert len(proxy.seen) > 5
    found = await batches.find(site.parts.database, batch["batchId"])
    assert found
    assert found.seq == len(told)


async def test_the_log_of_all_batches_is_followed_over_every_break(site: Site, kind: str) -> None:
    first, second = [await site.finish(await site.accepted()) for _ in range(2)]
    log = [one.event for one in await events.beyond(site.parts.database, events.Place(0), 100)]

    def cut(request: Request) -> Fault:
        return Fault(cut=1300)  # headers, and a few events

    async with Proxy(site.url, cut) as proxy, client_at(kind, proxy.url) as mill:
        told = await mill.watch_all("0", most=len(log))
    assert [(one.batch_id, one.event, one.job_id) for one in told] == [
        (one.batch_id, one.event, one.job_id) for one in log
    ]
    assert {one.batch_id for one in told} == {first["batchId"], second["batchId"]}
    assert len(proxy.seen) > 3
    async with client_at(kind, site.url) as mill:
        later = await mill.watch_all(told[2].place, most=len(log) - 3)
        assert later == told[3:]
        with pytest.raises(ProblemError, match="bad-request"):
            await mill.watch_all("nonsense", most=1)


async def test_a_download_goes_on_where_it_broke(site: Site, kind: str, tmp_path: Path) -> None:
    batch = await site.finish(await site.accepted(), LARGE)

    def cut(request: Request) -> Fault | None:
        return Fault(cut=100_000) if request.target.startswith("/images/") else None

    async with Proxy(site.url, cut) as proxy, client_at(kind, proxy.url) as mill:
        (path,) = await mill.download(await mill.batch(batch["batchId"]), tmp_path / "out")
        assert path.read_bytes() == LARGE
    assert len([one for one in proxy.seen if one.target.startswith("/images/")]) == 4
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo-default.jpg"]


async def test_a_download_that_was_given_up_goes_on_the_next_time(site: Site, kind: str, tmp_path: Path) -> None:
    batch = await site.finish(await site.accepted(), LARGE)
    faults = [Fault(cut=100_000), Fault(reply=b""), Fault(cut=300_000)]  # less than all of it

    def cut(request: Request) -> Fault | None:
        return faults.pop(0) if request.target.startswith("/images/") else None

    async with Proxy(site.url, cut) as proxy, client_at(kind, proxy.url, retries=0) as mill:
        found = await mill.batch(batch["batchId"])
        with pytest.raises(ConnectionLost):
            await mill.download(found, tmp_path / "out")
        assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".part"]
        (path,) = await mill.download(found, tmp_path / "out")
        assert path.read_bytes() == LARGE
    assert faults == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo-default.jpg"]


async def test_an_archive_that_is_cut_is_sent_again(site: Site, kind: str, tmp_path: Path) -> None:
    batch = await site.finish(await site.accepted(), LARGE)
    tries: list[str] = []

    def cut(request: Request) -> Fault | None:
        tries.append(request.target)
        return Fault(cut=50_000) if len(tries) < 3 else None

    async with Proxy(site.url, cut) as proxy, client_at(kind, proxy.url) as mill:
        path = await mill.archive(batch["batchId"], tmp_path / "all.zip")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    assert len(tries) == 3


async def test_an_upload_whose_answer_was_lost_is_done_once(site: Site, kind: str) -> None:
    tries: list[str] = []

    def cut(request: Request) -> Fault | None:
        if request.method == "POST":
            tries.append(request.target)
            return Fault(cut=10) if len(tries) < 3 else None
        return None

    async with Proxy(site.url, cut) as proxy, client_at(kind, proxy.url) as mill:
        batch = await mill.submit(("a.jpg", JPEG))
    assert len(tries) == 3
    found, _ = await batches.page(site.parts.database)
    assert [one.id for one in found] == [batch.batch_id]


async def test_a_service_that_is_busy_is_asked_again(site: Site, kind: str) -> None:
    busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    tries: list[str] = []

    def refuse(request: Request) -> Fault | None:
        tries.append(request.target)
        return Fault(reply=busy) if len(tries) <= 2 else None

    async with Proxy(site.url, refuse) as proxy, client_at(kind, proxy.url) as mill:
        await mill.limits()
        assert len(tries) == 3
    async with (
        Proxy(site.url, lambda request: Fault(reply=busy)) as proxy,
        client_at(kind, proxy.url, retries=1) as mill,
    ):
        with pytest.raises(ProblemError, match="http-503"):
            await mill.limits()


async def test_nobody_there_is_told(kind: str) -> None:
    async with client_at(kind, "http://127.0.0.1:1", retries=0) as mill:
        with pytest.raises(ConnectionLost):
            await mill.batches()


def test_the_client_loads_nothing_of_the_service() -> None:
    import subprocess
    import sys

    code = "import sys, pixelmill.client; print(*[m for m in sys.modules if m.startswith('pixelmill.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [one for one in done.stdout.split() if not one.startswith("pixelmill.client")] == []
