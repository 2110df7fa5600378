"""``/uploads``: tickets to send files directly, without a key; and what has become of an upload."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ConfigDict, Field, model_validator
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pixelmill.api import owned, problems, schemas
from pixelmill.api.auth import Uploader
from pixelmill.api.links import LONGEST, Links
from pixelmill.api.parts import Given, Parts
from pixelmill.api.tickets import Sender
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.presence import new_id
from pixelmill.pipeline.receive import clean
from pixelmill.pipeline.uploads import TYPES, Uploads
from pixelmill.records import uploads as records
from pixelmill.records.models import Upload
from pixelmill.records.tables import now
from pixelmill.storage import keys


class _NotTus(Convertor[str]):
    """``/uploads/tus`` is an address of its own, for every method."""

    regex = "(?!tus(?:/|$))[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("upload", _NotTus())

router = APIRouter(tags=["uploads"])

#: What is signed to be sent where a ticket takes more than one type.
ANY = "application/octet-stream"

UploadId = Annotated[str, Path(max_length=36, examples=["0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e"])]


class TicketFile(schemas.Shape):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=1000, examples=["photo.jpg"])
    type: str | None = Field(None, max_length=100, description="Its media type.", examples=["image/jpeg"])
    bytes: Annotated[int, Field(ge=1), schemas.WHOLE] | None = Field(
        None, description="Its exact size; else up to `maxBytes`."
    )


class NewTicket(schemas.Shape):
    """Either `files`, or `count` files of any name."""

    model_config = ConfigDict(extra="forbid")

    files: list[TicketFile] | None = Field(None, min_length=1)
    count: Annotated[int, Field(ge=1), schemas.WHOLE] | None = None
    max_bytes: Annotated[int, Field(ge=1), schemas.WHOLE] | None = Field(None, description="Most bytes of each file.")
    types: list[str] | None = Field(None, min_length=1, max_length=20, description="Media types that are taken.")
    expires_in: Annotated[int, Field(ge=1, le=LONGEST), schemas.WHOLE] = Field(
        3600, description="Seconds that the addresses are to be good."
    )

    @model_validator(mode="after")
    def _either(self) -> NewTicket:
        if (self.files is None) == (self.count is None):
            raise ValueError("give either `files` or `count`")
        return self


class Sending(schemas.Shape):
    """One request to send as it is told here. `POST`: a form with `fields`, then the file in the field `file`."""

    upload_id: str
    name: str
    method: str
    url: str
    headers: dict[str, str]
    fields: dict[str, str]
    max_bytes: int


class TicketOut(schemas.Shape):
    ticket_id: str
    expires_at: schemas.Time
    files: list[Sending]


class UploadOut(schemas.Shape):
    """An upload. `uploadId` goes into `sources` of `POST /batches` once it is complete."""

    upload_id: str
    state: str = Field(description="open, finished or taken. One that is stored at S3 itself stays open until taken.")
    name: str
    bytes: int = Field(description="Bytes that are stored for good.")
    format: str | None
    expires_at: schemas.Time


def told(one: Upload) -> UploadOut:
    return UploadOut(
        upload_id=one.id,
        state=one.state,
        name=one.original_name,
        bytes=one.offset,
        format=one.format,
        expires_at=one.expires_at,
    )


@router.post(
    "/uploads",
    status_code=201,
    summary="A ticket: leave to send files directly",
    response_model=TicketOut,
    responses=problems.responses(
        "bad-request",
        "too-many-files",
        "too-large",
        "unsupported-format",
        "unsupported-media-type",
        "quota-exceeded",
        "idempotency-mismatch",
        "idempotency-running",
        "unavailable",
    ),
)
async def make_ticket(request: Request, parts: Given, caller: Uploader, wanted: NewTicket) -> Response:
    """Give each part of the answer to whoever is to send that file: a page, a phone. No key is needed to send it.

    An address is good for one file of that size and type, until it expires. Then `POST /batches` takes the `uploadId`.
    """
    most = parts.settings.max_sources
    if (wanted.count or len(wanted.files or [])) > most:
        raise PixelmillError("too-many-files", f"At most {most} files for one ticket.")
    files = wanted.files or [TicketFile(name=f"file-{number + 1}") for number in range(wanted.count or 0)]
    ends = datetime.fromtimestamp(int(time.time()) + wanted.expires_in, UTC)
    made = _Ticket(new_id(), caller.owner, ends, wanted, parts, request)
    told = [await made.file(position, file) for position, file in enumerate(files)]
    row = {
        "id": made.id,
        "owner": caller.owner,
        "max_bytes": max(one.max_bytes for one in told),
        "types": wanted.types or [],
        "count": len(told),
        "expires_at": ends,
        "created_at": now(),
    }
    await records.create(parts.database, made.uploads, ticket=row)
    answer = TicketOut(ticket_id=made.id, expires_at=ends, files=told)
    return schemas.answer(answer, 201, {"Cache-Control": "no-store"})


@dataclass
class _Ticket:
    id: str
    owner: str
    ends: datetime
    wanted: NewTicket
    parts: Parts
    request: Request

    def __post_init__(self) -> None:
        self.uploads: list[Upload] = []

    async def file(self, position: int, file: TicketFile) -> Sending:
        """One file's upload, and how to send it."""
        settings = self.parts.settings
        upload_id = new_id()
        most = file.bytes or self.wanted.max_bytes or settings.max_file_bytes
        if most > settings.max_file_bytes or most > (self.wanted.max_bytes or most):
            raise PixelmillError("too-large", f"At most {settings.max_file_bytes} bytes are taken.")
        types = [_type(one) for one in ([file.type] if file.type else self.wanted.types or [])]
        if file.type and self.wanted.types and types[0] not in map(_type, self.wanted.types):
            raise PixelmillError("unsupported-format", f"{file.type[:100]!r} is not among the `types` of the ticket.")
        kind, key = "direct", keys.direct(upload_id)
        seconds = self.wanted.expires_in
        signed_type = types[0] if len(types) == 1 else ANY
        if file.bytes:
            sent = await self.parts.storage.presign_put(key, seconds=seconds, content_type=signed_type, bytes=most)
        else:
            sent = await self.parts.storage.presign_post(key, seconds=seconds, content_type=signed_type, bytes=most)
        if sent is not None:
            told: dict[str, Any] = {"method": sent.method, "url": sent.url}
            told |= {"headers": dict(sent.headers), "fields": dict(sent.fields)}
        else:
            kind, key = "put", ""
            tickets: Links = self.request.app.state.tickets
            base = (settings.public_url or str(self.request.base_url)).rstrip("/")
            url = base + tickets.sign(f"/uploads/{upload_id}", int(self.ends.timestamp()))
            told = {"method": "PUT", "url": url, "fields": {}}
            told["headers"] = {"Content-Type": signed_type} if len(types) == 1 else {}
        self.uploads.append(
            Upload(
                id=upload_id,
                owner=self.owner,
                kind=kind,
                ticket_id=self.id,
                position=position,
                state="open",
                original_name=clean(file.name),
                key=key,
                length=most,
                offset=0,
                sha256=None,
                format=None,
                metadata={"types": types, "exact": bool(file.bytes)},
                token=None,
                process_id=None,
                batch_id=None,
                # It may be begun until the address expires, and be taken for a while after that.
                expires_at=self.ends + timedelta(seconds=settings.upload_expire_seconds),
                created_at=now(),
            )
        )
        return Sending(upload_id=upload_id, name=clean(file.name), max_bytes=most, **told)


