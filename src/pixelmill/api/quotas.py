"""How much one caller may ask for: requests in a minute, bytes in a day, images that are not done yet.

Told by ``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10) and, when there is no more, by
a 429 problem ``quota-exceeded`` with ``Retry-After``. The defaults are settings; a key may have limits of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from pixelmill.api.auth import Caller, Uploader
from pixelmill.api.parts import Given
from pixelmill.errors import PixelmillError
from pixelmill.queue import Quota
from pixelmill.records import fairness, waiting

if TYPE_CHECKING:
    from pixelmill.queue import Limiter, Standing
    from pixelmill.records.database import Database
    from pixelmill.settings import Settings

MINUTE = 60
DAY = 24 * 3600
#: A limit above this is looked up at most once a second: counting so many takes a while, and it need not be exact.
MANY = 10_000
#: Seconds after which it is worth asking again when the whole service has too much to do.
AGAIN = 10

#: The names that a key's own limits have.
NAMES = ("requestsPerMinute", "bytesPerDay", "imagesInFlight")


class Quotas:
    def __init__(self, limiter: Limiter, database: Database, settings: Settings) -> None:
        self._limiter = limiter
        self._database = database
        self._settings = settings
        self._in_flight: dict[str, tuple[float, int]] = {}
        self._deep = False
        self._deep_until = -math.inf

    def requests(self, caller: Caller | None) -> Quota:
        return self._quota("requests", "requestsPerMinute", self._settings.requests_per_minute, MINUTE, caller)

    def bytes(self, caller: Caller | None) -> Quota:
        return self._quota("bytes", "bytesPerDay", self._settings.bytes_per_day, DAY, caller)

    def _quota(self, name: str, key: str, default: int, seconds: int, caller: Caller | None) -> Quota:
        return Quota(name, default if caller is None else caller.limits.get(key, default), seconds)

    async def enter(self, caller: Caller | None, who: str, size: int | None, told: dict[str, str]) -> None:
        """Count a request and the bytes that it announces, before any is read.

        ``told`` gets the headers. Raises ``quota-exceeded``.
        """
        wanted = [(self.requests(caller), 1)]
        if size:
            wanted.append((self.bytes(caller), size))
        await self._take(who, wanted, told)

    def charge(self, caller: Caller | None, who: str) -> Callable[[int], Awaitable[None]] | None:
        """Counts the bytes of a body of unknown length as they come; raises ``quota-exceeded``."""
        quota = self.bytes(caller)
        if not quota.amount:
            return None

        async def take(size: int) -> None:
            await self._take(who, [(quota, size)], {})

        return take

    async def _take(self, who: str, wanted: list[tuple[Quota, int]], told: dict[str, str]) -> None:
        wanted = [(quota, cost) for quota, cost in wanted if quota.amount]
        if not wanted:
            return
        for (quota, _), standing in zip(wanted, await self._limiter.take(who, *wanted), strict=False):
            tell(told, quota, standing)
            if not standing.granted:
                raise exceeded(
                    quota.name, f"No more than {quota.amount} {quota.name} in {quota.seconds} s.", standing.wait
                )

    async def room(self, caller: Caller) -> int | None:
        """Raises ``overloaded`` or ``quota-exceeded`` when as many images wait or are worked on as may.

        What comes in the same moment is not seen. So the answer is a limit to be held exactly when the images are
        accepted; or None, when it is so large that counting them each time would cost too much.
        """
        await self._depth()
        most = caller.limits.get("imagesInFlight", self._settings.images_in_flight)
        if not most:
            return None
        at, found = self._in_flight.get(caller.owner, (-1.0, 0))
        if most <= MANY or time.monotonic() > at + 1:
            async with self._database.read() as connection:
                found = await fairness.in_flight(connection, caller.owner, most)
            self._in_flight[caller.owner] = time.monotonic(), found
        if found >= most:
            raise fairness.full(most)
        return most if most <= MANY else None

    async def _depth(self) -> None:
        """Whether the service has as much to do as it may: counted again after fifty times as long as it took."""
        most = self._settings.max_waiting
        began = time.monotonic()
        if most and began >= self._deep_until:
            self._deep_until = math.inf  # one counts, others go by what was counted before
            try:
                self._deep = await waiting.count(self._database, most) >= most
            finally:
                done = time.monotonic()
                self._deep_until = done + min(max(50 * (done - began), 0.2), 10)
        if self._deep:
            raise PixelmillError("overloaded", f"{most} images wait already.", {"retryAfter": AGAIN})


def tell(told: dict[str, str], quota: Quota, standing: Standing) -> None:
    """Add one policy and its standing to the headers (structured fields, RFC 9651)."""
    unit = ';qu="content-bytes"' if quota.name == "bytes" else ""
    fields = {
        "RateLimit-Policy": f'"{quota.name}";q={quota.amount};w={quota.seconds}{unit}',
        "RateLimit": f'"{quota.name}";r={standing.remaining};t={standing.reset}',
    }
    for name, value in fields.items():
        told[name] = f"{told[name]}, {value}" if name in told else value


def exceeded(policy: str, detail: str, seconds: int) -> PixelmillError:
    extra: dict[str, Any] = {"violated-policies": [policy], "retryAfter": seconds}
    return PixelmillError("quota-exceeded", detail, extra)


async def _room(connection: HTTPConnection, parts: Given, caller: Uploader) -> int | None:
    quotas: Quotas = connection.app.state.quotas
    return await quotas.room(caller)


#: In ``dependencies`` of a route that has work done.
ROOM: Any = Depends(_room)
#: For a route that makes images: most that may be in flight with them, where that is held exactly.
Room = Annotated[int | None, ROOM]
