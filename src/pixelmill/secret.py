"""The service's own secret, from which every key that signs or seals is derived.

It is the setting ``PIXELMILL_SECRET``, or else a file in the data folder, made at the first start. It may be several
words: the first one signs, all are believed, so that it can be changed without a gap.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from pixelmill.errors import PixelmillError
from pixelmill.settings import Settings

#: Characters of the shortest secret that is taken: 128 bits written in hexadecimal.
SHORTEST = 32
FILE = "secret"


class Secret:
    """Keys for each purpose, newest first."""

    def __init__(self, words: list[str]) -> None:
        self._words = words

    def keys(self, purpose: str) -> list[bytes]:
        """32 bytes for each secret; what one purpose signs is worth nothing for another (HKDF, RFC 5869)."""
        # Here, for a worker signs nothing with these, and need not carry 4 MB for it.
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return [
            HKDF(SHA256(), 32, salt=None, info=f"pixelmill {purpose}".encode()).derive(word.encode())
            for word in self._words
        ]


def load(settings: Settings) -> Secret:
    """Raises PixelmillError ``bad-request`` when a secret is too short to be one."""
    text = settings.secret.get_secret_value() if settings.secret else _kept(settings.data_dir / FILE)
    words = text.split()
    if not words or any(len(word) < SHORTEST for word in words):
        raise PixelmillError("bad-request", f"PIXELMILL_SECRET needs at least {SHORTEST} characters without spaces.")
    return Secret(words)


def _kept(path: Path) -> str:
    """What the file says. It is made whole or not at all, and processes that start together agree on one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{FILE}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(part)
        finally:
            part.unlink()
    return path.read_text()
