"""The language between what the client does and how it is done: a procedure is a generator that yields steps.

It does no I/O itself. A driver (blocking or not) does each step and sends its outcome back in, or throws what went
wrong. So there is one procedure for both clients, and both can be tested by sending answers in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class Body(Protocol):
    """What is sent; ``chunks`` starts anew each time, so that a request can be repeated."""

    @property
    def length(self) -> int: ...

    @property
    def content_type(self) -> str: ...

    def chunks(self) -> Iterator[bytes]: ...

    def sent(self, bytes_: int) -> None:
        """So many bytes have been handed to the line."""


@dataclass(frozen=True)
class Json:
    data: bytes
    content_type: str = "application/json"

    @property
    def length(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        yield self.data

    def sent(self, bytes_: int) -> None:
        pass


@dataclass(frozen=True)
class Call:
    """Send a request. Its outcome is a :class:`Reply`; with ``stream`` the body of a good one is left for Read.

    ``safe``: it may be sent again when nobody knows whether it was done. ``patience``: seconds of silence until the
    line counts as broken, when it is not to be the client's usual time.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    stream: bool = False
    patience: float | None = None

    @property
    def safe(self) -> bool:
        return self.method in ("GET", "HEAD", "PUT", "DELETE") or "Idempotency-Key" in self.headers


@dataclass(frozen=True)
class Reply:
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Read:
    """The next bytes of the streamed reply; b"" at its end."""


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Do:
    """Something that may wait for a disk; its outcome is what it returns."""

    work: Callable[[], Any]


@dataclass(frozen=True)
class Emit:
    """Hand a value to whoever iterates."""

    value: Any


class Dropped(Exception):
    """Thrown in: the line broke. ``unsent``: the service was not even reached."""

    def __init__(self, why: str, unsent: bool = False) -> None:
        super().__init__(why)
        self.unsent = unsent


Step: TypeAlias = Call | Read | Sleep | Do | Emit
Steps: TypeAlias = Generator[Step, Any, T]


def call(request: Call) -> Steps[Reply]:
    reply: Reply = yield request
    return reply


def read() -> Steps[bytes]:
    data: bytes = yield Read()
    return data


def do(work: Callable[[], T]) -> Steps[T]:
    result: T = yield Do(work)
    return result
