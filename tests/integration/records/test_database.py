"""What a database does with a machine that is cut off or stands still in the middle of a transaction."""

from __future__ import annotations

import anyio
import pytest
from sqlalchemy import select, text

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, database, migrate
from pixelmill.records.tables import roles


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
async def test_a_machine_that_stands_still_does_not_keep_its_locks(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STILL_SECONDS", 1)
    url = request.getfixturevalue(f"{server}_url")
    still, other = Database(url), Database(url)
    try:
        await migrate(still)
        async with other.write() as tx:
            await tx.execute(roles.insert().values(name="a", holder="b", beat=0))
        locking = select(roles).with_for_update()
        held = anyio.Event()

        async def stand_still() -> None:
            with pytest.raises(PixelmillError) as told:
                async with still.write() as tx:
                    await tx.execute(locking)
                    held.set()
                    await freed.wait()
                    await tx.execute(locking)
            assert told.value.code == "unavailable"

        freed = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stand_still)
            await held.wait()
            with anyio.fail_after(30):
                async with other.write() as tx:
                    await tx.execute(locking)
            freed.set()
        async with still.write() as tx:
            assert (await tx.execute(locking)).all()
    finally:
        await still.close()
        await other.close()


async def test_postgres_asks_whether_the_machine_is_there(postgres_url: str) -> None:
    db = Database(postgres_url)
    try:
        async with db.read() as tx:
            shown = [
                (await tx.execute(text(f"SHOW tcp_keepalives_{name}"))).scalar()
                for name in ("idle", "interval", "count")
            ]
        assert shown == [str(database.STILL_SECONDS), "5", "3"]
    finally:
        await db.close()
