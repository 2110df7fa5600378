"""Tenants of a site: keys of theirs, and clients that use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from pixelmill.records import keys
from tests.sites import Site

ALL = ("upload", "read", "admin")


@dataclass
class Tenant:
    key_id: str
    secret: str
    #: Same address as the site's own client; sends the key.
    client: httpx.AsyncClient


@asynccontextmanager
async def tenant(
    site: Site, owner: str, scopes: Sequence[str] = ALL, limits: dict[str, int] | None = None
) -> AsyncIterator[Tenant]:
    """A new key, made on the database as the command line does."""
    key, secret = await keys.make(site.parts.database, owner=owner, name=owner or "op", scopes=scopes, limits=limits)
    site.app.state.door.lock()
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=site.url, timeout=30, headers=headers) as client:
        yield Tenant(key.id, secret, client)
