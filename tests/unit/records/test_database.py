from __future__ import annotations

import traceback

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.records.database import async_url


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://u:p@host/x", "postgresql+asyncpg"),
        ("postgresql://u:p@host/x", "postgresql+asyncpg"),
        ("postgresql+psycopg2://u:p@host/x", "postgresql+asyncpg"),
        ("mysql://u:p@host/x", "mysql+aiomysql"),
        ("mariadb://u:p@host/x", "mariadb+aiomysql"),
        ("sqlite:////srv/pixelmill.db", "sqlite+pysqlite"),
    ],
)
def test_the_driver_is_ours_whatever_the_address_names(given: str, driver: str) -> None:
    assert async_url(given).drivername == driver


@pytest.mark.parametrize(
    "given", ["nonsense", "", "very-secret@host", "oracle://u:very-secret@host/x", "postgres://u:p@host:very-secret/x"]
)
def test_an_address_that_is_none_is_refused_by_the_settings_name(given: str) -> None:
    with pytest.raises(PixelmillError, match="DATABASE_URL") as caught:
        async_url(given)
    assert "very-secret" not in "".join(traceback.format_exception(caught.value, chain=False))
