"""``Idempotency-Key``: the same request sent twice is done once (draft-ietf-httpapi-idempotency-key-header).

The key is reserved before the body is read. What makes two requests the same is their fingerprint: method, address,
and the content: a JSON document whatever its spaces, a form's fields and its files' SHA-256. Only what has been done
is answered again; a request that was refused did nothing, and may be sent again with the same key.

A form is read by its route, which therefore takes part: it reads its files through :meth:`Once.files`, gives the
fingerprint to :meth:`Once.settle`, and records its answer in the transaction that does the work.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response

from pixelmill.api.multipart import File, Sink
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.accept import too_many
from pixelmill.records import idempotency
from pixelmill.records.idempotency import Answer
from pixelmill.secret import Secret

if TYPE_CHECKING:
    from pixelmill.api.auth import Caller
    from pixelmill.records.database import Database

HEADER = "idempotency-key"
#: Headers of the first answer that are given again.
KEPT = ("location", "retry-after", "content-type", "cache-control", "etag", "tus-resumable", "upload-expires")
#: Most bytes of an answer that is kept; what creates something answers with much less.
MOST = 256 * 1024
MOST_LETTERS = 255

_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"\Z')
_PLAIN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")


def parse(values: Sequence[str]) -> str | None:
    """The key that the header gives: a structured-field string in quotes or, as many clients send it, without.

    Raises PixelmillError ``bad-request`` for anything else.
    """
    if not values:
        return None
    text = values[0].strip(" \t")
    quoted = _QUOTED.match(text)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text if _PLAIN.match(text) else ""
    if len(values) > 1 or not 1 <= len(key) <= MOST_LETTERS:
        detail = f"Idempotency-Key: one string of 1 to {MOST_LETTERS} visible ASCII characters, in quotes."
        raise PixelmillError("bad-request", detail)
    return key


def of_json(body: bytes) -> bytes:
    """The same bytes for the same document, however it is written; the bytes themselves for what is not JSON."""
    try:
        return json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


@dataclass(frozen=True, slots=True)
class Keeper:
    """What all requests share: where answers are kept, for how long, and what seals them."""

    database: Database
    process_id: Callable[[], str]
    keep: timedelta
    seal: MultiFernet
    #: What requests of this process have in hand: a reservation of its own beyond that could not be released.
    running: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def make(cls, database: Database, process_id: Callable[[], str], seconds: float, secret: Secret) -> Keeper:
        keys = [Fernet(base64.urlsafe_b64encode(key)) for key in secret.keys("idempotency")]
        return cls(database, process_id, timedelta(seconds=seconds), MultiFernet(keys))

    async def reserve(self, connection: HTTPConnection, caller: Caller) -> Once | None:
        """None when the request has no key. Raises PixelmillError: ``bad-request``, ``idempotency-running``."""
        key = parse(connection.headers.getlist(HEADER))
        if key is None:
            return None
        # Of one API key, whose scopes never change: what it may be told again it was allowed to do. Hashed, because
        # databases differ in which texts they hold for equal.
        hashed = hashlib.sha256(f"{caller.key_id or ''} {key}".encode()).hexdigest()
        process_id, mine = self.process_id(), (caller.owner, hashed)
        lost = not self.running[mine]
        self.running[mine] += 1
        known: Answer | None = None
        try:
            known = await idempotency.reserve(self.database, *mine, process_id, keep=self.keep, lost=lost)
        except idempotency.Running:
            self.done(mine)
            raise PixelmillError("idempotency-running", extra={"retryAfter": 1}) from None
        except BaseException:
            self.done(mine)
            raise
        if known:
            self.done(mine)
        return Once(self, caller.owner, hashed, process_id, _address(connection), known)

    def done(self, mine: tuple[str, str]) -> None:
        """A request with this key is no longer in hand."""
        self.running[mine] -= 1
        if not self.running[mine]:
            del self.running[mine]


def _address(connection: HTTPConnection) -> bytes:
    query = "&".join(sorted(str(connection.url.query).split("&")))
    return f"{connection.scope['method']} {connection.scope['path']}?{query}\n".encode()


class Once:
    """One request with a key. ``known`` is the answer to the one before it, if there was one."""

    def __init__(
        self, keeper: Keeper, owner: str, key: str, process_id: str, address: bytes, known: Answer | None
    ) -> None:
        self.known = known
        self._keeper = keeper
        self._mine = (owner, key, process_id)
        self._address = address
        self._fingerprint: str | None = None
        self._over = known is not None
        self._held = known is None
        self._recorded = False

    def settle(self, content: bytes) -> Response | None:
        """The content is whole: the first answer, or None when this request is the first.

        Raises PixelmillError ``idempotency-mismatch`` when the key stands for another request.
        """
        self._fingerprint = hashlib.sha256(self._address + content).hexdigest()
        if self.known is None:
            return None
        if self._fingerprint != self.known.fingerprint:
            raise PixelmillError("idempotency-mismatch")
        return self._again(self.known)

    def files(self, sink: Sink | None, most: int) -> Files:
        """Up to ``most`` files that go on to ``sink`` while hashed; nowhere when the answer is known already."""
        return Files(sink, most)

    def recording(self, response: Response) -> Callable[[Any], Awaitable[None]]:
        """Records the answer within the transaction that does the work."""
        answer = self._answer(response.status_code, Headers(raw=response.raw_headers), bytes(response.body))
        record = idempotency.answering(*self._mine, answer)

        async def within(tx: Any) -> None:
            await record(tx)
            # If the transaction comes to nothing after all, release() finds no answer, and frees the key.
            self._recorded = True

        return within

    async def answered(self, status: int, headers: Headers, body: bytes) -> None:
        """The route has answered: keep it if something was done, and was not recorded with it."""
        if self._over or self._recorded or not 200 <= status < 300 or self._fingerprint is None:
            return
        await idempotency.answer(self._keeper.database, *self._mine, self._answer(status, headers, body))
        self._over = True

    async def release(self) -> None:
        """The request is over. If nothing was recorded, the key is free. May be called again."""
        if not self._held:
            return
        self._held = False  # once only: another request may have the key by then
        try:
            if not self._over:
                self._over = True
                await idempotency.release(self._keeper.database, *self._mine)
        finally:
            self._keeper.done(self._mine[:2])

    def _answer(self, status: int, headers: Headers, body: bytes) -> Answer:
        assert self._fingerprint is not None
        kept = {name: headers[name] for name in KEPT if name in headers}
        return Answer(self._fingerprint, status, kept, self._keeper.seal.encrypt(body).decode())

    def _again(self, answer: Answer) -> Response:
        try:
            body = self._keeper.seal.decrypt(answer.body)
        except InvalidToken:
            raise PixelmillError(
                "conflict", "This was done already; its answer was sealed with a secret that is no longer known."
            ) from None
        return Response(body, answer.status, {**answer.headers, "Idempotency-Replayed": "true"})


class Files:
    """A sink that hashes each file on its way. ``content`` is what makes two forms the same."""

    def __init__(self, sink: Sink | None, most: int) -> None:
        self._sink = sink
        self._most = most
        self._hashes: list[tuple[str, Any]] = []

    async def file(self, name: str) -> File:
        if len(self._hashes) >= self._most:
            raise too_many(self._most)
        hashed = hashlib.sha256()
        self._hashes.append((name, hashed))
        return _Hashed(hashed, await self._sink.file(name) if self._sink else None)

    def content(self, fields: Mapping[str, str]) -> bytes:
        told = {"fields": dict(fields), "files": [[name, hashed.hexdigest()] for name, hashed in self._hashes]}
        return json.dumps(told, sort_keys=True).encode()


class _Hashed:
    def __init__(self, hashed: Any, file: File | None) -> None:
        self._hash = hashed
        self._file = file

    async def write(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        if self._file is not None:
            await self._file.write(data)

    async def close(self) -> None:
        if self._file is not None:
            await self._file.close()