def _type(text: str) -> str:
    """A media type that can be made something of. Raises ``unsupported-format``."""
    plain = {"image/jpg": "image/jpeg", "image/heif": "image/heic"}.get(text.strip().lower(), text.strip().lower())
    if plain not in TYPES.values():
        raise PixelmillError("unsupported-format", f"Types that are taken: {', '.join(TYPES.values())}.")
    return plain


@router.put(
    "/uploads/{uploadId:upload}",
    status_code=201,
    summary="Send the file of a ticket",
    response_model=UploadOut,
    responses=problems.responses(
        "bad-request",
        "wrong-size",
        "bad-signature",
        "not-found",
        "conflict",
        "locked",
        "upload-expired",
        "too-large",
        "empty-file",
        "unsupported-format",
        "unsupported-media-type",
        "slow-request",
        "quota-exceeded",
        "storage-unavailable",
        "unavailable",
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"*/*": {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}},
        }
    },
)
async def send_upload(request: Request, parts: Given, caller: Sender, uploadId: UploadId) -> Response:
    """The body is the file itself. The address is the one in the ticket, and is good for one file.

    A request that fails leaves nothing, and can be sent again.
    """
    upload = await owned.upload(parts, caller, uploadId)
    doing: Uploads = request.app.state.uploads
    length = request.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdecimal() else None
    try:
        done = await doing.put(upload.id, request.stream(), request.headers.get("content-type"), size)
    except ClientDisconnect as error:
        raise PixelmillError("bad-request", "The connection was cut before the body was whole.") from error
    return schemas.answer(told(done), 201, {"Cache-Control": "no-store"})


@router.get(
    "/uploads/{uploadId:upload}",
    summary="What has become of an upload",
    response_model=UploadOut,
    responses=problems.responses("not-found", "unavailable"),
)
async def get_upload(parts: Given, caller: Uploader, uploadId: UploadId) -> Response:
    return schemas.answer(told(await owned.upload(parts, caller, uploadId)), headers={"Cache-Control": "no-store"})


@router.delete(
    "/uploads/{uploadId:upload}",
    status_code=204,
    summary="Give up an upload",
    responses=problems.responses("not-found", "conflict", "unavailable"),
)
async def delete_upload(request: Request, parts: Given, caller: Uploader, uploadId: UploadId) -> Response:
    """Its bytes are deleted. One that a batch has taken goes with the batch."""
    doing: Uploads = request.app.state.uploads
    await doing.drop(await owned.upload(parts, caller, uploadId))
    return Response(status_code=204)
