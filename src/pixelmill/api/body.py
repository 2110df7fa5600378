"""The body of a request, watched as it arrives: not too slow, not too large, within the quota of who sends it.

Only the time that we wait for the client counts; when storage is slow, that is not the client's fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Message, Receive

from pixelmill.errors import PixelmillError

#: Seconds of waiting before the rate is looked at: a connection may start slowly.
START = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """``idle``: longest wait for the next bytes; ``total``: for all of them; ``rate``: fewest bytes a second."""

    idle: float
    total: float
    rate: int

    def left(self, waited: float, received: int) -> float:
        """Seconds that the client has for its next bytes after ``waited`` seconds; 0 or less: too slow.

        After :data:`START` seconds ``received`` may never be less than ``rate`` for each second waited.
        """
        left = min(self.idle, self.total - waited)
        return min(left, max(START, received / self.rate) - waited) if self.rate else left


class Body:
    """Stands where ``receive`` stood. Raises PixelmillError: `slow-request`, `too-large-request`, `quota-exceeded`.

    What was raised is kept as ``error``, for whoever read the body may have taken it for something else.
    """

    def __init__(
        self,
        receive: Receive,
        pace: Pace,
        *,
        most_bytes: int | None,
        charge: Callable[[int], Awaitable[None]] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.error: PixelmillError | None = None
        self._receive = receive
        self._pace = pace
        self._most = most_bytes
        self._charge = charge
        self._clock = clock
        self._waited = 0.0
        self._received = 0
        self._over = False

    async def receive(self) -> Message:
        if self._over:
            # What comes now is the end of the connection, and that may take as long as it likes.
            return await self._receive()
        try:
            return await self._next()
        except PixelmillError as error:
            self.error = error
            raise

    async def _next(self) -> Message:
        since = self._clock()
        try:
            async with asyncio.timeout(self._pace.left(self._waited, self._received)):
                message = await self._receive()
        except TimeoutError as error:
            raise PixelmillError("slow-request") from error
        finally:
            self._waited += self._clock() - since
        size = len(message.get("body", b""))
        self._received += size
        self._over = message["type"] != "http.request" or not message.get("more_body", False)
        if self._most is not None and self._received > self._most:
            raise PixelmillError("too-large-request", f"The body is larger than {self._most} bytes.")
        if self._charge is not None and size:
            await self._charge(size)
        return message

    async def whole(self) -> bytes:
        """All of it. Raises PixelmillError ``bad-request`` when the connection was cut."""
        parts = []
        while not self._over:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise PixelmillError("bad-request", "The connection was cut before the body was whole.")
            parts.append(message.get("body", b""))
        return b"".join(parts)
