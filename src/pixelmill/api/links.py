"""Links that are good without a key: an address, when it ends, and a signature over both.

The signature is HMAC-SHA256 over the decoded path and the time of its end, so that neither can be changed. It opens
that one address to read it, nothing else. Keys are derived from the service's secret; each has an id, so that a new
secret can be put first while what the old one signed goes on until it ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Security
from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection

from pixelmill.api.auth import Caller, KeyCheck
from pixelmill.errors import PixelmillError
from pixelmill.secret import Secret

#: Longest life of a link in seconds: a week, as for S3's.
LONGEST = 7 * 86400
PURPOSE = "link"


class Links:
    """Makes and checks signatures."""

    def __init__(self, secret: Secret, clock: Callable[[], float] = time.time, *, purpose: str = PURPOSE) -> None:
        self._keys = {hashlib.sha256(key).hexdigest()[:8]: key for key in secret.keys(purpose)}
        self._newest = next(iter(self._keys))
        self._clock = clock

    def sign(self, path: str, expires: int) -> str:
        """``path``, as it is before it is quoted, as an address that is good until ``expires`` (Unix seconds)."""
        signature = f"{self._newest}.{_signature(self._keys[self._newest], path, expires)}"
        return f"{quote(path)}?expires={expires}&signature={signature}"

    def signer(self, seconds: float) -> Callable[[str], str]:
        """Signs paths that are all good for ``seconds`` from now."""
        expires = int(self._clock() + seconds)
        return lambda path: self.sign(path, expires)

    def check(self, path: str, expires: str, signature: str) -> None:
        """Raises PixelmillError ``bad-signature``."""
        key_id, _, signed = signature.partition(".")
        key = self._keys.get(key_id)
        if not (key and expires.isascii() and expires.isdecimal() and len(expires) <= 12):
            raise PixelmillError("bad-signature")
        good = hmac.compare_digest(_signature(key, path, int(expires)).encode(), signed.encode("utf-8", "replace"))
        # An expiry written in another way is another address, also where the number is the same.
        if not good or str(int(expires)) != expires:
            raise PixelmillError("bad-signature")
        if int(expires) <= self._clock():
            ended = datetime.fromtimestamp(int(expires), UTC).isoformat(timespec="seconds")
            raise PixelmillError("bad-signature", f"This link was good until {ended}; ask for a new one.")


def _signature(key: bytes, path: str, expires: int) -> str:
    # A path holds no line feed unless somebody tries; lengths first, so that nothing can pass for something else.
    message = f"{len(path)}\n{path}\n{expires}".encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")).rstrip(b"=").decode()


class _KeyOrLink(KeyCheck):
    """As ``Reader``, but a signed link will do."""

    async def __call__(
        self,
        connection: HTTPConnection,
        needed: SecurityScopes,
        expires: Annotated[str | None, Query(description="Of a signed link: when it ends, Unix seconds.")] = None,
        signature: Annotated[str | None, Query(description="Of a signed link.", max_length=200)] = None,
    ) -> Caller:
        if signature is None:
            return await super().__call__(connection, needed)
        links: Links = connection.app.state.links
        try:
            for name in ("expires", "signature"):
                if len(connection.query_params.getlist(name)) != 1:
                    raise PixelmillError("bad-signature")
            links.check(connection.scope["path"], expires or "", signature)
        except PixelmillError:
            # Whoever may read it anyway is not kept from it by an old link.
            found = connection.state.caller
            if isinstance(found, Caller) and found.key_id and found.may("read"):
                return found
            raise
        return Caller("", frozenset({"read"}), link=True, until=int(expires or ""))


#: A key that may read, or a link that was signed for this very address.
Viewer = Annotated[Caller, Security(_KeyOrLink(), scopes=["read"])]
