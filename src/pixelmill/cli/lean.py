"""Libraries without what they bring along to look well in a terminal, for processes that run long.

structlog and httpx load rich, which loads pygments, and httpx its own command line, where they find them: 6 MB in each
process that writes JSON to a log. And structlog loads greenlet for a module that nobody asks for. A command that shows
something to a person loads them as usual, and SQLAlchemy loads greenlet where a database needs it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_LOADERS = ("structlog", "httpx")
_NOT_FOR_THEM = ("rich", "click", "greenlet")


def load() -> None:
    """To be called before anything else loads them."""
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in _NOT_FOR_THEM if name not in modules]
    modules.update(dict.fromkeys(hidden))  # None: an import of it finds nothing
    try:
        for name in _LOADERS:
            importlib.import_module(name)
    finally:
        for name in hidden:
            del modules[name]
