"""What several commands need: settings with friendly errors, and checks before the start."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from pixelmill.errors import PixelmillError
from pixelmill.queue import embedded
from pixelmill.settings import Settings


def load_settings() -> Settings:
    """Raises PixelmillError with the settings to mend, by the names a person sets; never with their values."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{_name(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise PixelmillError("bad-request", f"These settings are wrong: {wrong}.") from None


def _name(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "settings"
    return name if name.isupper() else f"PIXELMILL_{name.upper()}"


def run(part: Coroutine[Any, Any, None], name: str) -> None:
    """Run a part on uvloop to its end. What ends it by mistake is logged once, like everything else; exit status 1."""
    import structlog
    import uvloop

    try:
        uvloop.run(part)
    except PixelmillError as error:
        structlog.stdlib.get_logger(__name__).error(f"{name}.cannot-run", code=error.code, why=error.detail)
        raise SystemExit(1) from None
    except Exception:
        structlog.stdlib.get_logger(__name__).exception(f"{name}.crashed")
        raise SystemExit(1) from None


async def migrate_database(settings: Settings) -> None:
    """Bring the database up to this version's tables; an error names the setting to mend."""
    from pixelmill import app

    with _naming_the_database(settings):
        await app.migrate(settings)


async def is_migrated(settings: Settings) -> bool:
    """Whether that has nothing to do; an error names the setting to mend."""
    from pixelmill import app

    with _naming_the_database(settings):
        return await app.is_current(settings)


@contextmanager
def _naming_the_database(settings: Settings) -> Iterator[None]:
    try:
        yield
    except PixelmillError as error:
        if settings.database_url is None:
            raise
        raise PixelmillError(error.code, f"{error.detail} Its address is in DATABASE_URL.") from error


def check_exposure(settings: Settings) -> None:
    """Refuse an address that others can reach while anybody who reaches it may do anything."""
    if settings.allow_open or _is_loopback(settings.host) or _has_key(settings):
        return
    raise PixelmillError(
        "bad-request",
        f"It would be open to everyone who reaches {settings.host}, without a key. Make one with `pixelmill keys "
        "make`, or set PIXELMILL_HOST=127.0.0.1, or PIXELMILL_OPEN=true if something in front of it checks who may "
        "come in.",
    )


def _has_key(settings: Settings) -> bool:
    from pixelmill import app

    return asyncio.run(app.has_key(settings))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_queue(settings: Settings) -> None:
    """Refuse to run one part alone without a queue that other parts share."""
    if settings.redis is None:
        if not asyncio.run(embedded.answers(settings.data_dir)):
            raise PixelmillError(
                "unavailable",
                "There is no queue. Set REDIS_URL to a Redis or Valkey, or run `pixelmill serve`, which has its own.",
            )
    elif not settings.redis.startswith(("redis://", "rediss://", "unix://")):
        raise PixelmillError("bad-request", "REDIS_URL must start with redis://, rediss:// or unix://.")
