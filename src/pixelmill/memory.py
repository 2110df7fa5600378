"""The memory of this process: how much it holds, and giving back what it does not use."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path


def held() -> int:
    """Bytes of memory that it holds now (resident); 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def trim() -> None:
    """Have the C library give back what it keeps of freed memory. Nothing where it cannot be asked to (musl, macOS).

    It gives back by itself only what is free at the end of a heap: one small thing there keeps the megabytes before
    it, and a process that runs for long looks as if it grew (malloc_trim(3)). Takes a millisecond or two.
    """
    if _malloc_trim is not None:
        _malloc_trim(0)


_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
