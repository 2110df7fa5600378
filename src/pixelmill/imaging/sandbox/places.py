"""Where decoders wait for work, and work for decoders."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from pixelmill.imaging.sandbox.decoder import Decoder


@dataclass(eq=False)
class Home:
    """Decoders of one niceness that have nothing to do; None stands for one that is still to be started."""

    nice: int
    free: list[Decoder | None] = field(default_factory=list)


class Places:
    """Who comes first is served first. What is urgent takes a spare decoder too, whichever is free first."""

    def __init__(self, nice: int, spare_nice: int) -> None:
        self.idle = Home(nice)
        self.spare = Home(spare_nice)
        self._waiting: deque[tuple[asyncio.Future[tuple[Home, Decoder | None]], bool]] = deque()

    async def take(self, urgent: bool) -> tuple[Home, Decoder | None]:
        """A decoder, the one that worked last, and the home that it is to be put into again."""
        for home in (self.idle, self.spare) if urgent else (self.idle,):
            if home.free:
                return home, home.free.pop()
        given: asyncio.Future[tuple[Home, Decoder | None]] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, urgent))
        try:
            return await given
        except asyncio.CancelledError:
            if given.cancelled():
                self._waiting.remove((given, urgent))
            else:
                self.put(*given.result())
            raise

    def put(self, home: Home, decoder: Decoder | None) -> None:
        for given, urgent in self._waiting:
            if (urgent or home is self.idle) and not given.done():
                self._waiting.remove((given, urgent))
                given.set_result((home, decoder))
                return
        home.free.append(decoder)
