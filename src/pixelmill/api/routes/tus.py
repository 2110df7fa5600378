"""``/uploads/tus``: resumable uploads by tus 1.0.0, as of https://tus.io/protocols/resumable-upload.

With the extensions creation, creation-with-upload, termination, checksum and expiration.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Coroutine
from email.utils import format_datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pixelmill.api import owned, problems, schemas
from pixelmill.api.auth import PUBLIC, Caller, Uploader
from pixelmill.api.envelope import asks_for_head
from pixelmill.api.parts import Given, Parts
from pixelmill.api.routes.uploads import UploadId, UploadOut, told
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.presence import new_id
from pixelmill.pipeline.receive import clean
from pixelmill.pipeline.uploads import Hash, Uploads
from pixelmill.records import uploads as records
from pixelmill.records.models import Upload
from pixelmill.records.tables import now

VERSION = "1.0.0"
BODY = "application/offset+octet-stream"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
#: Ours from the list that the protocol knows; SHA-1 is the one that every client has.
HASHES: dict[str, Hash] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}
#: Bytes of the longest Upload-Metadata taken.
MOST_METADATA = 8 * 1024
#: The largest number that is read at all.
_DIGITS = 15


class _Route(APIRoute):
    """Every answer names the version, problems too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await inner(request)
            except (PixelmillError, RequestValidationError) as error:
                problem = problems.from_exception(error)
                headers = {"Tus-Version": VERSION} if problem.code == "tus-version" else {}
                if "offset" in problem.extra:
                    headers["Upload-Offset"] = str(problem.extra["offset"])
                response = problems.response(problem, request.url.path, headers)
            response.headers["Tus-Resumable"] = VERSION
            return response

        return handle


router = APIRouter(tags=["uploads"], route_class=_Route)

_PROBLEMS = (
    "bad-request",
    "not-found",
    "tus-version",
    "conflict",
    "locked",
    "upload-expired",
    "too-large-request",
    "checksum-mismatch",
    "unsupported-media-type",
    "slow-request",
    "quota-exceeded",
    "storage-unavailable",
    "unavailable",
)


def _header(name: str, text: str, *, required: bool = False, value: str | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} if value is None else {"type": "string", "const": value}
    return {"name": name, "in": "header", "required": required, "description": text, "schema": schema}


_RESUMABLE = _header("Tus-Resumable", "The version of the protocol.", required=True, value=VERSION)
_BYTES: dict[str, Any] = {"content": {BODY: {"schema": {"type": "string", "contentMediaType": BODY}}}}


@router.options(
    "/uploads/tus", status_code=204, summary="What this tus server can do", response_model=None, dependencies=[PUBLIC]
)
async def tus_options(parts: Given) -> Response:
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(parts.settings.max_file_bytes),
        "Tus-Checksum-Algorithm": ",".join(HASHES),
    }
    return Response(status_code=204, headers=headers)


@router.post(
    "/uploads/tus",
    status_code=201,
    summary="Begin a resumable upload",
    response_model=None,
    responses={
        201: {"headers": {"Location": {"description": "Where to send it.", "schema": {"type": "string"}}}},
        **problems.responses(*_PROBLEMS, "too-large", "idempotency-mismatch", "idempotency-running"),
    },
    openapi_extra={
        "parameters": [
            _RESUMABLE,
            _header("Upload-Length", "Its bytes in all.", required=True),
            _header("Upload-Metadata", "`filename` and `filetype`, each with its value in base64."),
        ],
        "requestBody": _BYTES,
    },
)
async def tus_create(request: Request, parts: Given, caller: Uploader) -> Response:
    """tus 1.0.0: `filename` of `Upload-Metadata` becomes the file's name. A body may bring the first bytes.

    The last part of `Location` is the `uploadId` that `POST /batches` takes once the upload is complete.
    """
    _version(request)
    if "upload-defer-length" in request.headers:
        raise PixelmillError("bad-request", "Upload-Defer-Length: this server wants to know the length first.")
    length = _number(request, "upload-length")
    if length > parts.settings.max_file_bytes:
        raise PixelmillError("too-large", f"It is larger than {parts.settings.max_file_bytes} bytes.")
    header = request.headers.get("upload-metadata", "")
    metadata = read_metadata(header)
    with_body = _has_body(request)
    if with_body:
        _is_bytes(request)
        _not_more(request, length)
    checksum = _checksum(request)
    doing: Uploads = request.app.state.uploads
    upload = Upload(
        id=new_id(),
        owner=caller.owner,
        kind="tus",
        ticket_id=None,
        position=0,
        state="open",
        original_name=clean(metadata.get("filename", b"").decode("utf-8", "replace")),
        key="",
        length=length,
        offset=0,
        sha256=None,
        format=None,
        metadata={"header": header, "pieces": []},
        token=None,
        process_id=None,
        batch_id=None,
        expires_at=doing.until(),
        created_at=now(),
    )
    await records.create(parts.database, [upload])
    if with_body or length == 0:
        try:
            upload = await doing.patch(upload.id, 0, request.stream(), checksum)
        except ClientDisconnect as error:
            raise _cut() from error
    headers = _state(upload) | {"Location": f"/uploads/tus/{upload.id}"}
    return Response(status_code=201, headers=headers)


@router.get(
    "/uploads/tus/{uploadId}",
    summary="How far a resumable upload is (HEAD)",
    response_model=UploadOut,
    responses=problems.responses("not-found", "tus-version", "upload-expired", "unavailable"),
)
async def tus_head(request: Request, parts: Given, caller: Uploader, uploadId: UploadId) -> Response:
    """tus asks by HEAD, with `Tus-Resumable`: `Upload-Offset` is how many bytes are stored for good."""
    upload = await owned.upload(parts, caller, uploadId)
    if asks_for_head(request.scope):
        _version(request)
    _is_tus(upload)
    headers = _state(upload) | {"Upload-Length": str(upload.length)}
    if upload.metadata.get("header"):
        headers["Upload-Metadata"] = upload.metadata["header"]
    return schemas.answer(told(upload), headers=headers)


