from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.errors import PixelmillError
from pixelmill.storage import LocalStorage, keys, local


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files")


def files(storage: LocalStorage) -> list[str]:
    root = storage.path("x").parent
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


async def test_a_file_given_up_leaves_no_part_of_itself(storage: LocalStorage) -> None:
    writer = await storage.create("originals/b/i")
    await writer.write(os.urandom(2_000_000))
    assert [name for name in files(storage) if name.endswith(".part")]
    await writer.abort()
    assert not [name for name in files(storage) if name.endswith(".part")]


async def test_a_writer_given_up_while_its_thread_writes_opens_and_writes_nothing_any_more(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    make = local._make_folders

    def held_up(folder: Path) -> list[Path]:
        writing.set()
        assert go_on.wait(10)
        return make(folder)

    monkeypatch.setattr(local, "_make_folders", held_up)
    writer = await storage.create("originals/b/i")
    write = asyncio.create_task(writer.write(os.urandom(2_000_000)))
    assert await asyncio.to_thread(writing.wait, 10)
    write.cancel()
    await asyncio.gather(write, return_exceptions=True)
    abort = asyncio.create_task(writer.abort())
    await asyncio.sleep(0)
    go_on.set()
    await abort
    assert not [name for name in files(storage) if "." in name]
    with pytest.raises(ValueError, match="over"):
        await writer.write(os.urandom(2_000_000))
    assert not [name for name in files(storage) if "." in name]


async def test_who_ends_a_file_twice_waits_for_the_same_end(storage: LocalStorage) -> None:
    writer = await storage.create("originals/b/i")
    await writer.write(b"1")
    await asyncio.gather(*(writer.commit() for _ in range(3)))
    assert files(storage) == ["originals", "originals/b", "originals/b/i"]


async def test_a_sync_that_fails_leaves_nothing_and_is_told_to_all(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter([True, False, False])

    async def fsync(fd: int) -> None:
        await asyncio.sleep(0.01)
        if next(fails, False):
            raise OSError(errno.EIO, "The disk is gone.")
        os.fstat(fd)  # it is open still

    monkeypatch.setattr(storage._disk, "fdatasync", fsync)
    monkeypatch.setattr(storage._disk, "fsync", fsync)
    before = len([*Path("/proc/self/fd").iterdir()])
    writer = await storage.create("originals/b/i")
    await writer.write(b"1")
    ends = await asyncio.gather(*(writer.commit() for _ in range(2)), return_exceptions=True)
    assert [type(end) for end in ends] == [OSError] * 2
    await writer.abort()
    assert not [name for name in files(storage) if name.endswith("i") or "." in name]
    assert len([*Path("/proc/self/fd").iterdir()]) == before


async def test_a_prefix_takes_half_written_files_and_emptied_folders_with_it(storage: LocalStorage) -> None:
    await storage.put("originals/b/i", b"1")
    half = await storage.create("originals/b/j")
    await half.write(os.urandom(2_000_000))
    await storage.put("originals/c/i", b"2")
    assert await storage.delete_prefix("originals/b/") == 2
    assert files(storage) == ["originals", "originals/c", "originals/c/i"]


async def test_a_failing_disk_leaves_no_half_file(storage: LocalStorage) -> None:
    await storage.put("a/b", b"x")
    with pytest.raises(NotADirectoryError):
        await storage.put("a/b/c", b"y")
    assert files(storage) == ["a", "a/b"]


async def test_a_folder_that_cannot_be_written_is_named(storage: LocalStorage) -> None:
    await storage.check()
    assert files(storage) == []
    storage.path("x").parent.rmdir()
    with pytest.raises(PixelmillError, match=r"storage-unavailable: The folder /.*/files cannot be written .*DATA_DIR"):
        await storage.check()


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a/.b", "a\\b", "a\0", "é", "a/"]
)
def test_keys_that_could_lead_elsewhere_are_refused(storage: LocalStorage, key: str) -> None:
    with pytest.raises(ValueError, match="not a storage key"):
        storage.path(key)


@given(st.text())
def test_no_key_leaves_the_folder(key: str) -> None:
    root = Path("/some/root")
    try:
        keys.check(key)
    except ValueError:
        return
    assert os.path.normpath(root / key).startswith("/some/root/")


async def test_a_folder_that_another_empties_meanwhile_is_made_again(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, times = os.open, 0

    def taken_along(path: Path, *how: int) -> int:
        nonlocal times
        if path.suffix == ".part":
            times += 1
            if 1 < times < 4:
                path.parent.rmdir()
                path.parent.parent.rmdir()
        return opened(path, *how)

    monkeypatch.setattr(local.os, "open", taken_along)
    await storage.put("originals/b/i", b"1")
    assert (storage.path("originals/b/i").read_bytes(), times) == (b"1", 4)
