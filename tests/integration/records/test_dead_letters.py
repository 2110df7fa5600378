"""What is listed as a dead letter, and what is left of one that is purged."""

from __future__ import annotations

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, audit, batches, dead_letters, ending, images, work
from pixelmill.records.claims import Failure, Report
from pixelmill.records.keys import By
from pixelmill.records.models import Image, State
from tests.integration.records.test_work import accept, claim, counts, image, made, told


async def fail(db: Database, name: str, code: str = "corrupt-image") -> None:
    await work.fail(db, await claim(db, name), Failure(code, "It is bad."), Report(made=made("a")))


async def listed(db: Database, **which: str) -> list[str]:
    return [one.id for one in (await dead_letters.page(db, owner=None, **which))[0]]  # type: ignore[arg-type]


async def nothing(image: Image, keep: frozenset[str]) -> None:
    pass


async def test_what_failed_with_its_bytes_is_listed(db: Database) -> None:
    assert await accept(db, image("one"), image("two"), image("three"), image("door", "empty-file"))
    await fail(db, "one")
    await fail(db, "two", "too-many-pixels")
    assert await listed(db) == ["two", "one"]
    assert await listed(db, code="corrupt-image") == ["one"]
    assert await listed(db, batch_id="batch") == ["two", "one"]
    assert await listed(db, batch_id="other") == []
    first, cursor = await dead_letters.page(db, owner="", limit=1)
    assert [one.id for one in first] == ["two"]
    rest, end = await dead_letters.page(db, owner="", limit=1, cursor=cursor)
    assert ([one.id for one in rest], end) == (["one"], None)
    assert await dead_letters.page(db, owner="somebody else") == ([], None)
    await ending.replay(db, "one")
    assert await listed(db) == ["two"]


async def test_a_purged_one_still_counts_as_failed_and_cannot_be_replayed(db: Database) -> None:
    assert await accept(db, image("one"), image("two"))
    await fail(db, "one")
    await work.complete(db, await claim(db, "two"), Report(made=made("a", "b")))
    before, seq = await counts(db), (await told(db))[-1]
    seen: list[str | None] = []

    async def delete(image: Image, keep: frozenset[str]) -> None:
        seen.append(image.key)

    assert await dead_letters.purge(db, "one", By("me", "key"), delete) == "batch"
    assert seen == ["originals/batch/one"]
    assert await counts(db) == before
    assert seq == "batch.completed"
    assert (await told(db))[-1] == "image.purged"
    assert await listed(db) == []
    found = await images.find(db, "one")
    assert found
    assert (found.state, found.error_code, found.key) == (State.FAILED, "corrupt-image", None)
    assert [one.key for one in found.variants] == [None, None]
    other = await images.find(db, "two")
    assert other
    assert other.variants[0].key
    with pytest.raises(PixelmillError, match="conflict"):
        await ending.replay(db, "one")
    with pytest.raises(PixelmillError, match="conflict"):
        await dead_letters.purge(db, "one", By("me"), nothing)
    (line,), _ = await audit.page(db, owner="me")
    assert (line.action, line.target, line.key_id) == ("dead-letter.purge", "one", "key")


async def test_what_could_not_be_deleted_stays_a_dead_letter(db: Database) -> None:
    assert await accept(db, image("one"))
    await fail(db, "one")

    async def broken(image: Image, keep: frozenset[str]) -> None:
        raise PixelmillError("storage-unavailable")

    with pytest.raises(PixelmillError, match="storage-unavailable"):
        await dead_letters.purge(db, "one", By("me"), broken)
    assert await listed(db) == ["one"]
    assert await ending.replay(db, "one")


@pytest.mark.parametrize("name", ["one", "two", "nobody"])
async def test_only_a_failed_one_is_purged(db: Database, name: str) -> None:
    assert await accept(db, image("one"), image("two"))
    await work.complete(db, await claim(db, "two"), Report(made=made("a", "b")))
    with pytest.raises(PixelmillError, match="not-found" if name == "nobody" else "conflict"):
        await dead_letters.purge(db, name, By("me"), nothing)
    found = await batches.find(db, "batch")
    assert found
    assert found.counts.total == 2
