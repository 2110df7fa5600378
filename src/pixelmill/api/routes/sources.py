"""``POST /batches``: a batch by JSON, of images at URLs, of finished uploads, or in the service's own bucket."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Body, Request
from pydantic import ConfigDict, Field, model_validator
from starlette.responses import Response

from pixelmill.api import options, owned, problems, schemas
from pixelmill.api.auth import Caller, Uploader
from pixelmill.api.idempotency import Once
from pixelmill.api.parts import Given, Parts
from pixelmill.api.quotas import Room
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.accept import Acceptance
from pixelmill.pipeline.uploads import Uploads

router = APIRouter(tags=["batches"])

#: Where the service keeps its own: never a source.
OWN = ("originals/", "processed/", "uploads/")


class Source(schemas.Shape):
    """Exactly one of `url`, `uploadId`, `key` and `prefix`."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(
        None, max_length=2000, description="A public http or https address.", examples=["https://example.com/a.jpg"]
    )
    upload_id: str | None = Field(None, max_length=36, description="Of an upload that is complete.")
    key: str | None = Field(None, max_length=512, description="An object in the service's own storage.")
    prefix: str | None = Field(None, max_length=512, description="Every object there whose key starts so.")
    name: str | None = Field(None, max_length=1000, description="What to call it; else what the address calls it.")

    @model_validator(mode="after")
    def _one(self) -> Source:
        if sum(one is not None for one in (self.url, self.upload_id, self.key, self.prefix)) != 1:
            raise ValueError("give exactly one of `url`, `uploadId`, `key` and `prefix`")
        return self


class NewBatch(schemas.Shape):
    """The same options as `POST /process-images`."""

    model_config = ConfigDict(extra="forbid")

    sources: list[Source] = Field(min_length=1)
    preset: str | None = Field(None, description=options.DESCRIPTIONS["preset"])
    recipe: dict[str, Any] | None = Field(None, description=options.DESCRIPTIONS["recipe"])
    priority: schemas.Whole = Field(0, ge=0, le=options.MAX_PRIORITY, description=options.DESCRIPTIONS["priority"])
    callback_url: str | None = Field(None, description=options.DESCRIPTIONS["callbackUrl"])
    metadata: dict[str, Any] | None = Field(None, description=options.DESCRIPTIONS["metadata"])
    retention: dict[str, Annotated[float, Field(strict=True)]] | None = Field(
        None, description=options.DESCRIPTIONS["retention"]
    )

    def options(self) -> dict[str, str]:
        """As a form would have them."""
        found = {"priority": str(self.priority), "preset": self.preset or "", "callbackUrl": self.callback_url or ""}
        for name in ("recipe", "metadata", "retention"):
            value = getattr(self, name)
            found[name] = "" if value is None else json.dumps(value)
        return found


_EXAMPLES: Any = {
    "urls": {"value": {"preset": "instagram", "sources": [{"url": "https://example.com/a.jpg", "name": "a.jpg"}]}},
    "uploads": {"value": {"sources": [{"uploadId": "0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e"}]}},
}


@router.post(
    "/batches",
    status_code=202,
    summary="Have images made that lie elsewhere, or were uploaded before",
    response_model=schemas.Accepted,
    responses={
        202: {
            "headers": schemas.ACCEPTED_HEADERS,
        },
        **problems.responses(
            "bad-request",
            "no-files",
            "too-many-files",
            "not-found",
            "not-ready",
            "conflict",
            "locked",
            "upload-expired",
            "address-refused",
            "unsupported-format",
            "empty-file",
            "nothing-acceptable",
            "bad-recipe",
            "unknown-preset",
            "unsupported-media-type",
            "idempotency-mismatch",
            "idempotency-running",
            "quota-exceeded",
            "overloaded",
            "unavailable",
        ),
    },
)
async def create_batch(
    request: Request,
    parts: Given,
    caller: Uploader,
    room: Room,
    wanted: Annotated[NewBatch, Body(openapi_examples=_EXAMPLES)],
) -> Response:
    """It is accepted at once; workers fetch what lies elsewhere. What cannot be fetched becomes a failed image with a
    reason, and the others are made. An upload is taken by one batch only.
    """
    chosen = options.read(wanted.options(), parts.presets, parts.settings.max_variants)
    # As many files as one request may bring may also come as uploads.
    most = max(parts.settings.max_sources, parts.settings.max_files)
    if len(wanted.sources) > most:
        raise PixelmillError("too-many-files", f"At most {most} sources are taken.")
    once: Once | None = request.state.once
    uploads: Uploads = request.app.state.uploads
    acceptance = await parts.intake.begin(owner=caller.owner, in_flight=room)
    try:
        for source in wanted.sources:
            await _add(parts, uploads, caller, acceptance, source)
            if acceptance.total > parts.settings.max_batch_images:
                raise PixelmillError("too-many-files", f"At most {parts.settings.max_batch_images} images in a batch.")
        answer = schemas.Accepted.of(acceptance.batch_id, acceptance.total).answer()
        await acceptance.commit(
            recipe=chosen.recipe,
            preset=chosen.preset,
            metadata=chosen.metadata,
            callback_url=chosen.callback_url,
            priority=chosen.priority,
            retention=chosen.retention,
            also=once.recording(answer) if once else None,
        )
    finally:
        await acceptance.abandon()
    return answer


async def _add(parts: Parts, uploads: Uploads, caller: Caller, acceptance: Acceptance, source: Source) -> None:
    if source.url is not None:
        acceptance.fetch(source.name or name_in(urlsplit(source.url).path), {"url": source.url})
    elif source.upload_id is not None:
        upload = await owned.upload(parts, caller, source.upload_id)
        acceptance.take(await uploads.ready(upload), source.name)
    elif source.key is not None:
        _permitted(parts, caller, source.key)
        acceptance.fetch(source.name or name_in(source.key), {"key": source.key})
    else:
        assert source.prefix is not None
        folders = _folders(parts)
        prefix = f"{source.prefix}/" if f"{source.prefix}/" in folders else source.prefix
        _permitted(parts, caller, prefix)
        before = acceptance.total
        async for stat in parts.storage.list(prefix):
            if not stat.key.endswith("/") and not stat.key.startswith(OWN):
                acceptance.fetch(name_in(stat.key), {"key": stat.key})
            if acceptance.total > parts.settings.max_batch_images:
                return
        if acceptance.total == before:
            raise PixelmillError("no-files", f"There is nothing in storage under {source.prefix!r}.")


def _folders(parts: Parts) -> tuple[str, ...]:
    """What the operator opened, as folders: `incoming` is not `incoming-of-others/`."""
    return tuple(one if one.endswith("/") or not one else f"{one}/" for one in parts.settings.source_prefixes)


def _permitted(parts: Parts, caller: Caller, key: str) -> None:
    """The bucket is the operator's: who belongs to a tenant sees nothing of it."""
    allowed = _folders(parts) if caller.owner == "" else ()
    plain = all(part not in ("", ".", "..") for part in key.rstrip("/").split("/")) and key.isascii()
    if not plain or key.startswith(OWN) or not key.startswith(allowed):
        raise PixelmillError("address-refused", "Storage is open for the prefixes in PIXELMILL_SOURCE_PREFIXES only.")


def name_in(path: str) -> str:
    """The last part of a path: what a person would call the file."""
    return unquote(path.rpartition("/")[2])
