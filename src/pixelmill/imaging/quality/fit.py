"""The best quality whose file fits in a number of bytes."""

from __future__ import annotations

from collections.abc import Callable
from math import log

from pixelmill.errors import PixelmillError

MOST_ENCODES = 8


def fit(encode: Callable[[int], bytes], most: int, highest: int, lowest: int = 1) -> tuple[bytes, int]:
    """The file of the highest quality from ``lowest`` to ``highest`` that has at most ``most`` bytes, as far as
    :data:`MOST_ENCODES` find it, and that quality.

    The logarithm of the size is taken to grow evenly with quality, between the nearest trials on both sides.
    Raises :class:`PixelmillError` ``cannot-fit`` when the lowest quality is too large.
    """
    data = encode(highest)
    if len(data) <= most:
        return data, highest
    over, over_size = highest, len(data)
    best: tuple[bytes, int] | None = None
    for _ in range(MOST_ENCODES - 2):
        under, under_size = (best[1], len(best[0])) if best else (lowest - 1, max(1, over_size // 50))
        if over - under <= 1:
            break
        rise = log(over_size / under_size) if over_size > under_size else 1.0
        guess = under + int((over - under) * log(max(most / under_size, 1e-9)) / rise)
        middle = (under + over) // 2
        # Never further than three quarters from the middle, so that a bad guess still halves the range.
        reach = max(1, (over - under) * 3 // 8)
        guess = min(max(guess, middle - reach, under + 1), middle + reach, over - 1)
        data = encode(guess)
        if len(data) <= most:
            best = (data, guess)
            if len(data) > most * 0.97:
                break
        else:
            over, over_size = guess, len(data)
    if best is None:
        data = encode(lowest)
        if len(data) > most:
            raise PixelmillError("cannot-fit", f"Even at its lowest quality it has {len(data):,} bytes, not {most:,}.")
        best = (data, lowest)
    return best
