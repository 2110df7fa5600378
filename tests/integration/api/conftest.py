"""The API as it runs: granian, SQLite, a folder and a real Valkey, with a client to talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from pixelmill.settings import Settings
from tests.sites import Site, open_site


@pytest.fixture
def settings(tmp_path: Path, valkey_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", redis_url=valkey_url, grace_seconds=5, workers=2)


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """No worker runs: what is accepted waits, until the test makes its variants."""
    async with open_site(settings) as site:
        yield site


@pytest.fixture
def site_with(settings: Settings) -> Callable[..., AbstractAsyncContextManager[Site]]:
    """`async with site_with(max_files=200) as site:`"""

    @asynccontextmanager
    async def start(**changes: object) -> AsyncIterator[Site]:
        async with open_site(settings.model_copy(update=changes)) as site:
            yield site

    return start


@pytest.fixture
async def working(site: Site) -> AsyncIterator[Site]:
    """A worker runs, with real decoders."""
    from pixelmill import app

    stop = asyncio.Event()
    task = asyncio.create_task(app.worker(site.settings, stop))
    yield site
    stop.set()
    await task
