"""How much of a quota is used: counted in Redis or Valkey for all API processes together.

A window slides: what was used in the one before counts in proportion to how much of it still lies within the last
``seconds``, so that nobody gets twice the quota around a window's edge. While the server is away each process counts
for itself: a service that refuses everybody because a counter is gone would be worse.

All that a request uses is asked for in one round trip. The library that was here before (limits 5.8) needed four, a
seventh of the API's time.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from pixelmill.queue.client import DOWN, connect

log = structlog.stdlib.get_logger(__name__)

#: Seconds that the server has for an answer, and how long it is left alone when it gave none.
PATIENCE = 0.5
PAUSE = 5.0
#: Windows that a process keeps when it counts for itself, before it looks which are over.
MANY = 10_000

# KEYS: a hash for each quota. ARGV: amount, seconds and cost of each in turn. As `Own.take` does it.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local told = {}
for number, key in ipairs(KEYS) do
  local at = 3 * number
  local amount, seconds, cost = tonumber(ARGV[at - 2]), tonumber(ARGV[at - 1]), tonumber(ARGV[at])
  local kept = redis.call('HMGET', key, 'start', 'previous', 'current')
  local start, previous, current = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
  if now >= start + 2 * seconds then
    start, previous, current = now, 0, 0
  elseif now >= start + seconds then
    start, previous, current = start + seconds, current, 0
  end
  local left = start + seconds - now
  local granted = cost <= 0 or previous * left / seconds + current + cost <= amount
  if granted and cost > 0 then
    current = current + cost
    redis.call('HSET', key, 'start', string.format('%.6f', start), 'previous', previous, 'current', current)
    redis.call('EXPIRE', key, 2 * seconds)
  end
  told[number] = {granted and 1 or 0, previous, current, string.format('%.6f', left)}
  if not granted then
    break
  end
end
return told
"""


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
    """What was used in the window before and in this one, and the seconds until this one ends.

    Then it becomes the one before, and what was used in the one before counts nothing any more.
    """

    previous: int
    current: int
    left: float

    def used(self, seconds: int) -> float:
        return self.previous * self.left / seconds + self.current

    def wait(self, quota: Quota, cost: int) -> float:
        """Seconds until ``cost`` fits, when nothing else is used meanwhile; infinity when it never does."""
        room = quota.amount - cost
        if room < 0:
            return math.inf
        if self.used(quota.seconds) <= room:
            return 0
        if self.current <= room:
            # The window before fades: its weight has to come down to what this one leaves.
            return max(self.left - (room - self.current) * quota.seconds / self.previous, 0)
        # This window has to end, and then to fade.
        return self.left + quota.seconds * (1 - room / self.current)

    def standing(self, quota: Quota, cost: int, granted: bool) -> Standing:
        remaining = max(0, math.floor(quota.amount - self.used(quota.seconds)))
        reset = math.ceil(self.left)
        if granted:
            return Standing(True, remaining, reset)
        wait = self.wait(quota, cost)
        return Standing(False, remaining, reset, quota.seconds if math.isinf(wait) else max(math.ceil(wait), 1))


class Limiter:
    """Counts for every process that has the same server."""

    def __init__(self, url: str, name: str = "images") -> None:
        self._client = connect(url, retries=0, connect_seconds=PATIENCE)
        self._script = self._client.register_script(_TAKE)
        self._prefix = f"pixelmill:{name}:limits"
        self._own = Own()
        self._away_until = -math.inf

    async def take(self, who: str, *wanted: tuple[Quota, int]) -> list[Standing]:
        """Use so much of each quota of ``who``, until one does not fit: it and those after it are left as they are.

        The standing of each, up to there. Never raises for a server that is away.
        """
        if time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._shared(who, wanted)
            except DOWN as error:
                self._away_until = time.monotonic() + PAUSE
                log.warning("limits.own-count", why="the queue's server does not answer", error=str(error))
        return self._own.take(who, wanted, time.monotonic())

    async def close(self) -> None:
        await self._client.aclose()

    async def _shared(self, who: str, wanted: Sequence[tuple[Quota, int]]) -> list[Standing]:
        told = await self._script(
            keys=[f"{self._prefix}:{quota.name}:{who}" for quota, _ in wanted],
            args=[number for quota, cost in wanted for number in (quota.amount, quota.seconds, cost)],
        )
        return [
            Window(previous, current, float(left)).standing(quota, cost, bool(granted))
            for (quota, cost), (granted, previous, current, left) in zip(wanted, told, strict=False)
        ]


class Own:
    """The same, counted by one process for itself."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[float, int, Window]] = {}

    def take(self, who: str, wanted: Sequence[tuple[Quota, int]], now: float) -> list[Standing]:
        """As :meth:`Limiter.take`, at ``now`` in seconds of any clock."""
        told = []
        for quota, cost in wanted:
            window = self._at(now, (quota.name, who), quota.seconds)
            granted = cost <= 0 or window.used(quota.seconds) + cost <= quota.amount
            if granted and cost > 0:
                window = Window(window.previous, window.current + cost, window.left)
                self._windows[quota.name, who] = now + window.left, quota.seconds, window
            told.append(window.standing(quota, cost, granted))
            if not granted:
                break
        if len(self._windows) > MANY:
            self._windows = {key: kept for key, kept in self._windows.items() if kept[0] + kept[1] > now}
        return told

    def _at(self, now: float, key: tuple[str, str], seconds: int) -> Window:
        end, _, kept = self._windows.get(key, (-math.inf, 0, Window(0, 0, 0)))
        if now >= end + seconds:
            return Window(0, 0, seconds)
        if now >= end:
            return Window(kept.current, 0, end + seconds - now)
        return Window(kept.previous, kept.current, end - now)
