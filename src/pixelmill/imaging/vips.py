"""libvips, set up once for a process that decodes what strangers send.

Only here is it told what it may load. ``operation_block_set`` takes misspelt names in silence, so a test opens a
real file of every format and tries the forbidden ones.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pyvips

LOADERS = {
    "VipsForeignLoadJpeg": "jpeg",
    "VipsForeignLoadPng": "png",
    "VipsForeignLoadWebp": "webp",
    "VipsForeignLoadNsgif": "gif",
    "VipsForeignLoadHeif": "avif",
    "VipsForeignLoadTiff": "tiff",
    "VipsForeignLoadSvg": "svg",
}

NO_MEMORY = ("out of memory", "insufficient memory", "unable to allocate", "cannot allocate memory")


def _text(pointer: Any) -> str:
    """A text of libvips'. pyvips believes that all are UTF-8, but messages and names of fields may hold bytes of the
    file; and while a message cannot be read it stays, and is told of the next image too."""
    if pointer == pyvips.ffi.NULL:
        return "NULL"
    text = pyvips.ffi.string(pointer)
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def setup() -> None:
    """Loaders on the list only; no cache of operations, since no image comes twice."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "pyvips" and hasattr(module, "_to_string"):
            module._to_string = _text  # type: ignore[attr-defined]
    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in LOADERS:
        pyvips.operation_block_set(loader, False)


def is_memory(error: Exception) -> bool:
    """Whether libvips failed for want of memory, which says nothing about the image."""
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in NO_MEMORY)


def short_of(needed: int) -> bool:
    """Whether so many bytes more would break the limit of this process: then an error of a library that does not say
    why is taken for want of memory, and the image is not blamed for it."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return False
    return limit != resource.RLIM_INFINITY and used + needed > limit


def reason(error: Exception) -> str:
    """The last line of libvips' message, which is the nearest to the cause, without paths."""
    text = getattr(error, "detail", None) or str(error)
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


setup()
