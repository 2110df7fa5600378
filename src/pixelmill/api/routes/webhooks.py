"""``/webhooks``: endpoints that are told when a batch ends, what they were told, and telling it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Path, Query
from pydantic import Field, StrictBool
from starlette.responses import Response

from pixelmill.api import owned, problems, schemas
from pixelmill.api.auth import Admin, Caller
from pixelmill.api.ids import BatchId, Cursor, gone, known
from pixelmill.api.parts import Given, Parts
from pixelmill.errors import PixelmillError
from pixelmill.pipeline.deliver import callbacks
from pixelmill.pipeline.presence import new_id
from pixelmill.records import deliveries, secrets, webhooks
from pixelmill.records.models import Delivery, Secret, Webhook
from pixelmill.records.tables import now

router = APIRouter(tags=["webhooks"])

#: Endpoints that one owner may have.
MOST = 50
#: Seconds that an old secret signs beside a new one, unless told otherwise.
OVERLAP = 86400
EXAMPLE = "0197a1c2-7b1e-7c3a-9d0e-2f6a1b3c4d5e"

WebhookId = Annotated[str, Path(max_length=100, examples=[EXAMPLE])]
DeliveryId = Annotated[str, Path(max_length=100, examples=[EXAMPLE])]
Event = Literal["batch.completed", "batch.canceled", "batch.reopened"]
DeliveryState = Literal["due", "sending", "delivered", "failed"]
Address = Annotated[
    str,
    Field(max_length=2000, examples=["https://shop.example/hooks"], json_schema_extra={"pattern": "^https?://"}),
]
NO_STORE = {"Cache-Control": "no-store"}


class NewWebhook(schemas.Shape):
    url: Address = Field(description="A public http or https address.")
    events: list[Event] = Field(list(get_args(Event)), min_length=1, max_length=10, description="What it is told of.")


class WebhookChange(schemas.Shape):
    """What is not given stays."""

    url: Address | None = None
    events: list[Event] | None = Field(None, min_length=1, max_length=10)
    enabled: StrictBool | None = Field(None, description="`true` also after it was disabled for not answering.")


class WebhookOut(schemas.Shape):
    webhook_id: str
    url: str
    events: list[str]
    created_at: schemas.Time
    enabled: bool
    disabled_at: schemas.Time | None
    disabled_reason: str | None


class SecretOut(schemas.Shape):
    secret: str = Field(description="`whsec_…`, for any library of Standard Webhooks.")
    until: schemas.Time | None = Field(description="It signs until then beside a newer one; null: it is the newest.")


class MadeWebhook(WebhookOut):
    secrets: list[SecretOut]


class SecretList(schemas.Shape):
    """Secrets that sign, the newest first."""

    secrets: list[SecretOut]


class WebhookPage(schemas.Shape):
    webhooks: list[WebhookOut]
    next_cursor: str | None


class Rotation(schemas.Shape):
    overlap: schemas.Whole = Field(OVERLAP, ge=0, le=7 * 86400, description="Seconds that both secrets sign.")


class TryOut(schemas.Shape):
    at: str
    status: int | None
    error: str | None
    seconds: float


class DeliveryOut(schemas.Shape):
    """One message. Its `webhook-id` is `msg_` and `deliveryId`."""

    delivery_id: str
    webhook_id: str | None = Field(description="Null for the callback address of a batch.")
    batch_id: str | None
    url: str
    event: str
    state: DeliveryState
    tries: int
    due_at: schemas.Time = Field(description="When it is tried next, or was last.")
    created_at: schemas.Time
    delivered_at: schemas.Time | None
    log: list[TryOut] = Field(description="The last 50 tries.")


class DeliveryPage(schemas.Shape):
    deliveries: list[DeliveryOut]
    next_cursor: str | None


def _webhook(one: Webhook) -> dict[str, Any]:
    return {
        "webhook_id": one.id,
        "url": one.url,
        "events": list(one.events),
        "created_at": one.created_at,
        "enabled": one.disabled_at is None,
        "disabled_at": one.disabled_at,
        "disabled_reason": one.disabled_reason,
    }


def _secrets(found: tuple[Secret, ...]) -> list[SecretOut]:
    return [SecretOut(secret=one.secret, until=one.until) for one in secrets.in_use(found, now())]


def _delivery(one: Delivery) -> DeliveryOut:
    return DeliveryOut(
        delivery_id=one.id,
        webhook_id=one.webhook_id,
        batch_id=one.batch_id or None,
        url=one.url,
        event=one.event,
        state=one.state,
        tries=one.tries,
        due_at=one.due_at,
        created_at=one.created_at,
        delivered_at=one.delivered_at,
        log=[TryOut.model_validate(tried) for tried in one.log],
    )


async def _found(parts: Parts, caller: Caller, webhook_id: str) -> Webhook:
    found = await webhooks.find(parts.database, known(webhook_id, "webhook"))
    if found is None or not caller.sees(found.owner):
        raise gone("webhook", webhook_id)
    return found


@router.post(
    "/webhooks",
    status_code=201,
    summary="Make an endpoint",
    response_model=MadeWebhook,
    responses={
        201: {"headers": {"Location": {"description": "The endpoint.", "schema": {"type": "string"}}}},
        **problems.responses("bad-request", "address-refused", "conflict", "missing-scope", "unavailable"),
    },
)
async def make_webhook(parts: Given, caller: Admin, wanted: NewWebhook) -> Response:
    """It is told of your batches that end from now on, as Standard Webhooks has it."""
    parts.intake.guard.check(wanted.url)
    present, more = await webhooks.page(parts.database, owner=caller.owner, limit=MOST)
    if more or len(present) >= MOST:
        raise PixelmillError("conflict", f"There are {MOST} endpoints already; delete one first.")
    made = await webhooks.create(
        parts.database, new_id(), owner=caller.owner, url=wanted.url, events=_once(wanted.events)
    )
    told = MadeWebhook.model_validate(_webhook(made) | {"secrets": _secrets(made.secrets)})
    return schemas.answer(told, 201, {"Location": f"/webhooks/{made.id}"} | NO_STORE)


def _once(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(events))


@router.get(
    "/webhooks",
    summary="List endpoints, newest first",
    response_model=WebhookPage,
    responses=problems.responses("bad-request", "missing-scope", "unavailable"),
)
async def list_webhooks(
    parts: Given, caller: Admin, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> Response:
    found, following = await webhooks.page(parts.database, owner=caller.view, cursor=cursor, limit=limit)
    page = WebhookPage(webhooks=[WebhookOut.model_validate(_webhook(one)) for one in found], next_cursor=following)
    return schemas.answer(page, headers=NO_STORE)


@router.get(
    "/callback-secret",
    summary="The secret of callback addresses",
    response_model=SecretList,
    responses=problems.responses("missing-scope", "unavailable"),
)
async def get_callback_secret(parts: Given, caller: Admin) -> Response:
    """Messages to the `callbackUrl` of your batches are signed with it."""
    found = await secrets.obtain(parts.database, callbacks(caller.owner))
    return schemas.answer(SecretList(secrets=_secrets(found)), headers=NO_STORE)


@router.post(
    "/callback-secret/rotate",
    summary="Change the secret of callback addresses",
    response_model=SecretList,
    responses=problems.responses("bad-request", "missing-scope", "unavailable"),
)
async def rotate_callback_secret(parts: Given, caller: Admin, wanted: Rotation) -> Response:
    until = now() + timedelta(seconds=wanted.overlap)
    found = await secrets.rotate(parts.database, callbacks(caller.owner), until=until)
    return schemas.answer(SecretList(secrets=_secrets(found)), headers=NO_STORE)


@router.get(
    "/webhooks/{webhookId}",
    summary="One endpoint",
    response_model=WebhookOut,
    responses=problems.responses("not-found", "missing-scope", "unavailable"),
)
async def get_webhook(parts: Given, caller: Admin, webhookId: WebhookId) -> Response:
    found = await _found(parts, caller, webhookId)
    return schemas.answer(WebhookOut.model_validate(_webhook(found)), headers=NO_STORE)


@router.patch(
    "/webhooks/{webhookId}",
    summary="Change an endpoint",
    response_model=WebhookOut,
    responses=problems.responses("bad-request", "address-refused", "not-found", "missing-scope", "unavailable"),
)
async def change_webhook(parts: Given, caller: Admin, webhookId: WebhookId, wanted: WebhookChange) -> Response:
    """What is due to an endpoint that is switched off is given up; `replay` sends it later."""
    if wanted.url is not None:
        parts.intake.guard.check(wanted.url)
    found = await _found(parts, caller, webhookId)
    events = None if wanted.events is None else _once(wanted.events)
    changed = await webhooks.change(parts.database, found.id, url=wanted.url, events=events, enabled=wanted.enabled)
    if changed is None:
        raise gone("webhook", webhookId)
    return schemas.answer(WebhookOut.model_validate(_webhook(changed)), headers=NO_STORE)


@router.delete(
    "/webhooks/{webhookId}",
    status_code=204,
    summary="Delete an endpoint, with what it was told",
    responses=problems.responses("not-found", "missing-scope", "unavailable"),
)
async def delete_webhook(parts: Given, caller: Admin, webhookId: WebhookId) -> Response:
    found = await _found(parts, caller, webhookId)
    if not await webhooks.remove(parts.database, found.id):
        raise gone("webhook", webhookId)
    return Response(status_code=204)


@router.get(
    "/webhooks/{webhookId}/secret",
    summary="The secrets of an endpoint",
    response_model=SecretList,
    responses=problems.responses("not-found", "missing-scope", "unavailable"),
)
async def get_webhook_secret(parts: Given, caller: Admin, webhookId: WebhookId) -> Response:
    found = await _found(parts, caller, webhookId)
    return schemas.answer(SecretList(secrets=_secrets(found.secrets)), headers=NO_STORE)


@router.post(
    "/webhooks/{webhookId}/secret/rotate",
    summary="Give an endpoint a new secret",
    response_model=SecretList,
    responses=problems.responses("bad-request", "not-found", "missing-scope", "unavailable"),
)
async def rotate_webhook_secret(parts: Given, caller: Admin, webhookId: WebhookId, wanted: Rotation) -> Response:
    """While both sign, a message has two signatures, and a receiver that knows either takes it."""
    found = await _found(parts, caller, webhookId)
    until = now() + timedelta(seconds=wanted.overlap)
    changed = await webhooks.rotate(parts.database, found.id, until=until)
    if changed is None:
        raise gone("webhook", webhookId)
    return schemas.answer(SecretList(secrets=_secrets(changed.secrets)), headers=NO_STORE)


@router.post(
    "/webhooks/{webhookId}/test",
    status_code=202,
    summary="Send a message to try an endpoint",
    response_model=DeliveryOut,
    responses=problems.responses("conflict", "not-found", "missing-scope", "unavailable"),
)
async def send_test_message(parts: Given, caller: Admin, webhookId: WebhookId) -> Response:
    """Its event is `webhook.test`; how it went is in the list of deliveries."""
    found = await _found(parts, caller, webhookId)
    if found.disabled_at is not None:
        raise PixelmillError("conflict", "The endpoint is disabled; enable it first.")
    delivery_id = await deliveries.write_test(parts.database, found.id, found.owner, found.url)
    written = await deliveries.find(parts.database, delivery_id)
    if written is None:
        raise gone("delivery", delivery_id)
    return schemas.answer(_delivery(written), 202, NO_STORE)


@router.get(
    "/webhooks/{webhookId}/deliveries",
    summary="What an endpoint was told, newest first",
    response_model=DeliveryPage,
    responses=problems.responses("bad-request", "not-found", "missing-scope", "unavailable"),
)
async def list_deliveries(
    parts: Given,
    caller: Admin,
    webhookId: WebhookId,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    state: DeliveryState | None = None,
) -> Response:
    found = await _found(parts, caller, webhookId)
    page, following = await deliveries.page(
        parts.database, webhook_id=found.id, state=state, cursor=cursor, limit=limit
    )
    told = DeliveryPage(deliveries=[_delivery(one) for one in page], next_cursor=following)
    return schemas.answer(told, headers=NO_STORE)


@router.get(
    "/batches/{batchId}/deliveries",
    summary="What was told of a batch, newest first",
    response_model=DeliveryPage,
    responses=problems.responses("bad-request", "not-found", "missing-scope", "unavailable"),
)
async def list_batch_deliveries(
    parts: Given,
    caller: Admin,
    batch_id: BatchId,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """To endpoints and to its callback address."""
    await owned.batch(parts, caller, batch_id)
    page, following = await deliveries.page(parts.database, batch_id=batch_id, cursor=cursor, limit=limit)
    told = DeliveryPage(deliveries=[_delivery(one) for one in page], next_cursor=following)
    return schemas.answer(told, headers=NO_STORE)


@router.post(
    "/deliveries/{deliveryId}/replay",
    status_code=202,
    summary="Tell it again",
    response_model=DeliveryOut,
    responses=problems.responses("conflict", "not-found", "missing-scope", "unavailable"),
)
async def replay_delivery(parts: Given, caller: Admin, deliveryId: DeliveryId) -> Response:
    """The same message with the same `webhook-id`, from the start of the schedule."""
    found = await deliveries.find(parts.database, known(deliveryId, "delivery"))
    if found is None or not caller.sees(found.owner):
        raise gone("delivery", deliveryId)
    await deliveries.replay(parts.database, found.id, at=now())
    again = await deliveries.find(parts.database, found.id)
    if again is None:
        raise gone("delivery", deliveryId)
    return schemas.answer(_delivery(again), 202, NO_STORE)
