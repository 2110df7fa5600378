"""Both kinds of storage, each empty, and the real S3 server behind a line that can be made to fail."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelmill.settings import Settings
from pixelmill.storage import Storage, connect
from tests.azure import Azurite, azurite_server
from tests.proxy import Proxy
from tests.servers import S3


def s3_settings(server: S3, prefix: str = "", **more: Any) -> Settings:
    """Settings for that server, and a prefix that no other test has."""
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        **{
            "storage_url": f"s3://{server.bucket}/{prefix or uuid.uuid4().hex}",
            "aws_endpoint_url": server.endpoint,
            "aws_access_key_id": server.access_key,
            "aws_secret_access_key": server.secret_key,
            "aws_region": server.region,
            **more,
        },
    )


@pytest.fixture(params=["local", "s3", "azure"])
async def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Storage]:
    """Each kind in turn, empty."""
    if request.param == "local":
        settings = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    elif request.param == "azure":
        server: Azurite = request.getfixturevalue("azurite")
        for name, value in server.env().items():
            monkeypatch.setenv(name, value)
        url = f"az://{server.container}/{uuid.uuid4().hex}"
        settings = Settings(_env_file=None, storage_url=url)  # type: ignore[call-arg]
    else:
        settings = s3_settings(request.getfixturevalue("s3"))
    storage = connect(settings)
    yield storage
    await storage.close()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Microsoft's own stand-in for Azure Blob."""
    with azurite_server() as server:
        yield server


@pytest.fixture
async def proxy(s3: S3) -> AsyncIterator[Proxy]:
    """Passes everything on to the S3 server, until it is told otherwise."""
    async with Proxy(s3.endpoint) as proxy:
        yield proxy
