"""What a file is, by its first bytes: never by its name, nor by what the sender says it is."""

from __future__ import annotations

import re

HEAD = 4096
"""So many bytes are enough to tell."""

_AVIF = {b"avif", b"avis"}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_HEIF = {b"mif1", b"msf1", b"mif2", b"heif"}
_BEFORE_SVG = re.compile(
    rb"\s*(?:<\?xml[^>]{0,256}\?>|<!--.*?-->|<!DOCTYPE\s+svg[^\[>]*(?:\[.*?\]\s*)?>|\s+)*\s*", re.DOTALL
)
_SVG = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,20}:)?svg[\s/>]")


def sniff(head: bytes) -> str | None:
    """The format (``jpeg``, ``png``, ``webp``, ``gif``, ``avif``, ``heic``, ``tiff``, ``jxl``, ``svg``), or None.

    ``head`` is the first :data:`HEAD` bytes, or all of a shorter file.
    """
    head = head[:HEAD]
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return "jxl"
    if head[4:8] == b"ftyp":
        return _iso(head)
    return "svg" if _is_svg(head) else None


def _iso(head: bytes) -> str | None:
    """ISO base media: the file-type box lists a major brand, a version, and compatible brands."""
    size = int.from_bytes(head[:4], "big")
    end = min(size if size >= 16 else 16, len(head))
    major = head[8:12]
    brands = {major} | {head[at : at + 4] for at in range(16, end - 3, 4)}
    if major in _AVIF:
        return "avif"
    if major in _HEIC:
        return "heic"
    if brands & _AVIF:
        return "avif"
    return "heic" if brands & (_HEIC | _HEIF) else None


def _is_svg(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] != b"<":
        return False
    before = _BEFORE_SVG.match(text)
    return bool(before and _SVG.match(text, before.end()))
