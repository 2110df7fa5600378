"""How much of a quota is used: counted in Redis or Valkey for all API processes together.

A window slides: what was used in the one before counts in proportion to how much of it still lies within the last
``seconds``, so that nobody gets twice the quota around a window's edge. While the server is away each process counts
for itself: a service that refuses everybody because a counter is gone would be worse.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from pixelmill.queue.client import DOWN, connect

log = structlog.stdlib.get_logger(__name__)

#: Seconds that the server has for an answer, and how long it is left alone when it gave none.
PATIENCE = 0.5
PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``amount`` in ``seconds``; ``name`` as told to clients."""

    name: str
    amount: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What came of asking: units that remain, seconds until the window ends; if refused, those until it would fit."""

    granted: bool
    remaining: int
    reset: int
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """What was used in the window before and in this one, and the seconds until each counts nothing any more.

    This one ends ``seconds`` before that: then it becomes the one before.
    """

    previous: int
    previous_left: float
    current: int
    current_left: float

    def used(self, seconds: int) -> float:
        return self.previous * max(self.previous_left, 0) / seconds + self.current

    def wait(self, quota: Quota, cost: int) -> float:
        """Seconds until ``cost`` fits, when nothing else is used meanwhile; infinity when it never does."""
        room = quota.amount - cost
        if room < 0:
            return math.inf
        if self.used(quota.seconds) <= room:
            return 0
        if self.current <= room:
            # The window before fades: its weight has to come down to what this one leaves.
            return max(self.previous_left - (room - self.current) * quota.seconds / self.previous, 0)
        # This window has to end, and then to fade.
        return max(self.current_left - quota.seconds, 0) + quota.seconds * (1 - room / self.current)


class Limiter:
    """Counts for every process that has the same server."""

    def __init__(self, url: str, name: str = "images") -> None:
        self._client = connect(url, retries=0, connect_seconds=PATIENCE)
        shared = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=f"pixelmill:{name}:limits",
            connection_pool=self._client.connection_pool,  # type: ignore[arg-type]
        )
        self._shared = SlidingWindowCounterRateLimiter(shared)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._away_until = -math.inf

    async def take(self, quota: Quota, who: str, cost: int = 1) -> Standing:
        """Use ``cost`` of the quota of ``who``, or nothing when that does not fit. Never raises for a server away."""
        if time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._take(self._shared, quota, who, cost)
            except DOWN as error:
                self._away_until = time.monotonic() + PAUSE
                log.warning("limits.own-count", why="the queue's server does not answer", error=str(error))
        return await self._take(self._own, quota, who, cost)

    async def close(self) -> None:
        await self._client.aclose()

    async def _take(self, counter: SlidingWindowCounterRateLimiter, quota: Quota, who: str, cost: int) -> Standing:
        item = RateLimitItemPerSecond(quota.amount, quota.seconds, namespace=quota.name)
        granted = cost <= 0 or await counter.hit(item, who, cost=cost)
        found = Window(*await counter.storage.get_sliding_window(item.key_for(who), item.get_expiry()))  # type: ignore[attr-defined]
        remaining = max(0, math.floor(quota.amount - found.used(quota.seconds)))
        reset = math.ceil(max(found.current_left - quota.seconds, 0))
        if granted:
            return Standing(True, remaining, reset)
        wait = found.wait(quota, cost)
        return Standing(False, remaining, reset, quota.seconds if math.isinf(wait) else max(math.ceil(wait), 1))
