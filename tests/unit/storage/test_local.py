from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.storage import LocalStorage, keys


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files")


def files(storage: LocalStorage) -> list[str]:
    root = storage.path("x").parent
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


async def read(storage: LocalStorage, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key, start, end)])


async def test_what_is_written_is_read(storage: LocalStorage) -> None:
    data = os.urandom(3_000_000)
    writer = await storage.create("originals/b/i")
    for start in range(0, len(data), 70_000):
        await writer.write(memoryview(data)[start : start + 70_000])
    await writer.commit()
    assert await read(storage, "originals/b/i") == data
    assert await read(storage, "originals/b/i", 5, 1_500_000) == data[5:1_500_000]
    assert await read(storage, "originals/b/i", 2_999_999, 9_000_000) == data[-1:]
    stat = await storage.stat("originals/b/i")
    assert stat
    assert stat.bytes == len(data)
    with await storage.open("originals/b/i") as file:
        assert file.read() == data


async def test_nobody_sees_a_file_before_it_is_whole(storage: LocalStorage) -> None:
    writer = await storage.create("originals/b/i")
    await writer.write(os.urandom(2_000_000))
    assert await storage.stat("originals/b/i") is None
    assert [stat async for stat in storage.list("originals/")] == []
    await writer.abort()
    await writer.abort()
    assert not [name for name in files(storage) if name.endswith(".part")]


async def test_a_prefix_takes_half_written_files_and_emptied_folders_with_it(storage: LocalStorage) -> None:
    await storage.put("originals/b/i", b"1")
    half = await storage.create("originals/b/j")
    await half.write(os.urandom(2_000_000))
    await storage.put("originals/c/i", b"2")
    assert await storage.delete_prefix("originals/b/") == 2
    assert files(storage) == ["originals", "originals/c", "originals/c/i"]


async def test_a_prefix_may_end_within_a_name(storage: LocalStorage) -> None:
    for name in ("t1-a.jpg", "t1-b.jpg", "t2-a.jpg"):
        await storage.put(f"processed/b/i/{name}", b"x")
    assert sorted([stat.key async for stat in storage.list("processed/b/i/t1-")]) == [
        "processed/b/i/t1-a.jpg",
        "processed/b/i/t1-b.jpg",
    ]
    await storage.delete_prefix("processed/b/i/t1-")
    assert [stat.key async for stat in storage.list("processed/")] == ["processed/b/i/t2-a.jpg"]


async def test_deleting_what_is_not_there_is_no_error(storage: LocalStorage) -> None:
    await storage.delete(["originals/none"])
    assert await storage.delete_prefix("originals/none/") == 0
    assert await storage.stat("originals/none") is None
    with pytest.raises(FileNotFoundError):
        await storage.open("originals/none")


async def test_a_failing_disk_leaves_no_half_file(storage: LocalStorage) -> None:
    await storage.put("a/b", b"x")
    with pytest.raises(NotADirectoryError):
        await storage.put("a/b/c", b"y")
    assert files(storage) == ["a", "a/b"]


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
