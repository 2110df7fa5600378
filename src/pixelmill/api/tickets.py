"""Who may send the bytes of a ticket's file: whoever has the address that was signed for it, or the owner's key."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Security
from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection

from pixelmill.api.auth import Caller, KeyCheck
from pixelmill.api.links import Links
from pixelmill.errors import PixelmillError


class _KeyOrTicket(KeyCheck):
    """As ``Uploader``, but a signed address will do."""

    async def __call__(
        self,
        connection: HTTPConnection,
        needed: SecurityScopes,
        expires: Annotated[str | None, Query(description="Of a ticket's address: when it ends, Unix seconds.")] = None,
        signature: Annotated[str | None, Query(description="Of a ticket's address.", max_length=200)] = None,
    ) -> Caller:
        if signature is None:
            return await super().__call__(connection, needed)
        tickets: Links = connection.app.state.tickets
        for name in ("expires", "signature"):
            if len(connection.query_params.getlist(name)) != 1:
                raise PixelmillError("bad-signature")
        tickets.check(connection.scope["path"], expires or "", signature)
        return Caller("", frozenset({"upload"}), link=True)


#: A key that may upload, or an address that was signed for this very upload.
Sender = Annotated[Caller, Security(_KeyOrTicket(), scopes=["upload"])]
