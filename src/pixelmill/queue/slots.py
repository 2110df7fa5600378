"""How much a worker has in hand, and when it may take more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """``size`` jobs at a time; while these are all busy, ``urgent`` more of those that go first.

    A job that only waits for somebody else (a slow host, for one) may step :meth:`aside`: it does not count then, and
    another is taken in its place. At most ``aside`` do so at once; a further one counts until it is its turn. When it
    comes back there may be more in hand than there are slots, and nothing new is taken until that is over.
    """

    def __init__(self, size: int, *, urgent: int = 0, aside: int = 32) -> None:
        self.size = size
        self.busy = 0
        self.changed = asyncio.Event()
        self._urgent = urgent
        self._aside = asyncio.Semaphore(aside)

    @property
    def full(self) -> bool:
        """No room for an ordinary job."""
        return self.busy >= self.size

    @property
    def over(self) -> bool:
        """There is more in hand than there are slots."""
        return self.busy > self.size

    @property
    def has_urgent(self) -> bool:
        """There is room for an urgent job."""
        return self.busy < self.size + self._urgent

    def take(self) -> None:
        self.busy += 1

    def give(self) -> None:
        self.busy -= 1
        self.changed.set()

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Whoever has a slot does not need it for the length of the block."""
        async with self._aside:
            self.give()
            try:
                yield
            finally:
                self.take()
