"""Fixtures that every test may use: real servers, the service itself, a browser, photographs.

A server is started by the first test that asks for it, once for each pytest worker; each test gets a database, a
bucket prefix or an emptied Valkey of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def _valkey() -> Iterator[str]:
    with servers.valkey() as url:
        yield url


@pytest.fixture
def valkey_url(_valkey: str) -> str:
    """`redis://…` of an empty Valkey."""
    import redis

    with redis.Redis.from_url(_valkey) as client:
        client.flushall()
    return _valkey


@pytest.fixture(scope="session")
def _postgres() -> Iterator[servers.Postgres]:
    with servers.postgres() as server:
        yield server


@pytest.fixture
def postgres_url(_postgres: servers.Postgres) -> Iterator[str]:
    """`postgresql+asyncpg://…` of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    yield _postgres.create(name)
    _postgres.drop(name)


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[servers.MariaDB]:
    with servers.mariadb() as server:
        yield server


@pytest.fixture
def mariadb_url(_mariadb: servers.MariaDB) -> Iterator[str]:
    """`mysql+aiomysql://…` of an empty database."""
    name = f"test_{uuid.uuid4().hex}"
    yield _mariadb.create(name)
    _mariadb.drop(name)


@pytest.fixture(scope="session")
def s3() -> Iterator[servers.S3]:
    """A real S3 server with one bucket, kept for the session: use keys under a prefix of your own."""
    with servers.s3() as server:
        yield server


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Real photographs of 4 to 16 megapixels, progressive and baseline, upright and turned."""
    return sorted((servers.ROOT / "tests" / "data" / "photos").glob("*.jpg"))


@pytest.fixture(scope="session")
def photo(photos: list[Path]) -> Path:
    """One of them: landscape, upright, 4 megapixels."""
    return next(path for path in photos if path.name == "field.jpg")
