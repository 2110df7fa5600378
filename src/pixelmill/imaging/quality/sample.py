"""A small stand-in for a large picture: squares cut from it, from the plainest to the busiest."""

from __future__ import annotations

import pyvips

SIDE = 192
COUNT = 6
WHOLE = 3 * SIDE * SIDE * COUNT // 2
"""Pictures up to so many pixels stand for themselves."""


def sample(image: pyvips.Image) -> pyvips.Image:
    """Squares of ``image`` side by side, at full resolution; the image itself when it is small."""
    if image.width * image.height <= WHOLE or min(image.width, image.height) < SIDE * 2:
        return image
    across, down = image.width // SIDE, image.height // SIDE
    squares = [
        (column * image.width // across, row * image.height // down) for row in range(down) for column in range(across)
    ]
    squares = [(min(x, image.width - SIDE), min(y, image.height - SIDE)) for x, y in squares]
    # How busy each square is: the mean step between neighbours, looked up in one small image of them all.
    grey = image.flatten() if image.hasalpha() else image
    grey = grey.extract_band(1) if grey.bands >= 3 else grey.extract_band(0)
    busy = (grey.embed(1, 0, grey.width, grey.height, extend="copy") - grey).abs().shrink(8, 8)
    steps = busy.copy_memory()

    def busyness(square: tuple[int, int]) -> float:
        x, y = square[0] // 8, square[1] // 8
        side = SIDE // 8
        return float(steps.crop(min(x, steps.width - side), min(y, steps.height - side), side, side).avg())

    ranked = sorted(squares, key=lambda square: (busyness(square), square))
    chosen = [ranked[round((index + 0.5) * len(ranked) / COUNT - 0.5)] for index in range(COUNT)]
    return pyvips.Image.arrayjoin([image.crop(x, y, SIDE, SIDE) for x, y in chosen], across=COUNT // 2).copy_memory()
