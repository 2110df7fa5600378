from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from pixelmill.records import Database, audit, keys, tables
from pixelmill.records.tables import now


async def test_a_key_is_found_by_its_secret_alone(db: Database) -> None:
    assert not await keys.exist(db)
    key, secret = await keys.make(db, owner="acme", name="shop ü", scopes=["read", "upload"], limits={"bytesPerDay": 7})
    assert await keys.exist(db)
    found = await keys.by_secret(db, secret)
    assert found == await keys.find(db, key.id)
    assert found
    assert (found.owner, found.name, found.limits) == ("acme", "shop ü", {"bytesPerDay": 7})
    assert found.scopes == {"read", "upload"}
    assert secret.startswith(f"{found.prefix}_")
    for wrong in (secret[:-1], secret + "a", secret.swapcase(), "", "pm__", key.id):
        assert await keys.by_secret(db, wrong) is None
    async with db.read() as connection:
        row = (await connection.execute(select(tables.keys))).one()
    assert secret.rpartition("_")[2] not in str(row)


async def test_secrets_differ(db: Database) -> None:
    assert len({(await keys.make(db, owner="", name="", scopes=["read"]))[1] for _ in range(20)}) == 20


async def test_revoked_for_good(db: Database) -> None:
    by = keys.By("acme", "boss")
    key, secret = await keys.make(db, owner="acme", name="a", scopes=["read"], by=by)
    assert await keys.revoke(db, key.id, owner="bolt", by=by) is None
    revoked = await keys.revoke(db, key.id, owner="acme", by=by)
    assert revoked
    assert not revoked.usable(now())
    assert await keys.revoke(db, key.id, by=by) == revoked
    found = await keys.by_secret(db, secret)
    assert found
    assert not found.usable(now())
    assert await keys.exist(db)
    lines, _ = await audit.page(db, owner="acme")
    assert [(line.action, line.target, line.key_id) for line in lines] == [
        ("key.revoked", key.id, "boss"),
        ("key.made", key.id, "boss"),
    ]
    assert await audit.page(db, owner="bolt") == ([], None)


async def test_expires(db: Database) -> None:
    at = now()
    key, _ = await keys.make(db, owner="", name="a", scopes=["read"], expires_at=at)
    assert key.usable(at - timedelta(microseconds=1))
    assert not key.usable(at)


async def test_pages(db: Database) -> None:
    made = [(await keys.make(db, owner=owner, name=owner, scopes=["read"]))[0].id for owner in "abab"]
    first, cursor = await keys.page(db, owner=None, limit=3)
    rest, end = await keys.page(db, owner=None, limit=3, cursor=cursor)
    assert [key.id for key in first + rest] == made[::-1]
    assert end is None
    assert [key.id for key in (await keys.page(db, owner="a"))[0]] == [made[2], made[0]]


async def test_use_is_noted_once_a_minute(db: Database) -> None:
    key, _ = await keys.make(db, owner="", name="a", scopes=["read"])

    async def noted() -> object:
        await keys.touch(db, key.id)
        found = await keys.find(db, key.id)
        assert found
        return found.last_used_at

    first = await noted()
    assert first is not None
    assert await noted() == first
    async with db.write() as tx:
        await tx.execute(update(tables.keys).values(last_used_at=now() - timedelta(seconds=keys.TOUCH)))
    assert await noted() != first


@pytest.mark.parametrize("owner", ["", "a", "acme.example", "a-b_c@d", "0" * 64])
def test_owners(owner: str) -> None:
    assert keys.owner_is_fine(owner)


@pytest.mark.parametrize("owner", [" ", ".a", "a b", "ä", "a\n", "0" * 65, "a/b"])
def test_no_owners(owner: str) -> None:
    assert not keys.owner_is_fine(owner)
