"""Who asks, and what they may: API keys, browsers' sessions, and a service that is open on this machine alone.

Every route says what it needs by taking a parameter: ``caller: Reader``, ``Uploader``, ``Admin`` or ``Anyone``, or by
``dependencies=[PUBLIC]``; :func:`declared` finds the one that says nothing. Who asks is found out before, by ``gate``,
so that it is known before a body is read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute, APIWebSocketRoute
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from pixelmill.api.sessions import COOKIE, CSRF_HEADER, Session, Sessions
from pixelmill.errors import PixelmillError
from pixelmill.records import keys
from pixelmill.records.tables import now

if TYPE_CHECKING:
    from pixelmill.records.database import Database
    from pixelmill.settings import Settings

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Seconds that "there are no keys" is believed; another process may make the first one.
LOOK_AGAIN = 1.0
#: Seconds after which who listens to a stream is looked up again: a key may have been revoked.
STILL = 15.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``owner`` is the tenant: what is made belongs to it, and only its own is seen.

    ``key_id`` is None when the service is open; ``session`` is set when a browser's cookie vouches for the key.
    """

    owner: str
    scopes: frozenset[str]
    key_id: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    session: Session | None = None
    #: Only a signed link, that this very request was made for.
    link: bool = False
    #: When that link ends, Unix seconds.
    until: int = 0

    def may(self, scope: str) -> bool:
        """`operator` manages the whole service; `watch` sees how it is: who belongs to no tenant and may read."""
        if scope == "operator":
            return self.operator
        if scope == "watch":
            return self.owner == "" and self.may("read")
        return scope in self.scopes or "admin" in self.scopes

    @property
    def operator(self) -> bool:
        """Whether it manages the whole service: an admin of no tenant."""
        return self.owner == "" and "admin" in self.scopes

    @property
    def view(self) -> str | None:
        """The owner whose things it sees; None: everybody's."""
        return None if self.operator else self.owner

    def sees(self, owner: str) -> bool:
        return self.link or self.view is None or self.view == owner

    @property
    def by(self) -> keys.By:
        return keys.By(self.owner, self.key_id)


