"""Arithmetic before pixels: how large a decode all variants together need, and whether they may be made at all."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from pixelmill.errors import PixelmillError
from pixelmill.imaging.results import Limits
from pixelmill.recipes import Variant
from pixelmill.recipes.step import Size, Step

MOST_TOGETHER = 10
"""All variants of an image together may have so many times the pixels of the largest that one may be: fifty of
3840 by 2560 do. Without it, fifty copies of a large photograph were a few hundred bytes of recipe and hours of work.
"""


def need(steps: Sequence[Step], source: Size) -> Size:
    """The smallest size of the whole source from which these steps lose nothing."""
    size: Size | None = source
    for step in steps:
        if size is None:
            return source
        target = step.scales_to(size)
        if target is not None:
            if size == source:
                return Size(min(target.width, source.width), min(target.height, source.height))
            factor = max(target.width / size.width, target.height / size.height)
            return source if factor >= 1 else scaled(source, factor)
        size = step.after(size)
    return source


def shared(needs: Sequence[Size]) -> frozenset[Size]:
    """The sizes worth keeping once made: those needed twice, and those from which a smaller one can be made."""
    return frozenset(
        one
        for index, one in enumerate(needs)
        if any(
            one == other or (one.width >= 2 * other.width and one.height >= 2 * other.height)
            for at, other in enumerate(needs)
            if at != index
        )
    )


def luma_only(steps: Sequence[Step]) -> bool:
    """Whether brightness alone is enough to make this."""
    for step in steps:
        if step.makes_grey:
            return True
        if not step.keeps_luma():
            return False
    return False


def scaled(size: Size, factor: float) -> Size:
    """``size`` times ``factor``, rounded up."""
    return Size(max(1, ceil(size.width * factor - 1e-6)), max(1, ceil(size.height * factor - 1e-6)))


def together(needs: Sequence[Size], source: Size) -> Size:
    """One decode that serves all: the need that covers the others, so that its variant is not scaled again."""
    for one in needs:
        if all(one.width >= other.width and one.height >= other.height for other in needs):
            return one
    factor = max(max(one.width / source.width, one.height / source.height) for one in needs)
    return source if factor >= 1 else scaled(source, factor)


class Allowance:
    """The pixels that all variants of one image may still have together, frames counted in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = self._most = MOST_TOGETHER * limits.max_output_pixels

    def take(self, variant: Variant, size: Size, frames: int, first: int = 0) -> None:
        """Hold the steps from number ``first`` on, of an image that has this size before them, against the limits.

        What is refused takes nothing. Raises :class:`PixelmillError` ``output-too-large`` or ``enlarged-too-much``.
        """
        pixels = check(variant, size, frames, self._limits, first)
        if pixels > self._left:
            raise PixelmillError(
                "output-too-large",
                f"It has {pixels:,} pixels; {self._left:,} are left of the {self._most:,} "
                "that all variants of an image may have together.",
                {"variant": variant.name},
            )
        self._left -= pixels


def check(variant: Variant, source: Size, frames: int, limits: Limits, first: int = 0) -> int:
    """Hold what is asked for against the limits, step by step, before work begins.

    It ends at a step after which only the pixels can tell the size (trim), and is to go on behind it once they have.
    Returns the most pixels that are made on the way. Raises as :meth:`Allowance.take`.
    """
    size, most = source, 0
    for index, step in enumerate(variant.steps[first:], first):
        pointer = {"variant": variant.name, "step": index}
        target = step.scales_to(size)
        if target is not None:
            factor = max(target.width / size.width, target.height / size.height)
            if factor > limits.max_enlargement:
                raise PixelmillError(
                    "enlarged-too-much",
                    f"Step {index} ({step.op}) enlarges {factor:.1f} times; {limits.max_enlargement:g} is the most.",
                    pointer,
                )
        after = step.after(size)
        for reached in (target, after):
            pixels = reached.width * reached.height * frames if reached else 0
            if reached and pixels > limits.max_output_pixels:
                raise PixelmillError(
                    "output-too-large",
                    f"Step {index} ({step.op}) makes {reached.width} by {reached.height} pixels"
                    f"{f' in {frames} frames' if frames > 1 else ''}; at most {limits.max_output_pixels:,} are made.",
                    pointer,
                )
            most = max(most, pixels)
        if after is None:
            return most
        size = after
    return most or size.width * size.height * frames
