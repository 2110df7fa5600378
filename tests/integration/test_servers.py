"""The servers that other tests rest on: each answers, and each test's part of it is its own."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from tests.servers import S3


def test_valkey_is_empty_and_streams_work(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        assert client.dbsize() == 0
        client.xadd("events", {"event": "test"})
        assert client.xlen("events") == 1


async def version(url: str) -> str:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(sa.text("CREATE TABLE t (a INTEGER)"))
            return str((await connection.execute(sa.text("SELECT version()"))).scalar_one())
    finally:
        await engine.dispose()


async def test_postgres_answers(postgres_url: str) -> None:
    assert "PostgreSQL" in await version(postgres_url)


async def test_mariadb_answers(mariadb_url: str) -> None:
    assert "MariaDB" in await version(mariadb_url)


def test_s3_refuses_who_has_no_key(s3: S3) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{s3.endpoint}/{s3.bucket}/secret", timeout=10)


async def test_s3_keeps_what_it_is_given(s3: S3) -> None:
    from obstore.store import S3Store

    store = S3Store(
        s3.bucket,
        endpoint=s3.endpoint,
        access_key_id=s3.access_key,
        secret_access_key=s3.secret_key,
        region=s3.region,
        client_options={"allow_http": True},
    )
    await store.put_async("servers/a", b"bytes")
    assert bytes(await (await store.get_async("servers/a")).bytes_async()) == b"bytes"
