"""Where bytes live: one small interface, a local folder or an object store behind it."""

from pixelmill.storage.base import Presigned, Stat, Storage, Writer
from pixelmill.storage.connect import connect
from pixelmill.storage.local import LocalStorage

__all__ = ["LocalStorage", "Presigned", "Stat", "Storage", "Writer", "connect"]
