"""Presigned requests to S3: AWS Signature Version 4 in the query string, and over a POST policy.

obstore signs URLs too, but binds neither the headers of an upload nor the name under which a download is saved, and
knows no POST policy. The method is Amazon's "Authenticating Requests: Using Query Parameters" and "Creating an HTML
Form (Using AWS Signature Version 4)"; a test compares every byte with botocore's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

#: The longest that S3 lets a presigned URL live: seven days.
LONGEST = 7 * 24 * 3600
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Signer:
    """Signs for one bucket.

    ``url`` is the bucket's own address as the client reaches it (``https://bucket.s3.eu-west-1.amazonaws.com`` or
    ``http://127.0.0.1:9000/bucket``), without a slash at its end.
    """

    url: str
    bucket: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def address(self, key: str) -> str:
        return f"{self.url}/{quote(key, safe='/-_.~')}" if key else self.url

    def presign(
        self,
        method: str,
        key: str,
        *,
        seconds: float,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        now: datetime | None = None,
    ) -> str:
        """A URL good for one method on one key (``""``: the bucket) for ``seconds``, at most :data:`LONGEST`.

        ``headers`` must be sent exactly so, or S3 refuses the request.
        """
        now = now or datetime.now(UTC)
        address = self.address(key)
        parts = urlsplit(address)
        signed = {"host": parts.netloc, **{name.lower(): value for name, value in (headers or {}).items()}}
        names = ";".join(sorted(signed))
        params = {
            **(query or {}),
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key}/{self._scope(now)}",
            "X-Amz-Date": _stamp(now),
            "X-Amz-Expires": str(max(1, min(LONGEST, int(seconds)))),
            "X-Amz-SignedHeaders": names,
        }
        if self.token:
            params["X-Amz-Security-Token"] = self.token
        asked = "&".join(sorted(f"{_code(name)}={_code(value)}" for name, value in params.items()))
        canonical = "\n".join(
            [
                method,
                parts.path or "/",
                asked,
                *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
                "",
                names,
                "UNSIGNED-PAYLOAD",
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join([_ALGORITHM, _stamp(now), self._scope(now), digest])
        return f"{address}?{asked}&X-Amz-Signature={self._sign(text, now)}"

    def policy(
        self, key: str, *, seconds: float, content_type: str, smallest: int, largest: int, now: datetime | None = None
    ) -> dict[str, str]:
        """The fields of a form that may store one object under ``key``, of this type and ``smallest..largest`` bytes.

        They go before the field ``file``, to :attr:`url`.
        """
        now = now or datetime.now(UTC)
        ends = now + timedelta(seconds=max(1, min(LONGEST, int(seconds))))
        fields = {
            "key": key,
            "Content-Type": content_type,
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": f"{self.access_key}/{self._scope(now)}",
            "x-amz-date": _stamp(now),
        }
        if self.token:
            fields["x-amz-security-token"] = self.token
        conditions = [
            {"bucket": self.bucket},
            *({name: value} for name, value in fields.items()),
            ["content-length-range", smallest, largest],
        ]
        document = {"expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"), "conditions": conditions}
        fields["policy"] = base64.b64encode(json.dumps(document).encode()).decode()
        fields["x-amz-signature"] = self._sign(fields["policy"], now)
        return fields

    def _scope(self, now: datetime) -> str:
        return f"{now:%Y%m%d}/{self.region}/s3/aws4_request"

    def _sign(self, text: str, now: datetime) -> str:
        key = f"AWS4{self.secret_key}".encode()
        for part in self._scope(now).split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def _stamp(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}"


def _code(value: str) -> str:
    return quote(value, safe="-_.~")
