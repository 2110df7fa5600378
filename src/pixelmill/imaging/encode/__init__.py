"""The outputs, one file each, found by name: a module here is a format, and has ``FORMAT``."""

from __future__ import annotations

import importlib
from functools import cache

from pixelmill.imaging.encode._format import Encoding, Format

__all__ = ["Encoding", "Format", "load"]


@cache
def load(name: str) -> Format:
    """The format called ``name``; its libraries are imported only now."""
    format: Format = importlib.import_module(f"pixelmill.imaging.encode.{name}").FORMAT
    return format
