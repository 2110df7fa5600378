"""What a job is, and what can come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

NAME = "process"


@dataclass(frozen=True, slots=True)
class Job:
    """One image to be worked on, in one generation.

    ``priority`` is BullMQ's: 0 goes first (plain waiting list), then 1, 2 … up to 2 097 151. ``delay`` is in seconds
    from now. ``retried`` is set on jobs that a worker takes: the id was finished before and somebody (Arena,
    bull-board) pressed retry, so its generation may be stale. Two jobs are equal when they are the same piece of
    work, however urgent.
    """

    image_id: str
    generation: int
    priority: int = field(default=0, compare=False)
    delay: float = field(default=0.0, compare=False)
    retried: bool = field(default=False, compare=False)

    @property
    def id(self) -> str:
        """The id that BullMQ knows it by."""
        return f"{self.image_id}-{self.generation}"

    @property
    def data(self) -> dict[str, Any]:
        """What BullMQ keeps as the job's data."""
        return {"imageId": self.image_id, "generation": self.generation}


@dataclass(frozen=True, slots=True)
class Foreign:
    """A job that another BullMQ client added: its data has no ``imageId`` and ``generation``.

    ``data`` is empty when what was added is not a JSON object. ``added`` is when, in ms since 1970.
    """

    job_id: str
    data: dict[str, Any]
    name: str = NAME
    retried: bool = False
    added: int = field(default=0, compare=False)

    @property
    def id(self) -> str:
        return self.job_id


@dataclass(frozen=True, slots=True)
class Done:
    """Finished; ``value`` is kept as the job's return value, for whoever added it."""

    value: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: the same job comes again after ``seconds``. It is not acknowledged and does not count as a try."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """It goes to BullMQ's failed set, where Arena and bull-board show ``reason``."""

    reason: str


Outcome: TypeAlias = Done | Later | Failed
Handler: TypeAlias = Callable[[Job | Foreign], Awaitable[Outcome]]


def read(job_id: str, name: str, data: Any, *, retried: bool, added: int = 0) -> Job | Foreign:
    """What a worker took, from the fields that BullMQ keeps of it."""
    if isinstance(data, dict):
        image_id, generation = data.get("imageId"), data.get("generation")
        if isinstance(image_id, str) and image_id and isinstance(generation, int) and not isinstance(generation, bool):
            return Job(image_id, generation, retried=retried)
        return Foreign(job_id, data, name, retried, added)
    return Foreign(job_id, {}, name, retried, added)
