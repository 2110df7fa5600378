"""Many side by side, or one that nothing else goes on beside."""

from __future__ import annotations

import asyncio

from pixelmill.pipeline.alone import Alone


class Work:
    """Pieces of work that go on until they are let go; ``going`` tells which."""

    def __init__(self) -> None:
        self.alone = Alone()
        self.going: set[str] = set()
        self._let_go: dict[str, asyncio.Event] = {}

    async def begin(self, name: str, *, exclusive: bool = False) -> asyncio.Task[None]:
        self._let_go[name] = asyncio.Event()
        task = asyncio.create_task(self._run(name, exclusive))
        await self._settle()
        return task

    async def end(self, name: str) -> None:
        self._let_go[name].set()
        await self._settle()

    async def _run(self, name: str, exclusive: bool) -> None:
        async with self.alone.exclusive() if exclusive else self.alone.shared():
            self.going.add(name)
            try:
                await self._let_go[name].wait()
            finally:
                self.going.remove(name)

    async def _settle(self) -> None:
        """Until each has gone as far as it can: nothing here waits for a clock."""
        for _ in range(50):
            await asyncio.sleep(0)


async def test_one_waits_for_all_others_and_lets_none_in() -> None:
    work = Work()
    await work.begin("a")
    await work.begin("b")
    assert work.going == {"a", "b"}
    await work.begin("alone", exclusive=True)
    await work.begin("late")
    assert work.going == {"a", "b"}
    await work.end("a")
    assert work.going == {"b"}
    await work.end("b")
    assert work.going == {"alone"}
    await work.begin("alone too", exclusive=True)
    await work.end("alone")
    assert len(work.going) == 1
    await work.end("late")
    await work.end("alone too")
    assert not work.going


async def test_what_is_canceled_while_it_works_holds_up_nobody() -> None:
    work = Work()
    shared = await work.begin("shared")
    shared.cancel()
    alone = await work.begin("alone", exclusive=True)
    assert work.going == {"alone"}
    alone.cancel()
    await work.begin("next")
    assert work.going == {"next"}
    await work.end("next")


async def test_what_is_canceled_while_it_waits_holds_up_nobody() -> None:
    work = Work()
    await work.begin("shared")
    waiting = await work.begin("alone", exclusive=True)
    waiting.cancel()
    await work.begin("next")
    assert work.going == {"shared", "next"}
    await work.end("shared")
    await work.end("next")
