"""``/session``: how a browser's page signs in with a key, and stays signed in without holding it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from pixelmill.api import problems, schemas
from pixelmill.api.auth import PUBLIC, Anyone, Caller, Door
from pixelmill.api.sessions import Session
from pixelmill.errors import PixelmillError

router = APIRouter(tags=["keys"])


class SessionOut(schemas.Shape):
    """Who you are here."""

    open: bool = Field(description="Nobody needs a key: there is none yet.")
    signed_in: bool = Field(description="Whether the request had a key or a session, or needs none.")
    owner: str | None
    scopes: list[str]
    csrf_token: str | None = Field(description="Send it as `X-CSRF-Token` with what changes something.")
    expires_at: schemas.Time | None = Field(description="When the session ends.")


def _told(caller: Caller | None, session: Session | None) -> SessionOut:
    return SessionOut(
        open=caller is not None and caller.key_id is None,
        signed_in=caller is not None,
        owner=caller.owner if caller else None,
        scopes=sorted(caller.scopes) if caller else [],
        csrf_token=session.csrf if session else None,
        expires_at=session.expires_at if session else None,
    )


@router.post(
    "/session",
    summary="Sign a browser in",
    response_model=SessionOut,
    responses=problems.responses("no-key", "bad-key", "cross-site", "unavailable"),
)
async def start_session(request: Request, caller: Anyone) -> Response:
    """Send the key once, as `Authorization: Bearer`; the cookie of the answer stands for it, for some hours.

    With the cookie, what changes something needs the header `X-CSRF-Token` too. Revoking the key ends the session.
    """
    if caller.key_id is None:
        return schemas.answer(_told(caller, None), headers={"Cache-Control": "no-store"})
    door: Door = request.app.state.door
    value, session = door.sessions.start(caller.key_id)
    answer = schemas.answer(_told(caller, session), headers={"Cache-Control": "no-store"})
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    door.sessions.set(answer, value, secure=secure)
    return answer


@router.get("/session", summary="Who I am", response_model=SessionOut, dependencies=[PUBLIC])
async def get_session(request: Request) -> Response:
    """For pages: whether to ask for a key, what may be shown, and the token for changes. Answers everybody."""
    found: Caller | PixelmillError = request.state.caller
    caller = found if isinstance(found, Caller) else None
    told = _told(caller, caller.session if caller else None)
    return schemas.answer(told, headers={"Cache-Control": "no-store", "Vary": "Cookie, Authorization"})


@router.delete("/session", summary="Sign out", status_code=204, dependencies=[PUBLIC])
async def end_session(request: Request) -> Response:
    """The browser forgets its cookie."""
    door: Door = request.app.state.door
    answer = Response(status_code=204)
    door.sessions.clear(answer)
    return answer
