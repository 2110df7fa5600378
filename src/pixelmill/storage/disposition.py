"""The header that says how a browser saves a file."""

from __future__ import annotations

import re
from urllib.parse import quote


def disposition(name: str, attachment: bool) -> str:
    """Content-Disposition (RFC 6266): a plain name for all, the real one in UTF-8 for those who read it."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    coded = "" if plain == name else f"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    return f'{"attachment" if attachment else "inline"}; filename="{plain}"{coded}'
