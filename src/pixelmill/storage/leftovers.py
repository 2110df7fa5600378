"""Uploads in parts that nobody will finish: a process died in the middle, and S3 keeps (and bills) their parts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import httpx

if TYPE_CHECKING:
    from pixelmill.storage.sigv4 import Signer

log = logging.getLogger(__name__)
_SECONDS = 60


async def end_uploads(signer: Signer, prefix: str) -> int:
    """Abort every unfinished upload whose key starts with ``prefix``; how many. What the store refuses is logged.

    MinIO lists such uploads by whole key only, and drops them by itself after a day.
    """
    ended = 0
    marker: dict[str, str] = {}
    try:
        async with httpx.AsyncClient(timeout=30, transport=httpx.AsyncHTTPTransport(retries=2)) as client:
            while True:
                query = {"uploads": "", "prefix": prefix, **marker}
                answer = await client.get(signer.presign("GET", "", seconds=_SECONDS, query=query))
                answer.raise_for_status()
                page = ElementTree.fromstring(answer.content)  # noqa: S314 - from the storage that we were told to use
                for upload in page.iterfind("{*}Upload"):
                    key = upload.findtext("{*}Key", "")
                    which = {"uploadId": upload.findtext("{*}UploadId", "")}
                    gone = await client.delete(signer.presign("DELETE", key, seconds=_SECONDS, query=which))
                    ended += gone.is_success
                if page.findtext("{*}IsTruncated") != "true":
                    return ended
                marker = {
                    "key-marker": page.findtext("{*}NextKeyMarker", ""),
                    "upload-id-marker": page.findtext("{*}NextUploadIdMarker", ""),
                }
    except httpx.HTTPStatusError as error:
        log.info("storage does not list unfinished uploads: HTTP status %d", error.response.status_code)
    except (httpx.HTTPError, ElementTree.ParseError) as error:
        log.warning("unfinished uploads could not be listed: %s", type(error).__name__)
    return ended
