"""Which storage it is, by the settings alone."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pixelmill.errors import PixelmillError
from pixelmill.storage.base import Storage
from pixelmill.storage.local import LocalStorage

if TYPE_CHECKING:
    from pixelmill.settings import Settings

_KNOWN = "s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or file:///folder"


def connect(settings: Settings) -> Storage:
    """The storage that the settings name; nothing is asked of it yet (see :meth:`Storage.check`).

    Raises ``storage-unavailable`` with the setting to mend when they name none that there is.
    """
    url = settings.storage_url or (f"s3://{settings.aws_bucket_name}" if settings.aws_bucket_name else "")
    if not url:
        return LocalStorage(settings.data_dir / "files")
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path.strip("/") and not parts.netloc:
        return LocalStorage(Path(unquote(parts.path)))
    if "@" in parts.netloc or parts.query:
        # Refused without being repeated: what stands there is probably a secret.
        raise _wrong("PIXELMILL_STORAGE_URL takes no keys: set them by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if parts.scheme not in _STORES or not parts.netloc:
        raise _wrong(f"PIXELMILL_STORAGE_URL must be {_KNOWN}.")
    prefix = unquote(parts.path).strip("/")
    return _STORES[parts.scheme](settings, parts.netloc, prefix)


def _s3(settings: Settings, bucket: str, prefix: str) -> Storage:
    from obstore.store import S3Store

    from pixelmill.storage.complaints import S3_NAMES, Complaints
    from pixelmill.storage.object_store import CLIENT
    from pixelmill.storage.sigv4 import Signer

    endpoint = _address(settings.aws_endpoint_url, "AWS_ENDPOINT_URL")
    public = _address(settings.storage_public_url, "PIXELMILL_STORAGE_PUBLIC_URL")
    region = settings.aws_region or "us-east-1"
    # Amazon's own bucket has a host of its own, but a name with dots fits no certificate; others take it in the path.
    by_host = endpoint is None and "." not in bucket
    config: dict[str, Any] = {
        "region": region,
        "virtual_hosted_style_request": by_host,
        # Many that speak S3 answer the request to delete many at once in ways of their own.
        "disable_bulk_delete": endpoint is not None,
    }
    if endpoint:
        config["endpoint"] = endpoint
    signers: dict[str, Signer] = {}
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        secret = settings.aws_secret_access_key.get_secret_value()
        token = settings.aws_session_token.get_secret_value() if settings.aws_session_token else None
        config |= {"access_key_id": settings.aws_access_key_id, "secret_access_key": secret}
        if token:
            config["session_token"] = token

        def signer(base: str | None) -> Signer:
            usual = f"https://{bucket}.s3.{region}.amazonaws.com" if by_host else f"https://s3.{region}.amazonaws.com"
            url = base or usual
            return Signer(
                url if by_host and not base else f"{url}/{bucket}",
                bucket,
                region,
                settings.aws_access_key_id or "",
                secret,
                token,
            )

        signers["inside"] = signer(endpoint)
        if settings.storage_presign:
            signers["signer"] = signer(public or endpoint)
    client: Any = {**CLIENT, "allow_http": bool(endpoint and endpoint.startswith("http://"))}

    def store(**more: Any) -> S3Store:
        return S3Store(bucket, prefix=prefix or None, config=config, **{"client_options": client, **more})  # type: ignore[arg-type]

    return _storage(store, prefix, Complaints(bucket, S3_NAMES, endpoint), client, **signers)


def _google(settings: Settings, bucket: str, prefix: str) -> Storage:
    from obstore.store import GCSStore

    from pixelmill.storage.complaints import GOOGLE_NAMES, Complaints
    from pixelmill.storage.object_store import CLIENT

    def store(**more: Any) -> GCSStore:
        return GCSStore(bucket, prefix=prefix or None, **more)

    return _storage(store, prefix, Complaints(bucket, GOOGLE_NAMES), CLIENT)


def _azure(settings: Settings, container: str, prefix: str) -> Storage:
    from obstore.store import AzureStore

    from pixelmill.storage.complaints import AZURE_NAMES, Complaints
    from pixelmill.storage.object_store import CLIENT

    given = os.environ.get("AZURE_STORAGE_ENDPOINT") or os.environ.get("AZURE_ENDPOINT")
    endpoint = _address(given, "AZURE_STORAGE_ENDPOINT")
    client: Any = {**CLIENT, "allow_http": bool(endpoint and endpoint.startswith("http://"))}

    def store(**more: Any) -> AzureStore:
        return AzureStore(container, prefix=prefix or None, **{"client_options": client, **more})

    return _storage(store, prefix, Complaints(container, AZURE_NAMES, endpoint), client)


def _storage(store: Any, prefix: str, complaints: Any, client: Any, **signers: Any) -> Storage:
    from obstore.exceptions import BaseError

    from pixelmill.storage.object_store import RETRIES, ObjectStorage

    quick = {**client, "connect_timeout": "2s", "timeout": "5s"}
    try:
        return ObjectStorage(
            store(client_options=client, retry_config=RETRIES),
            prefix=f"{prefix}/" if prefix else "",
            # One that asks once and waits briefly, to say how storage is
            probe=store(client_options=quick, retry_config={"max_retries": 0}),
            complaints=complaints,
            **signers,
        )
    except (BaseError, ValueError) as error:
        # Its text may hold a key that could not be read.
        names = complaints.names
        settings = ", ".join(dict.fromkeys([names["bucket"], names["key"], names["secret"], names["endpoint"]]))
        raise _wrong(f"The settings of storage do not fit ({type(error).__name__}): check {settings}.") from None


def _address(value: str | None, setting: str) -> str | None:
    """The address of a server without a slash at its end; obstore itself panics at one that is none."""
    if not value:
        return None
    if not re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[!-~]*)?", value):
        raise _wrong(f"{setting} must be the address of a server, as http://host:9000 or https://host.")
    return value.rstrip("/")


def _wrong(detail: str) -> PixelmillError:
    return PixelmillError("storage-unavailable", detail)


_STORES = {"s3": _s3, "s3a": _s3, "gs": _google, "az": _azure, "azure": _azure}
