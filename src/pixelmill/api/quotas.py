"""How much one caller may ask for: requests in a minute, bytes in a day, images that are not done yet.

Told by ``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10) and, when there is no more, by
a 429 problem ``quota-exceeded`` with ``Retry-After``. The defaults are settings; a key may have limits of its own.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from pixelmill.api.auth import Caller, Uploader
from pixelmill.api.parts import Given
from pixelmill.errors import PixelmillError
from pixelmill.queue import Quota
from pixelmill.records import images

if TYPE_CHECKING:
    from pixelmill.queue import Limiter, Standing
    from pixelmill.records.database import Database
    from pixelmill.settings import Settings

MINUTE = 60
DAY = 24 * 3600
#: A limit above this is looked up at most once a second: counting so many takes a while, and it need not be exact.
MANY = 10_000
#: Seconds after which it is worth asking again when too many images are in flight.
SOON = 5

#: The names that a key's own limits have.
NAMES = ("requestsPerMinute", "bytesPerDay", "imagesInFlight")


class Quotas:
    def __init__(self, limiter: Limiter, database: Database, settings: Settings) -> None:
        self._limiter = limiter
        self._database = database
        self._settings = settings
        self._in_flight: dict[str, tuple[float, int]] = {}

    def requests(self, caller: Caller | None) -> Quota:
        return self._quota("requests", "requestsPerMinute", self._settings.requests_per_minute, MINUTE, caller)

    def bytes(self, caller: Caller | None) -> Quota:
        return self._quota("bytes", "bytesPerDay", self._settings.bytes_per_day, DAY, caller)

    def _quota(self, name: str, key: str, default: int, seconds: int, caller: Caller | None) -> Quota:
        return Quota(name, default if caller is None else caller.limits.get(key, default), seconds)

    async def request(self, caller: Caller | None, who: str, told: dict[str, str]) -> None:
        """Count a request; ``told`` gets the headers. Raises ``quota-exceeded``."""
        await self._take(self.requests(caller), who, 1, told)

    async def announced(self, caller: Caller | None, who: str, size: int, told: dict[str, str]) -> None:
        """Count the bytes that a Content-Length announces, before any is read. Raises ``quota-exceeded``."""
        await self._take(self.bytes(caller), who, size, told)

    def charge(self, caller: Caller | None, who: str) -> Callable[[int], Awaitable[None]] | None:
        """Counts the bytes of a body of unknown length as they come; raises ``quota-exceeded``."""
        quota = self.bytes(caller)
        if not quota.amount:
            return None

        async def take(size: int) -> None:
            await self._take(quota, who, size, {})

        return take

    async def _take(self, quota: Quota, who: str, cost: int, told: dict[str, str]) -> None:
        if not quota.amount:
            return
        standing = await self._limiter.take(quota, who, cost)
        tell(told, quota, standing)
        if not standing.granted:
            raise exceeded(quota.name, f"No more than {quota.amount} {quota.name} in {quota.seconds} s.", standing.wait)

    async def room(self, caller: Caller) -> None:
        """Raises ``quota-exceeded`` when as many images wait or are worked on as may.

        What comes in the same moment is not seen: the limit may be passed by the requests then on their way.
        """
        most = caller.limits.get("imagesInFlight", self._settings.images_in_flight)
        if not most:
            return
        at, found = self._in_flight.get(caller.owner, (-1.0, 0))
        if most <= MANY or time.monotonic() > at + 1:
            found = await images.in_flight(self._database, caller.owner, most)
            self._in_flight[caller.owner] = time.monotonic(), found
        if found >= most:
            raise exceeded("images", f"{most} images wait or are worked on already.", SOON)


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


async def _room(connection: HTTPConnection, parts: Given, caller: Uploader) -> None:
    quotas: Quotas = connection.app.state.quotas
    await quotas.room(caller)


#: In ``dependencies`` of a route that makes images.
ROOM: Any = Depends(_room)
Room = Annotated[None, ROOM]
