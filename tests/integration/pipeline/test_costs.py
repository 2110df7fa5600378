"""What an image costs, counted: statements, transactions, commands of the queue, decodes. The same on every machine.

A figure here that rises is a regression: each is a round trip on PostgreSQL or Redis, or a wait for the disk on SQLite.
One that can be lowered is lowered here too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import pytest
import redis
from sqlalchemy import event

from pixelmill.imaging import Decoders
from pixelmill.pipeline import work
from pixelmill.queue import Done, Job
from pixelmill.records.compiled import Compiled
from pixelmill.records.sqlite import Sqlite
from tests.integration.pipeline.conftest import Parts
from tests.integration.pipeline.test_reuse import SMALL, Mill, picture, recipe

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass
class Cost:
    """``writes`` and ``reads`` are transactions, ``syncs`` waits for the disk; ``commands`` those of Redis, also within
    a script, but for bells and what comes with them: those are at most so many a second (`test_queue.py`), whoever
    rings, and one that rings while the queue is told needs a connection of its own, which names itself."""

    statements: int = 0
    writes: int = 0
    reads: int = 0
    syncs: int = 0
    commands: int = 0
    decodes: int = 0

    def within(self, most: Cost) -> bool:
        return all(ours <= theirs for ours, theirs in zip(astuple(self), astuple(most), strict=True))


class Meter:
    def __init__(self, parts: Parts, valkey_url: str) -> None:
        self.cost = Cost()
        self._redis = redis.Redis.from_url(valkey_url)
        self._watch(parts.database._reader, "reads")
        self._watch(parts.database._writer, "writes")
        self._run, Compiled.run = Compiled.run, self._compiled(Compiled.run)  # type: ignore[method-assign]
        wal = parts.database._writer._wal
        self._sync, wal._sync_now = wal._sync_now, self._synced  # type: ignore[method-assign]

    def _watch(self, connections: Sqlite, kind: str) -> None:
        start = connections._start

        async def starts(raw: Any) -> None:
            setattr(self.cost, kind, getattr(self.cost, kind) + 1)
            await start(raw)

        def executed(*_: Any) -> None:
            self.cost.statements += 1

        connections._start = starts  # type: ignore[method-assign]
        event.listen(connections.engine, "before_cursor_execute", executed)

    def _compiled(self, run: Any) -> Any:
        def counted(*given: Any) -> Any:
            self.cost.statements += 1
            return run(*given)

        return counted

    async def _synced(self) -> None:
        self.cost.syncs += 1
        await self._sync()

    @contextmanager
    def counting(self) -> Iterator[Cost]:
        before = self._commands()
        self.cost = cost = Cost()
        yield cost
        cost.commands = self._commands() - before - 1  # INFO itself
        self.cost = Cost()

    def _commands(self) -> int:
        info: Any = self._redis.info("stats", "commandstats")
        besides = (info.get(f"cmdstat_{command}", {"calls": 0}) for command in ("publish", "hello", "client|setinfo"))
        return int(info["total_commands_processed"]) - sum(int(one["calls"]) for one in besides)

    def close(self) -> None:
        Compiled.run = self._run  # type: ignore[method-assign]
        self._redis.close()


@pytest.fixture(scope="module")
async def decoders() -> AsyncIterator[Decoders]:
    async with Decoders(1) as pool:
        yield pool


@pytest.fixture
def meter(parts: Parts, valkey_url: str) -> Iterator[Meter]:
    meter = Meter(parts, valkey_url)
    yield meter
    meter.close()


@pytest.mark.parametrize(
    ("files", "most"),
    [
        (1, Cost(statements=7, writes=2, syncs=1, commands=13)),
        (
            10,
            Cost(statements=7, writes=2, syncs=1, commands=103),
        ),  # rows of one statement, a script of the queue for each
    ],
)
async def test_accepting(parts: Parts, decoders: Decoders, meter: Meter, files: int, most: Cost) -> None:
    """Everything between the request and its 202."""
    await Mill(parts, decoders).accept(picture(), recipe())  # connections are made, scripts are loaded
    with meter.counting() as cost:
        acceptance = await parts.intake.begin(owner="me")
        for number in range(files):
            file = await acceptance.file(f"{number}.jpg")
            await file.write(picture())
            await file.close()
        await acceptance.commit(recipe=recipe())
        await parts.intake.close()  # the queue is told beside the answer
    assert cost.within(most), cost


@pytest.mark.parametrize(
    ("variants", "most", "again"),
    [
        (
            1,
            Cost(statements=17, writes=2, syncs=1, decodes=1),
            Cost(statements=25, writes=3, syncs=2),
        ),
        (
            6,
            Cost(statements=22, writes=2, syncs=1, decodes=1),
            Cost(statements=30, writes=3, syncs=2),
        ),
    ],
)
async def test_working(
    parts: Parts,
    decoders: Decoders,
    meter: Meter,
    variants: int,
    most: Cost,
    again: Cost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the claim to the end of an image, for the first time and with the same bytes again."""
    monkeypatch.setattr(work, "PACE", 60)  # what is made within a moment is recorded together, on a slow machine too
    mill = Mill(parts, decoders)
    sizes = [SMALL | {"name": f"v{n}", "steps": [{"op": "resize", "width": 10 + n}]} for n in range(variants)]
    await mill.done(picture(1), recipe(*sizes))  # the pool of connections is full, the decoder has started
    for allowed in (most, again):
        image_id = await mill.accept(picture(), recipe(*sizes))
        hand = mill.hand()
        decoded = len(mill.decoders.asked)
        with meter.counting() as cost:
            assert isinstance(await hand(Job(image_id, 1)), Done)
        cost.decodes = len(mill.decoders.asked) - decoded
        assert cost.within(allowed), cost
