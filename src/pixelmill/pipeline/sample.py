"""Takes samples of how the service is, for the monitor's plots; under the reconciler's leader."""

from __future__ import annotations

from datetime import datetime, timedelta

from pixelmill.records import Database, monitor
from pixelmill.records.tables import now

#: Seconds between two samples, and how long they are kept.
EVERY = 10.0
KEPT = timedelta(days=2)


class Sampler:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: datetime | None = None

    async def round(self) -> None:
        """Take a sample, if it is time. The first round of a new leader only starts the clock."""
        at = now()
        if self._last is None or self._last > at:
            self._last = at
        elif (at - self._last).total_seconds() >= EVERY:
            since, self._last = self._last, at
            await monitor.sample(self._database, since)
            await monitor.forget_samples(self._database, KEPT)
