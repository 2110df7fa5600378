"""Our signatures are, byte for byte, those of Amazon's own library."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.storage.sigv4 import LONGEST, Signer

NOW = datetime(2026, 11, 22, 6, 7, 8)
SECRET = "s3cr3t/+="
HOSTS = ["https://bucket.s3.eu-west-1.amazonaws.com", "http://127.0.0.1:9000/bucket", "https://s3.example/a%20b/bucket"]
KEYS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._ +=&%~é-]{0,20}(/[A-Za-z0-9][A-Za-z0-9._-]{0,9}){0,3}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=20)


def signer(url: str = HOSTS[0], token: str | None = None) -> Signer:
    return Signer(url, "bucket", "eu-west-1", "AKID", SECRET, token)


def expected(url: str, method: str, seconds: int, token: str | None, headers: dict[str, str]) -> str:
    request = AWSRequest(method, url, headers=headers)
    auth = S3SigV4QueryAuth(Credentials("AKID", SECRET, token), "s3", "eu-west-1", expires=seconds)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_: NOW):
        auth.add_auth(request)
    return str(request.url)


def parts(url: str) -> tuple[str, list[str]]:
    address, _, query = url.partition("?")
    return address, sorted(query.split("&"))


@given(
    url=st.sampled_from(HOSTS),
    key=KEYS,
    token=st.none() | st.just("session+token/=="),
    query=st.dictionaries(st.sampled_from(["response-content-type", "response-content-disposition"]), TEXT),
    put=st.none() | st.integers(0, 10**12),
    seconds=st.integers(1, LONGEST),
)
def test_a_presigned_url_is_the_one_of_botocore(
    url: str, key: str, token: str | None, query: dict[str, str], put: int | None, seconds: int
) -> None:
    ours = signer(url, token)
    method = "GET" if put is None else "PUT"
    headers = {} if put is None else {"Content-Type": "image/jpeg", "Content-Length": str(put)}
    made = ours.presign(method, key, seconds=seconds, query=query, headers=headers, now=NOW)
    plain = ours.address(key)
    if query:
        from urllib.parse import quote

        plain += "?" + "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in query.items())
    assert parts(made) == parts(expected(plain, method, seconds, token, headers))


@pytest.mark.parametrize("token", [None, "session+token/=="])
def test_a_post_policy_is_signed_as_botocore_signs_it(token: str | None) -> None:
    made = signer(token=token).policy("a/b", seconds=60, content_type="image/png", smallest=1, largest=10, now=NOW)
    document = json.loads(base64.b64decode(made["policy"]))
    assert document["expiration"] == "2026-11-22T06:08:08Z"
    assert ["content-length-range", 1, 10] in document["conditions"]
    fields: dict[str, str] = {}
    request = AWSRequest("POST", HOSTS[0])
    # botocore adds its own conditions to what the caller asks for, and signs the whole
    ours = [c for c in document["conditions"] if isinstance(c, list) or not next(iter(c)).startswith("x-amz-")]
    request.context["s3-presign-post-fields"] = fields
    request.context["s3-presign-post-policy"] = {"expiration": document["expiration"], "conditions": ours}
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_: NOW):
        S3SigV4PostAuth(Credentials("AKID", SECRET, token), "s3", "eu-west-1").add_auth(request)
    theirs = json.loads(base64.b64decode(fields["policy"]))
    in_order = sorted(map(json.dumps, document["conditions"]))
    assert in_order == sorted(map(json.dumps, theirs["conditions"]))
    for name in fields.keys() - {"policy", "x-amz-signature"}:
        assert made[name] == fields[name]
    # The order of the conditions is free, so the signature is compared over the same bytes.
    assert signer()._sign(fields["policy"], NOW) == fields["x-amz-signature"]


def test_no_url_lives_longer_than_s3_allows() -> None:
    url = signer().presign("GET", "a", seconds=10**9)
    assert f"X-Amz-Expires={LONGEST}&" in url


def test_a_signer_shows_no_secret() -> None:
    assert SECRET not in repr(signer(token="tok"))
    assert "tok" not in repr(signer(token="tok"))
