"""ICC profiles: whether one is sRGB itself, so that no pixel need be converted."""

from __future__ import annotations

NAMES = ("sRGB IEC61966", "sRGB built-in", "sRGB", "c2", "GIMP built-in sRGB")


def is_srgb(profile: bytes) -> bool:
    """Whether its description (ICC.1:2022, 9.2.41, tag ``desc``) names sRGB."""
    name = description(profile)
    return any(name == known or name.startswith((f"{known}-", f"{known} ")) for known in NAMES)


def description(profile: bytes) -> str:
    """The profile's own name; empty when it has none."""
    count = min(int.from_bytes(profile[128:132], "big"), 100)
    for entry in range(132, 132 + 12 * count, 12):
        if profile[entry : entry + 4] == b"desc":
            start = int.from_bytes(profile[entry + 4 : entry + 8], "big")
            size = int.from_bytes(profile[entry + 8 : entry + 12], "big")
            return _text(profile[start : start + size])
    return ""


def _text(tag: bytes) -> str:
    if tag[:4] == b"mluc":  # version 4: names in several languages; the first
        length, offset = int.from_bytes(tag[20:24], "big"), int.from_bytes(tag[24:28], "big")
        return tag[offset : offset + length].decode("utf-16-be", "replace").rstrip("\0")
    length = int.from_bytes(tag[8:12], "big")
    return tag[12 : 12 + length].decode("latin-1").rstrip("\0")
