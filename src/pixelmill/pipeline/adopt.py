"""A job that a Node service added by BullMQ becomes a batch like any other, and gets its results as return value.

Its data says what to make of what: ``{"url" | "key", "preset" | "recipe", "metadata", "name", "callbackUrl"}``. The
worker that takes it first writes batch and image to SQL, and goes on as for any other image; from then on SQL is the
truth, and the job only waits for its answer. The batch's id is made of the job's id and the time it was added: whoever
takes the job later, because that worker died or somebody pressed retry, finds the same batch, as long as it is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pixelmill.errors import PixelmillError
from pixelmill.pipeline.accept import Intake
from pixelmill.pipeline.ending import replay
from pixelmill.pipeline.work import Millhand
from pixelmill.queue import Done, Failed, Foreign, Job, Later
from pixelmill.queue.job import NAME
from pixelmill.recipes import Preset, Recipe, parse_recipe
from pixelmill.records import batches, images
from pixelmill.records.models import Image, State
from pixelmill.storage import keys


class Order(BaseModel):
    """What the data of such a job may say; exactly one of ``url`` and ``key``, at most one of ``preset``, ``recipe``.

    ``key`` is that of an object in the storage that the workers use.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(None, max_length=2000)
    key: str | None = Field(None, max_length=512)
    preset: str | None = None
    recipe: dict[str, Any] | str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    name: str | None = Field(None, max_length=1000)
    callback_url: str | None = Field(None, alias="callbackUrl", max_length=2000)


class Adopter:
    """Works on jobs of others, for one worker process."""

    def __init__(self, intake: Intake, millhand: Millhand, presets: Mapping[str, Preset]) -> None:
        self._intake = intake
        self._millhand = millhand
        self._presets = presets

    async def __call__(self, job: Foreign) -> Done | Later | Failed:
        """Adopt, work, answer. Bad data and bad images end as failed with their code, as they would by HTTP."""
        try:
            batch_id = await self._adopt(job)
        except PixelmillError as error:
            # We were taken for dead, or the record is out of reach: for a while.
            return Failed(str(error)) if error.spec.permanent else self._later()
        if batch_id is None:
            return self._later()
        image = await self._find(batch_id)
        if image and image.state is State.FAILED and job.retried:
            return await self._again(image)
        if image and not image.state.over:
            image = await self._work(image)
        return self._answer(image)

    async def _adopt(self, job: Foreign) -> str | None:
        """The batch's id, made or known; None while another worker makes it. Raises PixelmillError."""
        intake = self._intake
        batch_id = _batch_of(intake.queue.name, job)
        if await batches.exists(intake.database, batch_id):
            return batch_id
        order, recipe, preset = self._read(job)
        acceptance = await intake.begin_once(batch_id)
        if acceptance is None:
            return None
        try:
            source = {"url": order.url} if order.url is not None else {"key": order.key}
            acceptance.fetch(order.name or _name_in(order.url or order.key or ""), source)
            await acceptance.commit(
                recipe=recipe,
                preset=preset.name if preset else None,
                metadata=order.metadata,
                callback_url=order.callback_url,
                retention=preset.retention if preset else None,
                queued=False,
            )
        finally:
            await acceptance.abandon()
        return batch_id

    def _read(self, job: Foreign) -> tuple[Order, Recipe, Preset | None]:
        if job.name != NAME:
            raise PixelmillError("bad-request", f"A job's name must be {NAME!r}.")
        try:
            order = Order.model_validate(job.data)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'data'}: {one['msg']}" for one in error.errors(include_input=False)
            )
            raise PixelmillError("bad-request", f"The job's data is wrong: {wrong}.") from None
        if (order.url is None) == (order.key is None):
            raise PixelmillError("bad-request", "The job's data needs either `url` or `key`.")
        if order.key is not None:
            try:
                keys.check(order.key)
            except ValueError as error:
                raise PixelmillError("bad-request", f"`key`: {error}.") from None
        if order.recipe is not None:
            if order.preset is not None:
                raise PixelmillError("bad-request", "The job's data may have `preset` or `recipe`, not both.")
            return order, parse_recipe(order.recipe), None
        preset = self._presets.get(order.preset or "default")
        if preset is None:
            raise PixelmillError("unknown-preset", f"There is no preset {order.preset!r}.")
        return order, preset.recipe, preset

    async def _work(self, image: Image) -> Image | None:
        await self._millhand(Job(image.id, image.generation))
        return await self._find(image.batch_id)

    async def _again(self, image: Image) -> Done | Later | Failed:
        """Somebody pressed retry in Arena or bull-board: waits for the end here, so that it is done again once."""
        try:
            await replay(self._intake.database, self._intake.queue, image.id)
        except PixelmillError as error:
            return Failed(str(error))
        found = await self._find(image.batch_id)
        while found and not found.state.over:
            found = await self._work(found)
            if found and not found.state.over:
                await asyncio.sleep(self._later().seconds)
        return self._answer(found)

    async def _find(self, batch_id: str) -> Image | None:
        return next(iter(await images.of_batch(self._intake.database, batch_id, limit=1)), None)

    def _later(self) -> Later:
        return Later(self._intake.settings.retry_seconds)

    def _answer(self, image: Image | None) -> Done | Later | Failed:
        if image is None:
            return Failed("not-found: Its records were deleted: their time was over.")
        if not image.state.over:
            return self._later()
        if image.state is State.CANCELED:
            return Failed("canceled: Its owner canceled it.")
        if image.state is State.FAILED:
            return Failed(f"{image.error_code}: {image.failed_reason}")
        links = (self._intake.settings.public_url or "").rstrip("/")
        return Done(
            {
                "batchId": image.batch_id,
                "jobId": image.id,
                "statusUrl": f"{links}/batches/{image.batch_id}",
                "format": image.format,
                "width": image.width,
                "height": image.height,
                "variants": [
                    {
                        "name": one.name,
                        "state": str(one.state),
                        "url": f"{links}/images/{image.id}/{one.name}" if one.key else None,
                        "key": one.key,
                        "format": one.format,
                        "contentType": one.content_type,
                        "width": one.width,
                        "height": one.height,
                        "bytes": one.bytes,
                        "error": one.error,
                    }
                    for one in image.variants
                ],
            }
        )


def _batch_of(queue: str, job: Foreign) -> str:
    """Always the same for the same job; a UUIDv7 of the time it was added, so that it sorts among the others."""
    bits = int.from_bytes(hashlib.sha256(f"{queue} {job.job_id} {job.added}".encode()).digest()[:16], "big")
    at = min(max(job.added, 0), 2**48 - 1)
    return str(UUID(int=at << 80 | 7 << 76 | bits >> 4 & 0xFFF << 64 | 2 << 62 | bits & 2**62 - 1))


def _name_in(address: str) -> str:
    """The last part of a URL's path, or of a key: what a person would call the file."""
    return unquote(urlsplit(address).path.rpartition("/")[2])
