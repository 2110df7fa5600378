"""Sessions of browsers: a signed cookie that vouches for a key, and a token that other sites cannot know.

Nothing is kept: the cookie names the key and is signed, and the key is looked up at each request, so a revoked key
ends its sessions. A script cannot read the cookie, and no other site makes a browser send it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.responses import Response

from pixelmill.secret import Secret

COOKIE = "pixelmill_session"
CSRF_HEADER = "x-csrf-token"


@dataclass(frozen=True, slots=True)
class Session:
    """``csrf`` has to come back in a header with every request that changes something."""

    key_id: str
    csrf: str = field(repr=False)
    expires_at: datetime

    def vouches(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.csrf.encode())


class Sessions:
    def __init__(self, secret: Secret, seconds: float) -> None:
        self._signer = URLSafeTimedSerializer(
            secret.keys("session")[::-1],  # it wants the newest last
            salt="session",
            signer_kwargs={"digest_method": hashlib.sha256},
        )
        self._seconds = int(seconds)

    def start(self, key_id: str) -> tuple[str, Session]:
        """A cookie's value for a key, and what it says."""
        csrf = secrets.token_hex(16)
        value = self._signer.dumps([key_id, csrf])
        text = value if isinstance(value, str) else value.decode()
        return text, Session(key_id, csrf, datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=self._seconds))

    def read(self, value: str) -> Session | None:
        """What a cookie says; None when it is not ours, or too old."""
        if not value:
            return None
        try:
            told, signed_at = self._signer.loads(value, max_age=self._seconds, return_timestamp=True)
            key_id, csrf = told
        except (BadData, ValueError, TypeError):
            return None
        if not (isinstance(key_id, str) and isinstance(csrf, str)):
            return None
        return Session(key_id, csrf, signed_at + timedelta(seconds=self._seconds))

    def set(self, response: Response, value: str, *, secure: bool) -> None:
        kept: Any = {"httponly": True, "samesite": "strict", "path": "/", "secure": secure}
        response.set_cookie(COOKIE, value, max_age=self._seconds, **kept)

    @staticmethod
    def clear(response: Response) -> None:
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
