"""How much of a quota is used: counted in Redis or Valkey for all API processes together.

A window slides: what was used in the one before counts in proportion to how much of it still lies within the last
``seconds``, so that nobody gets twice the quota around a window's edge. While the server is away each process counts
for itself: a service that refuses everybody because a counter is gone would be worse.

All that a request uses is asked for in one round trip; the library that was here before (limits 5.8) needed four, a
seventh of the API's time. With an answer a process is lent a small part of what is left, which it may use unasked for a
moment: whoever asks often, and is far from the quota, costs a round trip now and then. Near the quota every request is
asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
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
#: A process may use this part of what is left unasked, and tells every so many seconds what it used. So each of several
#: goes past a quota by less than a hundredth of it, and one that dies forgets no more.
SHARE, HOLD = 1 / 128, 0.25
#: Quotas that are told of in one round trip.
TOLD_AT_ONCE = 500

# KEYS: a hash for each quota. ARGV: amount, seconds, cost of each in turn, and what was used unasked before. As
# `Own.take` does it.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local told = {}
local refused = false
for number, key in ipairs(KEYS) do
  local at = 4 * number
  local amount, seconds = tonumber(ARGV[at - 3]), tonumber(ARGV[at - 2])
  local cost, used = tonumber(ARGV[at - 1]), tonumber(ARGV[at])
  local kept = redis.call('HMGET', key, 'start', 'previous', 'current')
  local start, previous, current = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
  if now >= start + 2 * seconds then
    start, previous, current = now, 0, 0
  elseif now >= start + seconds then
    start, previous, current = start + seconds, current, 0
  elseif now < start then
    start = now -- the clock was set back: a window that begins hours ahead would weigh the one before it by hours
  end
  local left = start + seconds - now
  current = current + used
  local granted = not refused and (cost <= 0 or previous * left / seconds + current + cost <= amount)
  if granted then
    current = current + cost
  end
  if used > 0 or granted and cost > 0 then
    redis.call('HSET', key, 'start', string.format('%.6f', start), 'previous', previous, 'current', current)
    redis.call('EXPIRE', key, 2 * seconds)
  end
  if not refused then
    told[number] = {granted and 1 or 0, previous, current, string.format('%.6f', left)}
  end
  refused = refused or not granted
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


@dataclass(slots=True)
class Lent:
    """What a process may use of a quota unasked: ``room`` units, of which it has ``used`` some.

    ``window`` is what the server told at ``at``, by time.monotonic(), and what it is being told.
    """

    quota: Quota
    window: Window
    at: float
    room: int
    used: int

    def covers(self, quota: Quota, cost: int, now: float) -> bool:
        return now < self.at + 2 * HOLD and self.used + cost <= self.room and self.quota == quota

    def use(self, cost: int, now: float) -> Standing:
        self.used += cost
        window = self.window
        window = Window(window.previous, window.current + self.used, max(window.left - (now - self.at), 0))
        return window.standing(self.quota, cost, True)

    def telling(self) -> int:
        """What was used, which the server is told now."""
        told, self.used = self.used, 0
        self.room -= told
        self.window = Window(self.window.previous, self.window.current + told, self.window.left)
        return told


class Limiter:
    """Counts for every process that has the same server."""

    def __init__(self, url: str, name: str = "images") -> None:
        self._client = connect(url, retries=0, connect_seconds=PATIENCE)
        self._script = self._client.register_script(_TAKE)
        self._prefix = f"pixelmill:{name}:limits"
        self._own = Own()
        self._lent: dict[tuple[str, str], Lent] = {}
        self._telling: asyncio.Task[None] | None = None
        self._away_until = -math.inf

    async def take(self, who: str, *wanted: tuple[Quota, int]) -> list[Standing]:
        """Use so much of each quota of ``who``, until one does not fit: it and those after it are left as they are.

        The standing of each, up to there. Never raises for a server that is away.
        """
        now = time.monotonic()
        lent = [self._lent.get((quota.name, who)) for quota, _ in wanted]
        if all(one and one.covers(quota, cost, now) for one, (quota, cost) in zip(lent, wanted, strict=True)):
            return [one.use(cost, now) for one, (_, cost) in zip(lent, wanted, strict=True) if one]
        if now >= self._away_until:
            try:
                return await self._shared(who, wanted)
            except DOWN as error:
                self._is_away(error)
        return self._own.take(who, wanted, time.monotonic())

    async def close(self) -> None:
        """Tell what was used, and end."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        with contextlib.suppress(*DOWN):
            await self._tell()
        await self._client.aclose()

    async def _shared(self, who: str, wanted: Sequence[tuple[Quota, int]]) -> list[Standing]:
        told = await self._ask([(who, quota, cost, self._take_back(quota.name, who)) for quota, cost in wanted])
        now = time.monotonic()
        for (quota, _), (_, window) in zip(wanted, told, strict=False):
            self._lend(who, quota, window, now)
        return [
            window.standing(quota, cost, granted)
            for (quota, cost), (granted, window) in zip(wanted, told, strict=False)
        ]

    async def _ask(self, asked: Sequence[tuple[str, Quota, int, int]]) -> list[tuple[bool, Window]]:
        """For whom, of which quota, how much, and what was used unasked: whether it is granted, and how the quota
        stands then; up to the first that is not. What the server does not hear is forgotten: counting it twice, where
        only the answer was lost, would be worse.
        """
        async with asyncio.timeout(PATIENCE):
            told = await self._script(
                keys=[f"{self._prefix}:{quota.name}:{who}" for who, quota, _, _ in asked],
                args=[number for _, quota, *units in asked for number in (quota.amount, quota.seconds, *units)],
            )
        return [(bool(granted), Window(previous, current, float(left))) for granted, previous, current, left in told]

    def _lend(self, who: str, quota: Quota, window: Window, now: float) -> None:
        # What was used while the answer was on its way is told the next time.
        used = self._take_back(quota.name, who)
        room = math.floor(SHARE * (quota.amount - window.used(quota.seconds)))
        if room > 0 or used:
            self._lent[quota.name, who] = Lent(quota, window, now, room, used)
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell_on())

    def _take_back(self, name: str, who: str) -> int:
        """What was used of a loan, which ends."""
        lent = self._lent.pop((name, who), None)
        return lent.used if lent else 0

    async def _tell_on(self) -> None:
        """Tell what was used as long as anything is lent."""
        while self._lent:
            await asyncio.sleep(HOLD)
            try:
                await self._tell()
            except DOWN as error:
                self._is_away(error)

    async def _tell(self) -> None:
        """Tell all that was used, and lend as much again of it; what nobody used is given back."""
        self._lent = {key: one for key, one in self._lent.items() if one.used}
        lent = list(self._lent.items())
        for start in range(0, len(lent), TOLD_AT_ONCE):
            part = lent[start : start + TOLD_AT_ONCE]
            told = await self._ask([(who, one.quota, 0, one.telling()) for (_, who), one in part])
            now = time.monotonic()
            for ((name, who), one), (_, window) in zip(part, told, strict=True):
                if self._lent.get((name, who)) is one:
                    self._lend(who, one.quota, window, now)

    def _is_away(self, error: BaseException) -> None:
        self._away_until = time.monotonic() + PAUSE
        log.warning("limits.own-count", why="the queue's server does not answer", error=str(error))


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
