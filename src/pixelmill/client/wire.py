"""What both clients tell httpx, and how they read its errors."""

from __future__ import annotations

from typing import Any

import httpx

from pixelmill.client.steps import Call, Dropped


def options(base_url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """Arguments of httpx's clients. A redirect to another host is followed without the key."""
    headers = {"User-Agent": "pixelmill-client"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    return {
        "base_url": base_url,
        "headers": headers,
        "timeout": httpx.Timeout(timeout, connect=min(timeout, 10.0)),
        "follow_redirects": True,
    }


def build(http: httpx.Client | httpx.AsyncClient, call: Call, content: Any) -> httpx.Request:
    headers = dict(call.headers)
    if call.body is not None:
        # With a length that is known, httpx does not send it in chunks.
        headers |= {"Content-Type": call.body.content_type, "Content-Length": str(call.body.length)}
    timeout = httpx.Timeout(http.timeout)
    if call.patience is not None:
        timeout.read = call.patience
    return http.build_request(
        call.method, call.path, params=call.params or None, headers=headers, content=content, timeout=timeout
    )


def dropped(error: Exception) -> Exception:
    """A broken line as the procedures know it; any other error as it is."""
    if isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol):
        unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        return Dropped(str(error) or type(error).__name__, unsent)
    return error
