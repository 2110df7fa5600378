"""What can go wrong on the way to the service and in it."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Anything that this client raises by itself."""


class ConnectionLost(ClientError):
    """The service was not reached, or the line broke, as often as it was tried."""


class TimedOut(ClientError):
    """The batch was not over in the time given to :meth:`wait`."""


class Incomplete(ClientError):
    """A download has another size than the service told."""


class ProblemError(ClientError):
    """The service refused: an RFC 9457 problem.

    ``type`` is the address that explains it, ``code`` its last part (stable, for programs), ``extra`` the members that
    only this type has. An answer that is no problem document, of a proxy in between, has the type ``about:blank``.
    """

    def __init__(
        self,
        *,
        type: str = "about:blank",
        code: str,
        title: str,
        status: int,
        detail: str = "",
        extra: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail or title}")
        self.type = type
        self.code = code
        self.title = title
        self.status = status
        self.detail = detail or title
        self.extra = extra or {}
        #: Seconds after which the service says it is worth another try.
        self.retry_after = retry_after
