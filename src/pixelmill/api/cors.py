"""Pages of other origins may call the API with a key, where a setting names them. Cookies are never for them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

#: Beside the simple ones: what our own clients, tus clients and event streams send.
SENT = """
    Authorization X-API-Key Content-Type Idempotency-Key If-None-Match If-Range Last-Event-ID Range
    X-Request-ID Tus-Resumable Upload-Length Upload-Offset Upload-Metadata Upload-Defer-Length
    Upload-Checksum Upload-Concat X-HTTP-Method-Override
"""
#: What a script of another origin may read of an answer.
SHOWN = """
    Location Retry-After ETag Content-Disposition Content-Range Accept-Ranges Idempotency-Replayed
    RateLimit RateLimit-Policy X-Request-ID WWW-Authenticate Tus-Resumable Tus-Version Tus-Extension
    Tus-Max-Size Tus-Checksum-Algorithm Upload-Offset Upload-Length Upload-Expires Upload-Metadata
"""


def allow(app: FastAPI, origins: Sequence[str]) -> None:
    """Answer preflights of ``origins``, before anybody is asked for a key. Nothing when there are none."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=SENT.split(),
            expose_headers=SHOWN.split(),
            max_age=3600,
        )
