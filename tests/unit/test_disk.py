"""Syncs by the kernel where it does them, by threads where it does not; the same errors from both."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pixelmill import disk
from pixelmill.disk import Disk


class Threads(Executor):
    """Counts what it is given."""

    def __init__(self) -> None:
        self.given = 0
        self._own = ThreadPoolExecutor(1)

    def submit(self, work: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        self.given += 1
        return self._own.submit(work, *args, **more)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._own.shutdown(wait, cancel_futures=cancel_futures)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads() as given:
        yield given


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    yield opened
    os.close(opened)


def by_kernel() -> bool:
    if disk.linux_aio is None:
        return False
    try:
        disk.linux_aio.Context(max_requests=1)
    except Exception:
        return False
    return True


@pytest.mark.skipif(not by_kernel(), reason="this system syncs nothing by itself")
async def test_the_kernel_waits_and_no_thread(threads: Threads, fd: int, tmp_path: Path) -> None:
    synced = Disk(threads)
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3):
        os.write(fd, os.urandom(100_000))
        await asyncio.gather(synced.fdatasync(fd), synced.fsync(folder))
    os.close(folder)
    assert threads.given == 0
    await synced.close()


async def test_threads_do_what_the_kernel_does_not(threads: Threads, fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "linux_aio", None)
    synced = Disk(threads)
    await asyncio.gather(synced.fdatasync(fd), synced.fsync(fd))
    assert threads.given == 2
    await synced.close()


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "threads"])
async def test_what_cannot_be_synced_is_an_error(kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not kernel:
        monkeypatch.setattr(disk, "linux_aio", None)
    synced = Disk()
    reads, writes = os.pipe()
    with pytest.raises(OSError) as told:
        await synced.fsync(reads)
    assert told.value.errno == errno.EINVAL
    os.close(reads)
    os.close(writes)
    with pytest.raises(OSError) as told:
        await synced.fdatasync(reads)
    assert told.value.errno == errno.EBADF
    await synced.close()


class Broken:
    """A kernel of whose syncs each fails for ``number``, and what it hands out."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._told: Callable[[int], None] | None = None

    def set_callback(self, told: Callable[[int], None]) -> None:
        self._told = told

    def submit(self, operation: Any) -> int:
        asyncio.get_running_loop().call_soon(operation._told, -self._number)
        return 1

    def get_value(self) -> None:
        raise SystemError(os.strerror(self._number))


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EINVAL])
async def test_a_failure_is_told_with_its_number_and_not_tried_again(
    threads: Threads, fd: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells it once: another try would find nothing wrong."""
    synced = Disk(threads)
    synced._begin(asyncio.get_running_loop())
    broken = Broken(number)
    monkeypatch.setattr(synced, "_kernel", broken)
    monkeypatch.setattr(disk, "linux_aio", SimpleNamespace(Operation=SimpleNamespace(fsync=lambda _: broken)))
    with pytest.raises(OSError) as told:
        await synced.fsync(fd)
    assert told.value.errno == number
    assert threads.given == 0


@pytest.mark.skipif(not by_kernel(), reason="this system syncs nothing by itself")
async def test_no_process_that_is_started_holds_what_wakes_us(fd: int) -> None:
    synced = Disk()
    await synced.fsync(fd)
    assert not os.get_inheritable(synced._kernel.fileno)
    await synced.close()


async def test_closing_waits_for_what_is_begun(fd: int) -> None:
    synced = Disk()
    os.write(fd, os.urandom(1_000_000))
    waiting = asyncio.create_task(synced.fdatasync(fd))
    await asyncio.sleep(0)
    await synced.close()
    await asyncio.wait_for(waiting, 10)


async def test_who_gives_up_disturbs_nobody(fd: int) -> None:
    synced = Disk()
    for _ in range(20):
        os.write(fd, os.urandom(100_000))
        waiting = [asyncio.create_task(synced.fsync(fd)) for _ in range(4)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert ends[1:] == [None] * 3
    await synced.close()


async def test_more_at_a_time_than_the_kernel_takes(fd: int) -> None:
    synced = Disk()
    await asyncio.gather(*(synced.fdatasync(fd) for _ in range(4 * disk.MOST)))
    await synced.close()


def test_one_event_loop_after_another(fd: int) -> None:
    synced = Disk()
    for _ in range(3):
        asyncio.run(synced.fsync(fd))
