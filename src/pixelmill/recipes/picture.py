"""A ready ``<picture>`` element from the files of a responsive preset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

BEST_FIRST = ("image/avif", "image/webp", "image/jxl")
"""Browsers take the first source they can show; JPEG and PNG go into ``<img>``."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its address, type, and size in pixels."""

    url: str
    content_type: str
    width: int
    height: int


def picture(sources: Iterable[Source], alt: str = "", sizes: str = "100vw") -> str:
    """The HTML that lets a browser choose the best format and the width it needs. Raises ValueError for no sources."""
    kinds: dict[str, list[Source]] = {}
    for source in sources:
        kinds.setdefault(source.content_type, []).append(source)
    if not kinds:
        raise ValueError("a picture needs a source")
    order = sorted(kinds, key=lambda kind: (BEST_FIRST.index(kind) if kind in BEST_FIRST else len(BEST_FIRST), kind))
    lines = ["<picture>"]
    lines += [f'  <source type="{kind}" srcset="{_set(kinds[kind])}" sizes="{escape(sizes)}">' for kind in order[:-1]]
    last = sorted(kinds[order[-1]], key=lambda source: source.width)
    whole = last[-1]
    lines.append(
        f'  <img src="{escape(whole.url)}" srcset="{_set(last)}" sizes="{escape(sizes)}" '
        f'width="{whole.width}" height="{whole.height}" alt="{escape(alt)}" loading="lazy" decoding="async">'
    )
    return "\n".join([*lines, "</picture>"]) + "\n"


def _set(sources: list[Source]) -> str:
    """Widths ascending, each once: small images give several variants of one width."""
    widths = {source.width: source.url for source in sorted(sources, key=lambda source: source.width, reverse=True)}
    return ", ".join(f"{escape(url)} {width}w" for width, url in sorted(widths.items()))