class Door:
    """Tells who asks. One for each process."""

    def __init__(self, database: Database, settings: Settings, sessions: Sessions) -> None:
        self.sessions = sessions
        self._database = database
        self._settings = settings
        self._locked = False
        self._looked = -LOOK_AGAIN
        self._touched: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def caller(self, connection: HTTPConnection) -> Caller:
        """Raises PixelmillError: `no-key`, `bad-key`, `cross-site`."""
        secret = _secret(connection)
        if secret is not None:
            return self._of(await keys.by_secret(self._database, secret), None)
        session = self.sessions.read(connection.cookies.get(COOKIE, ""))
        if session is not None:
            caller = self._of(await keys.find(self._database, session.key_id), session)
            self._same_site(connection, open_=False)
            if _unsafe(connection) and not session.vouches(connection.headers.get(CSRF_HEADER, "")):
                raise PixelmillError("cross-site", f"{CSRF_HEADER} is not the token that GET /session tells.")
            return caller
        if not await self.open():
            raise PixelmillError("no-key")
        self._near(connection)
        self._same_site(connection, open_=True)
        return Caller("", frozenset(keys.SCOPES))

    async def open(self) -> bool:
        """Whether nobody needs a key, because there never was one."""
        if not self._locked and time.monotonic() >= self._looked + LOOK_AGAIN:
            self._locked = await keys.exist(self._database)
            self._looked = time.monotonic()
        return not self._locked

    async def welcomes(self, caller: Caller) -> bool:
        """Whether who was let in may stay: the key is not revoked, nothing has expired."""
        if caller.link:
            return time.time() < caller.until
        if caller.key_id is None:
            return await self.open()
        key = await keys.find(self._database, caller.key_id)
        at = now()
        return key is not None and key.usable(at) and (caller.session is None or at < caller.session.expires_at)

    async def while_welcome(self, caller: Caller, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """``items``, as long as the caller may stay. It is looked at when an item comes, each :data:`STILL` seconds."""
        looked = time.monotonic()
        async for item in items:
            if time.monotonic() >= looked + STILL:
                looked = time.monotonic()
                if not await self.welcomes(caller):
                    return
            yield item

    def lock(self) -> None:
        """A key has been made: from now on one is needed."""
        self._locked = True

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _of(self, key: keys.Key | None, session: Session | None) -> Caller:
        if key is None or not key.usable(now()):
            raise PixelmillError("bad-key")
        at = time.monotonic()
        if at >= self._touched.get(key.id, -keys.TOUCH) + keys.TOUCH:
            if len(self._touched) > 10_000:
                self._touched.clear()
            self._touched[key.id] = at
            task = asyncio.create_task(self._touch(key.id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return Caller(key.owner, key.scopes, key.id, key.limits, session)

    async def _touch(self, key_id: str) -> None:
        try:
            await keys.touch(self._database, key_id)
        except PixelmillError as error:
            log.warning("key.use-not-noted", key_id=key_id, error=error.detail)

    def _near(self, connection: HTTPConnection) -> None:
        """An open service answers this machine alone, and only by a name that is this machine's.

        A page from elsewhere whose name is made to resolve to 127.0.0.1 (DNS rebinding) still has its own name here.
        """
        if self._settings.allow_open:
            return
        client = connection.client
        if client is not None and client.host and not is_loopback(client.host):
            raise PixelmillError("no-key", "There are no keys yet; until then only this machine may ask.")
        if not is_loopback(_host(f"//{connection.headers.get('host', '')}")):
            raise PixelmillError("cross-site", "Without keys this service answers to localhost and 127.0.0.1 only.")

    def _same_site(self, connection: HTTPConnection, *, open_: bool) -> None:
        """A page from elsewhere must not act with what this browser may do."""
        origin = connection.headers.get("origin")
        if not _unsafe(connection) or origin is None:
            return
        if urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower():
            return
        if open_ and (is_loopback(_host(origin)) or {"*", origin} & set(self._settings.cors_origins)):
            return
        raise PixelmillError("cross-site", "A page of another site must send a key in a header.")


def _secret(connection: HTTPConnection) -> str | None:
    """The key that is sent. Raises `bad-key` for what is no key at all."""
    header = connection.headers.get("authorization")
    if header is not None:
        kind, _, value = header.partition(" ")
        if kind.lower() != "bearer" or not value.strip():
            raise PixelmillError("bad-key", "Send it as `Authorization: Bearer pm_…`.")
        return value.strip()
    return connection.headers.get("x-api-key")


def _unsafe(connection: HTTPConnection) -> bool:
    # A WebSocket is opened by GET, and then both sides send; browsers do not keep pages from opening one elsewhere.
    return connection.scope["type"] == "websocket" or connection.scope["method"] not in SAFE


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class KeyCheck(SecurityBase):
    """Reads who asks and checks the scope that the route declares; names both in the document."""

    def __init__(self) -> None:
        self.model = HTTPBearer(
            description="A key of `pixelmill keys make` or `POST /keys`, as `Authorization: Bearer pm_…` or "
            "`X-API-Key`. The scopes are `upload`, `read` and `admin`, which includes the others. While there is no "
            "key, none is needed on the service's own machine."
        )
        self.scheme_name = "key"

    async def __call__(self, connection: HTTPConnection, needed: SecurityScopes) -> Caller:
        found: Caller | PixelmillError = connection.state.caller
        try:
            if isinstance(found, PixelmillError):
                raise found
            for scope in needed.scopes:
                if not found.may(scope):
                    raise PixelmillError("missing-scope", extra={"scope": scope})
        except PixelmillError as error:
            if connection.scope["type"] == "websocket":
                raise WebSocketException(1008, error.spec.slug) from error
            raise
        return found


async def _nobody() -> None:
    """Marks a route that needs no key."""


_key = KeyCheck()

Reader = Annotated[Caller, Security(_key, scopes=["read"])]
Uploader = Annotated[Caller, Security(_key, scopes=["upload"])]
Admin = Annotated[Caller, Security(_key, scopes=["admin"])]
#: Sees how the whole service is, and changes nothing.
Watcher = Annotated[Caller, Security(_key, scopes=["watch"])]
#: An admin of the whole service: what it does touches every tenant.
Operator = Annotated[Caller, Security(_key, scopes=["operator"])]
#: Any key.
Anyone = Annotated[Caller, Security(_key)]
#: In ``dependencies`` of a route that needs no key.
PUBLIC: Any = Depends(_nobody)


def declared(routes: Iterable[BaseRoute]) -> None:
    """Raises TypeError for a route that does not say who may use it."""
    for route in routes:
        if isinstance(route, APIRoute | APIWebSocketRoute):
            calls = [dependency.call for dependency in route.dependant.dependencies]
            if _nobody not in calls and not any(isinstance(call, KeyCheck) for call in calls):
                raise TypeError(f"{route.path} does not say who may use it: take a `caller: Reader`, or be PUBLIC.")
