"""What a database does with a machine that is cut off or stands still in the middle of a transaction."""

from __future__ import annotations

import signal

import anyio
import pytest
from sqlalchemy import select, text

from pixelmill.errors import PixelmillError
from pixelmill.records import Database, database, migrate
from pixelmill.records.tables import roles
from tests import servers


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


async def test_a_server_that_is_shutting_down_is_unavailable() -> None:
    """PostgreSQL answers then, with an error that SQLAlchemy takes for any other: requests ended in a 500."""
    port = servers.free_port()
    with servers.folder_for("postgres") as folder:
        command, user, server = servers.prepare_postgres(folder, port)
        with servers.running(command, port, folder, user=user, stop=signal.SIGINT) as process:
            servers.wait_until(lambda: servers.postgres_answers(server), "PostgreSQL")
            url = server.create("records")
            there = Database(url)
            async with there.read() as tx:
                await tx.execute(text("SELECT 1"))
                process.send_signal(signal.SIGTERM)  # its smart shutdown: who is there may stay, and nobody comes in
                with pytest.raises(PixelmillError) as told, anyio.fail_after(30):
                    while True:
                        late = Database(url)
                        try:
                            async with late.read() as another:
                                await another.execute(text("SELECT 1"))
                        finally:
                            await late.close()
            await there.close()
            assert told.value.code == "unavailable"
            assert "shutting down" in str(told.value.__cause__)
