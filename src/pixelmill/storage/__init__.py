"""Where bytes live: one small interface, a local folder or an object store behind it."""

from pixelmill.storage.base import Stat, Storage, Writer
from pixelmill.storage.local import LocalStorage

__all__ = ["LocalStorage", "Stat", "Storage", "Writer"]
