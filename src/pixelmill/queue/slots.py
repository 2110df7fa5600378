"""How much a worker has in hand, and when it may take more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

#: Seconds: a job that takes no longer, its waiting included, keeps nobody else from one that waits behind it.
SHORT = 0.25
#: By so much of its difference one job moves what is usual.
_WEIGHT = 1 / 8


class Slots:
    """``size`` jobs at a time; while these are all busy, ``urgent`` more of those that go first.

    While jobs are short, ``ahead`` more in any case: then taking a job and telling of its end are much of it, and
    those who work wait for the next. Where they take long, what is taken ahead would wait here while another worker
    is idle.

    A job that only waits for somebody else (a slow host, for one) may step :meth:`aside`: after ``patience`` seconds
    its slot goes to another, and when it comes back it gets the next that is free, before anything new is taken. At
    most ``aside`` jobs are out at a time; a further one keeps its slot.
    """

    def __init__(self, size: int, *, ahead: int = 0, urgent: int = 0, aside: int = 32, patience: float = 1.0) -> None:
        self.busy = 0
        self.changed = asyncio.Event()
        self._size = size
        self._ahead = ahead
        self._more = 0
        self._usual: float | None = None
        self._urgent = urgent
        self._aside = aside
        self._patience = patience
        self._out = 0
        self._coming_back: deque[asyncio.Future[None]] = deque()

    @property
    def size(self) -> int:
        """How many ordinary jobs there may be now."""
        return self._size + self._more

    def took(self, seconds: float) -> None:
        """A job ends that was in hand for so long."""
        self._usual = seconds if self._usual is None else self._usual + _WEIGHT * (seconds - self._usual)
        if self._usual > SHORT:
            # One less with each that ends: what is urgent finds its room beside the others all the while.
            self._more = max(0, self._more - 1)
        elif self._more < self._ahead:
            self._more = self._ahead
            self._let_in()
            self.changed.set()

    @property
    def full(self) -> bool:
        """No room for an ordinary job."""
        return self.busy >= self.size

    @property
    def over(self) -> bool:
        """There is more in hand, or about to come back, than there are slots."""
        return self.busy + len(self._coming_back) > self.size

    @property
    def has_urgent(self) -> bool:
        """There is room for an urgent job."""
        return self.busy < self.size + self._urgent

    def take(self) -> None:
        self.busy += 1

    def give(self) -> None:
        self.busy -= 1
        if not self._let_in():
            self.changed.set()

    def _let_in(self) -> bool:
        """Give what room there is to those who come back. Whether there was anybody for it."""
        before = self.busy
        while self._coming_back and not self.full:
            self._coming_back.popleft().set_result(None)
            self.busy += 1
        return self.busy > before

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Whoever has a slot can do without it for the length of the block, and has one again at its end."""
        out = False

        def leave() -> None:
            nonlocal out
            if self._out < self._aside:
                out = True
                self._out += 1
                self.give()

        timer = asyncio.get_running_loop().call_later(self._patience, leave)
        try:
            yield
        except BaseException:  # it ends, and gives a slot back as any other does
            if out:
                self.take()
            raise
        else:
            if out:
                await self._come_back()
        finally:
            timer.cancel()
            self._out -= out

    async def _come_back(self) -> None:
        if not self.full:
            self.take()
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._coming_back.append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.cancelled():
                self._coming_back.remove(given)
                self.take()
            raise
