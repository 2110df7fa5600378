"""How it logs, in one place: for people when a person watches, else one line of JSON an event. Never a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog

_SECRET_NAMES = re.compile(r"password|passwd|secret|token|authorization|cookie|signature|api_?key", re.IGNORECASE)
# A bound on the scheme: else a long word costs its length squared, and whoever asks chooses some of what is logged.
_SECRET_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,31}://)[^/\s@]*@", re.IGNORECASE)
_SIGNED = re.compile(r"(?P<name>X-Amz-(?:Signature|Credential|Security-Token)|sig|signature|token)=[^&\s\"']+", re.I)
_KEYS = re.compile(r"\b(?P<name>pm_[0-9a-f]{12}_|whsec_|Bearer )[\w+/=.-]{16,}", re.ASCII)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        # Every line of every request comes by here. What a pattern cannot do without is looked for first: to search
        # for the pattern costs fifty times that.
        if "://" in value:
            value = _SECRET_IN_URL.sub(r"\g<scheme>***@", value)
        if "=" in value:
            value = _SIGNED.sub(r"\g<name>=***", value)
        if "pm_" in value or "whsec_" in value or "Bearer " in value:
            value = _KEYS.sub(r"\g<name>***", value)
        return value
    if isinstance(value, dict):
        return {key: "***" if _is_secret(str(key)) else _clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(inner) for inner in value]
    return value


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Passwords in URLs, signatures, keys of ours, and whatever a field's name says is secret."""
    for key, value in event.items():
        event[key] = "***" if _is_secret(key) else _clean(value)
    return event


def configure(level: str = "info", *, pretty: bool | None = None) -> None:
    """Set up structlog and the standard library's logging, to standard error, in one form.

    ``level`` is debug, info, warning or error; an unknown one counts as info. ``pretty``: default when a terminal.
    """
    pretty = sys.stderr.isatty() if pretty is None else pretty
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # Tracebacks without local variables: those hold images, keys and passwords.
    plain = structlog.dev.plain_traceback
    last: list[Any] = (
        [hide_secrets, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
        if pretty
        else [structlog.processors.format_exc_info, hide_secrets, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for noisy in ("alembic", "asyncio", "httpx", "httpcore", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(max(number, logging.WARNING))
