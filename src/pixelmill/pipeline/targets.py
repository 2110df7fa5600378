"""Where results are sent besides our own storage: Cloudinary, by its own SDK.

A result is sent after it is stored and before it is recorded, under a name that is the same on every try and replaces
what is there: however often it is sent, there is one, and what is recorded has been delivered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from pixelmill.errors import PixelmillError
from pixelmill.records.claims import MadeVariant
from pixelmill.settings import Settings

#: The name under which a variant's facts keep the address that a target gave.
FACT = "deliveredUrl"
#: Seconds that the target may take for one step of one upload.
PATIENCE = 60.0
#: Results that one request deletes: Cloudinary's own limit (its Admin API, "Delete resources").
DELETED_AT_ONCE = 100


class Target(Protocol):
    async def send(self, name: str, data: bytes | memoryview) -> str:
        """Send a result under ``name`` (``batch/image/variant``); its public address.

        Raises PixelmillError ``delivery-failed``, which is worth another try.
        """

    async def delete(self, names: Collection[str]) -> None:
        """Delete what was sent under these names; what is not there needs not be. Raises as :meth:`send`."""


def connect(settings: Settings) -> Target | None:
    """The target that the settings name, if any; nothing is asked of it yet. Raises ``bad-request``."""
    return Cloudinary(settings.cloudinary_url.get_secret_value()) if settings.cloudinary_url else None


class Cloudinary:
    """``url``: ``cloudinary://key:secret@cloud/folder``, as their console gives it, the folder added by hand."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._folder = unquote(parts.path).strip("/") or "pixelmill"
        self._account: dict[str, Any] = {
            "cloud_name": parts.hostname and parts.netloc.rpartition("@")[2],
            "api_key": unquote(parts.username or ""),
            "api_secret": unquote(parts.password or ""),
        }
        if prefix := parse_qs(parts.query).get("upload_prefix"):  # Cloudinary's own name for another address of its API
            self._account["upload_prefix"] = prefix[0]
        if parts.scheme != "cloudinary" or not all(self._account.values()):
            raise PixelmillError("bad-request", "CLOUDINARY_URL must be cloudinary://key:secret@cloud.")
        # The SDK keeps one connection: that a second one is closed after its use is no news.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    async def send(self, name: str, data: bytes | memoryview) -> str:
        from cloudinary import uploader

        upload = partial(
            uploader.upload,
            bytes(data),
            public_id=f"{self._folder}/{name}",
            filename=name.rpartition("/")[2],
            resource_type="image",
            overwrite=True,
            timeout=PATIENCE,
            **self._account,
        )
        return str(await self._ask(lambda: upload()["secure_url"], "take"))

    async def delete(self, names: Collection[str]) -> None:
        from cloudinary import api

        ids = [f"{self._folder}/{name}" for name in sorted(names)]
        for start in range(0, len(ids), DELETED_AT_ONCE):
            some = ids[start : start + DELETED_AT_ONCE]
            # `invalidate`: copies that its own network of caches holds go too.
            delete = partial(api.delete_resources, some, invalidate=True, timeout=PATIENCE, **self._account)
            await self._ask(delete, "delete")

    @staticmethod
    async def _ask(call: Callable[[], Any], act: str) -> Any:
        try:
            return await asyncio.to_thread(call)
        except Exception as error:  # the SDK raises a bare Exception where it does not know the status
            # The SDK's messages name our key in places, and repeat whole answers.
            why = type(error).__name__
            raise PixelmillError(
                "delivery-failed", f"Cloudinary did not {act} it ({why}): see CLOUDINARY_URL."
            ) from None


class Deliveries:
    """Results of one image on their way to a target, beside the making of the next ones."""

    def __init__(self) -> None:
        self._under_way: list[asyncio.Task[MadeVariant]] = []

    @property
    def any(self) -> bool:
        """Whether one has neither arrived nor failed, or was not taken yet."""
        return bool(self._under_way)

    def begin(self, target: Target, name: str, data: bytes, made: MadeVariant) -> None:
        async def send() -> MadeVariant:
            return replace(made, facts={**made.facts, FACT: await target.send(name, data)})

        self._under_way.append(asyncio.create_task(send()))

    def take(self) -> list[MadeVariant]:
        """Those that have arrived. Raises what went wrong with one; the others are still there to be taken."""
        done = [one for one in self._under_way if one.done()]
        for one in done:
            if error := one.exception():
                self._under_way.remove(one)
                raise error
        self._under_way = [one for one in self._under_way if one not in done]
        return [one.result() for one in done]

    async def wait(self) -> None:
        """Until the next one has arrived or failed."""
        await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)

    async def rest(self) -> list[MadeVariant]:
        """Those that arrive all the same after one has failed, so that they need not be made again."""
        ends = await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way = []
        return [end for end in ends if isinstance(end, MadeVariant)]

    async def give_up(self) -> None:
        for one in self._under_way:
            one.cancel()
        await self.rest()
