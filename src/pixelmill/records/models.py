"""What the records hold, as plain frozen values: what queries return and callers read. No SQL here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class BatchStatus(StrEnum):
    WAITING = "waiting"
    PROCESSING = "processing"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed-with-errors"
    CANCELED = "canceled"

    @property
    def over(self) -> bool:
        return self not in (BatchStatus.WAITING, BatchStatus.PROCESSING)


class State(StrEnum):
    """State of an image, and of a variant."""

    WAITING = "waiting"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def over(self) -> bool:
        return self not in (State.WAITING, State.ACTIVE)


@dataclass(frozen=True, slots=True)
class Counts:
    """Images of a batch by state; ``waiting`` is what is left."""

    total: int
    completed: int = 0
    failed: int = 0
    active: int = 0
    canceled: int = 0

    @property
    def waiting(self) -> int:
        return self.total - self.completed - self.failed - self.active - self.canceled


@dataclass(frozen=True, slots=True)
class Batch:
    """One request. ``seq`` is the number of its newest event; ``recipe`` the recipe's JSON."""

    id: str
    owner: str
    status: BatchStatus
    counts: Counts
    preset: str | None
    recipe: dict[str, Any]
    metadata: dict[str, Any]
    callback_url: str | None
    priority: int
    seq: int
    created_at: datetime
    finished_at: datetime | None
    retention: Retention = field(default_factory=lambda: Retention())
    needs: int = 1


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a batch's bytes live. ``keep_*``: seconds after its end (None: for ever); ``*_until``: known then.

    What is ``*_gone`` is deleted, or is being deleted.
    """

    keep_originals: float | None = None
    keep_results: float | None = None
    originals_until: datetime | None = None
    results_until: datetime | None = None
    originals_gone: bool = False
    results_gone: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """One output of one image. ``key`` is its storage key once it is completed; ``progress`` 0 to 100."""

    image_id: str
    name: str
    position: int
    state: State
    progress: int = 0
    key: str | None = None
    format: str | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    quality: float | None = None
    seconds: float | None = None
    error_code: str | None = None
    error: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """One uploaded file: the queue's unit of work. ``key`` is the original's storage key (None: refused at the door).

    ``generation`` rises with each requeue; ``tries`` counts tries begun; ``bytes`` and ``sha256`` are of the original.
    """

    id: str
    batch_id: str
    owner: str
    position: int
    original_name: str
    key: str | None
    state: State
    generation: int
    tries: int
    bytes: int
    sha256: str | None
    format: str | None
    width: int | None
    height: int | None
    facts: dict[str, Any]
    timings: dict[str, float]
    error_code: str | None
    failed_reason: str | None
    not_before: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one image.

    ``outcome``: completed, failed, retrying, lost (its lease ran out), handed-back or canceled.
    """

    image_id: str
    token: str
    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error_code: str | None
    reason: str | None
    traceback: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. ``seq`` numbers a batch's events from 1 without gaps, in commit order."""

    batch_id: str
    seq: int
    event: str
    at: datetime
    job_id: str | None
    variant: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Secret:
    """Something to sign with. ``until``: it signs until then beside a newer one; None: it is the newest."""

    secret: str = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint that is told. ``events`` are the names it is told of; ``secrets`` the newest first."""

    id: str
    owner: str
    url: str
    secrets: tuple[Secret, ...]
    events: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one endpoint, or to a batch's own callback address (``webhook_id`` None).

    ``state``: due, sending, delivered or failed. ``log``: each try as ``{"at", "status", "error", "seconds"}``.
    """

    id: str
    owner: str
    webhook_id: str | None
    batch_id: str
    url: str
    event: str
    payload: dict[str, Any]
    state: str
    tries: int
    due_at: datetime
    log: list[dict[str, Any]]
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Share:
    """A link that shows a batch to whoever has it, until it expires."""

    id: str
    owner: str
    batch_id: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that arrives on its own, before a batch takes it.

    ``kind``: put (by a ticket, to us), direct (by a ticket, to the object store) or tus. ``state``: open, finished,
    taken, or on its way out. ``length``: its bytes, or the most there may be; ``offset``: bytes that are stored for
    good. ``token`` and ``process_id`` are of the one that is writing.
    """

    id: str
    owner: str
    kind: str
    ticket_id: str | None
    position: int
    state: str
    original_name: str
    key: str
    length: int
    offset: int
    sha256: str | None
    format: str | None
    metadata: dict[str, Any]
    token: str | None
    process_id: str | None
    batch_id: str | None
    expires_at: datetime
    created_at: datetime