@router.patch(
    "/uploads/tus/{uploadId}",
    status_code=204,
    summary="Send the next bytes of a resumable upload",
    response_model=None,
    responses=problems.responses(*_PROBLEMS),
    openapi_extra={
        "parameters": [
            _RESUMABLE,
            _header("Upload-Offset", "The number of the first byte of the body.", required=True),
            _header("Upload-Checksum", "`sha1` (or sha256, md5), a space, and the body's hash in base64."),
        ],
        "requestBody": {"required": True, **_BYTES},
    },
)
async def tus_patch(request: Request, parts: Given, caller: Uploader, uploadId: UploadId) -> Response:
    """What has come counts also when the connection breaks, unless the body has an `Upload-Checksum`."""
    return await _append(request, parts, caller, uploadId)


@router.delete(
    "/uploads/tus/{uploadId}",
    status_code=204,
    summary="Give up a resumable upload",
    response_model=None,
    responses=problems.responses("not-found", "tus-version", "conflict", "unavailable"),
    openapi_extra={"parameters": [_RESUMABLE]},
)
async def tus_delete(request: Request, parts: Given, caller: Uploader, uploadId: UploadId) -> Response:
    return await _terminate(request, parts, caller, uploadId)


@router.post(
    "/uploads/tus/{uploadId}",
    status_code=204,
    summary="PATCH or DELETE, for clients that can send neither",
    response_model=None,
    responses=problems.responses(*_PROBLEMS),
    openapi_extra={
        "parameters": [_RESUMABLE, _header("X-HTTP-Method-Override", "`PATCH` or `DELETE`.", required=True)],
        "requestBody": _BYTES,
    },
)
async def tus_override(request: Request, parts: Given, caller: Uploader, uploadId: UploadId) -> Response:
    meant = request.headers.get("x-http-method-override", "").upper()
    if meant == "PATCH":
        return await _append(request, parts, caller, uploadId)
    if meant == "DELETE":
        return await _terminate(request, parts, caller, uploadId)
    await owned.upload(parts, caller, uploadId)
    _version(request)
    raise PixelmillError("bad-request", "X-HTTP-Method-Override: PATCH or DELETE.")


async def _append(request: Request, parts: Parts, caller: Caller, upload_id: str) -> Response:
    upload = await owned.upload(parts, caller, upload_id)
    _version(request)
    _is_tus(upload)
    _is_bytes(request)
    offset = _number(request, "upload-offset")
    checksum = _checksum(request)
    _not_more(request, upload.length - offset)
    doing: Uploads = request.app.state.uploads
    try:
        upload = await doing.patch(upload.id, offset, request.stream(), checksum)
    except ClientDisconnect as error:
        raise _cut() from error
    return Response(status_code=204, headers=_state(upload))


async def _terminate(request: Request, parts: Parts, caller: Caller, upload_id: str) -> Response:
    upload = await owned.upload(parts, caller, upload_id)
    _version(request)
    _is_tus(upload)
    doing: Uploads = request.app.state.uploads
    await doing.drop(upload)
    return Response(status_code=204)


def _version(request: Request) -> None:
    if request.headers.getlist("tus-resumable") != [VERSION]:
        raise PixelmillError("tus-version")


def _is_tus(upload: Upload) -> None:
    if upload.kind != "tus":
        raise PixelmillError("not-found", "This upload is one of a ticket.")
    if upload.state == "open" and upload.expires_at <= now():
        raise PixelmillError("upload-expired")


def _is_bytes(request: Request) -> None:
    if request.headers.get("content-type", "").strip().lower() != BODY:
        raise PixelmillError("unsupported-media-type", f"Send the bytes with Content-Type: {BODY}.")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _not_more(request: Request, left: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > left >= 0:
        raise PixelmillError("too-large-request", f"The upload takes {left} bytes more.")


def _number(request: Request, name: str) -> int:
    values = request.headers.getlist(name)
    text = values[0] if len(values) == 1 else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise PixelmillError("bad-request", f"{name.title()}: one whole number, 0 or more.")
    return int(text)


def _checksum(request: Request) -> tuple[Hash, bytes] | None:
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    name, _, value = text.partition(" ")
    if name not in HASHES:
        raise PixelmillError("bad-request", f"Upload-Checksum: one of {', '.join(HASHES)}.")
    try:
        return HASHES[name], base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise PixelmillError("bad-request", "Upload-Checksum: the hash is not base64.") from None


def read_metadata(header: str) -> dict[str, bytes]:
    """``key base64,key base64``; a key alone has an empty value. Raises ``bad-request`` for anything else."""
    problem = PixelmillError("bad-request", "Upload-Metadata: pairs of a key and a base64 value, commas between them.")
    if len(header) > MOST_METADATA or not header.isascii():
        raise problem
    found: dict[str, bytes] = {}
    for pair in header.split(",") if header else ():
        key, _, value = pair.strip(" ").partition(" ")
        if not key or not key.isprintable() or key in found:
            raise problem
        try:
            found[key] = base64.b64decode(value.strip(" "), validate=True)
        except (binascii.Error, ValueError):
            raise problem from None
    return found


def _state(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": format_datetime(upload.expires_at.replace(microsecond=0), usegmt=True),
        "Cache-Control": "no-store",
    }


def _cut() -> PixelmillError:
    return PixelmillError("bad-request", "The connection was cut before the body was whole.")
