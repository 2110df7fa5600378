"""Webhooks are told, as Standard Webhooks 1.0 has it: signed, until they answer 2xx, for about three days.

Every worker process sends. What is to be told is in the record since the batch ended; here it is taken, signed, sent
to a public address, and how that went is written down. A receiver may meet a message twice (a sender that died may
have sent it), with the same ``webhook-id``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook as Signer

from pixelmill.errors import PixelmillError
from pixelmill.outbound import Guard
from pixelmill.pipeline.presence import Presence
from pixelmill.records import Database, deliveries, secrets, webhooks
from pixelmill.records.models import Delivery, Secret
from pixelmill.records.tables import now
from pixelmill.settings import Settings

log = logging.getLogger(__name__)

MINUTE, HOUR = 60.0, 3600.0
#: Seconds before each try: the schedule that Standard Webhooks recommends.
SCHEDULE = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
#: Later by up to this part of itself, so that messages that failed together do not come back together.
JITTER = 0.1
LONGEST_WAIT = 24 * HOUR
#: Seconds in which an endpoint has to answer.
TIMEOUT = 15.0
#: Messages under way at a time, in all and to one endpoint.
SLOTS = 16
SLOTS_EACH = 4
#: Seconds between two looks at what is due.
POLL = 1.0


def callbacks(owner: str) -> str:
    """The name of the secret that signs what is sent to callback addresses of an owner's batches."""
    return f"callbacks:{owner}"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try went. ``retry_after``: seconds that the endpoint asked for."""

    status: int | None
    error: str | None = None
    retry_after: float = 0.0

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Deliverer:
    """Sends what is due, for one worker process."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        presence: Presence,
        guard: Guard | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._presence = presence
        self._guard = guard or Guard.of(settings)
        self._links = (settings.public_url or "").rstrip("/")
        self._clock = clock
        self._client = self._guard.client(seconds=TIMEOUT)
        self._sending: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Send until canceled. What is under way then is taken back with all else that the process holds."""
        try:
            while True:
                try:
                    await self.round()
                except PixelmillError as error:
                    log.warning("no webhook is sent now: %s", error)
                except Exception:
                    log.exception("sending webhooks broke off")
                self._room.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._room.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        tasks = [task for _, task in self._sending.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def round(self) -> int:
        """Start sending what is due, as far as there is room; how many."""
        process_id = self._presence.id
        # What the record says we send and we do not: the answer to our claim, or the end of our try, was lost.
        await deliveries.take_back(self._database, process_id, keep=self._sending)
        room = SLOTS - len(self._sending)
        if room <= 0:
            return 0
        busy = Counter(endpoint for endpoint, _ in self._sending.values())
        taken = await deliveries.claim(
            self._database, process_id, at=self._clock(), limit=room, most=SLOTS_EACH, busy=busy
        )
        for one in taken:
            task = asyncio.create_task(self._deliver(one, process_id))
            self._sending[one.id] = deliveries.endpoint(one), task
        return len(taken)

    async def drain(self) -> None:
        """Send all that is due by now, and wait for the answers."""
        more = True
        while more:
            # Those that end during a round make room for what that round could not take.
            busy = bool(self._sending)
            more = bool(await self.round()) or busy
            await asyncio.gather(*(task for _, task in self._sending.values()))

    async def _deliver(self, one: Delivery, process_id: str) -> None:
        try:
            await self._try(one, process_id)
        except PixelmillError as error:
            log.warning("how webhook message %s went could not be noted; it is sent again: %s", one.id, error)
        except Exception:
            log.exception("webhook message %s", one.id)
        finally:
            self._sending.pop(one.id, None)
            self._room.set()

    async def _try(self, one: Delivery, process_id: str) -> None:
        at = self._clock()
        began = time.monotonic()
        keys = await self._secrets(one, at)
        answer = await self._send(one, keys, at) if keys else Answer(None, "The endpoint is disabled.")
        tried = {
            "at": at.isoformat(),
            "status": answer.status,
            "error": answer.error,
            "seconds": round(time.monotonic() - began, 3),
        }
        state, due_at, disabled = "due", None, None
        if answer.good:
            state = "delivered"
        elif not keys:
            state = "failed"
        elif answer.status == 410:
            state, disabled = "failed", "It answered 410 Gone."
        elif one.tries + 1 >= len(SCHEDULE):
            state, disabled = "failed", f"It did not take a message in {len(SCHEDULE)} tries over three days."
        else:
            due_at = at + timedelta(seconds=wait(one.tries + 1, answer.retry_after))
        if not answer.good:
            log.info("webhook message %s to %s: %s", one.id, deliveries.endpoint(one), answer.error or answer.status)
        await deliveries.finish(
            self._database, one, process_id, tried, state=state, at=at, due_at=due_at, disabled=disabled
        )

    async def _secrets(self, one: Delivery, at: datetime) -> list[Secret]:
        """What signs a message; nothing when its endpoint is disabled or gone."""
        if one.webhook_id is None:
            return secrets.in_use(await secrets.obtain(self._database, callbacks(one.owner)), at)
        endpoint = await webhooks.find(self._database, one.webhook_id)
        return secrets.in_use(endpoint.secrets, at) if endpoint and endpoint.disabled_at is None else []

    async def _send(self, one: Delivery, keys: list[Secret], at: datetime) -> Answer:
        body = json.dumps(self.body(one), ensure_ascii=False, separators=(",", ":"))
        message_id = f"msg_{one.id}"
        signatures = [Signer(key.secret).sign(message_id, at.astimezone(UTC), body) for key in keys]
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                # The status says all; a body is not read.
                self._client.stream("POST", one.url, content=body.encode(), headers=headers) as response,
            ):
                wanted = _seconds(response.headers.get("retry-after", ""), at)
                refused = None if response.is_success else f"It answered {response.status_code}."
                return Answer(response.status_code, refused, wanted)
        except PixelmillError as error:
            return Answer(None, error.detail)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(None, f"It did not answer in {TIMEOUT:g} seconds.")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return Answer(None, f"{type(error).__name__}: {error}"[:500])

    def body(self, one: Delivery) -> dict[str, Any]:
        """The message: thin, with links to what there is to know; the same at every try."""
        data: dict[str, Any] = {"event": one.event, **one.payload}
        if one.batch_id:
            at = f"{self._links}/batches/{one.batch_id}"
            data["links"] = {"self": at, "archive": f"{at}/archive"}
        told = one.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"type": one.event, "timestamp": told, "data": data}


def wait(tries: int, asked: float = 0.0) -> float:
    """Seconds from the end of try number ``tries`` to the next; not less than ``asked``, but a day at most."""
    planned = SCHEDULE[tries] * (1 + JITTER * random.random())  # noqa: S311 - spreads load, guards nothing
    return max(planned, min(asked, LONGEST_WAIT))


def _seconds(text: str, at: datetime) -> float:
    """Retry-After (RFC 9110 §10.2.3) as seconds from ``at``; 0 when there is none that can be read."""
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - at).total_seconds())
    except (ValueError, TypeError):
        return 0.0
