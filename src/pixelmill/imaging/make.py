"""The whole of imaging in one function: bytes and a recipe in, results out, one by one as they are made.

Runs inside a decoder process; :mod:`pixelmill.imaging.sandbox` is how others call it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence

import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.imaging import decode, encode, plan, vips
from pixelmill.imaging.encode._format import KEEP_ICC, STRIP
from pixelmill.imaging.inspect import Buffer, Header, inspect, number
from pixelmill.imaging.results import Inspected, Limits, Made, NotMade, Result
from pixelmill.imaging.steps._pixels import as_rgb
from pixelmill.recipes.models import FORMATS, Output, Recipe, Variant
from pixelmill.recipes.step import Canvas, Size, rgba


def make(data: Buffer, recipe: Recipe, names: Sequence[str], limits: Limits) -> Iterator[Result]:
    """Yield :class:`Inspected`, then :class:`Made` or :class:`NotMade` for each variant in ``names``.

    Raises :class:`PixelmillError` when the image cannot be used at all.
    """
    header = inspect(data, limits)
    yield Inspected(header.format, *header.size, header.frames, header.bytes, {})
    wanted: list[Variant] = []
    for variant in (recipe.variant(name) for name in names):
        try:
            plan.check(variant, header.size, header.frames if moves(variant, header) else 1, limits)
            wanted.append(variant)
        except PixelmillError as error:
            yield NotMade(variant.name, error.code, error.detail)
    for animated in (False, True):
        group = [variant for variant in wanted if moves(variant, header) == animated]
        if not group:
            continue
        needs = {variant.name: plan.need(variant.steps, header.size) for variant in group}
        base = decode.decode(data, header, plan.together(list(needs.values()), header.size), animated)
        for variant in group:
            yield one(base, variant, header, needs[variant.name])
        del base


def moves(variant: Variant, header: Header) -> bool:
    """Whether this variant is made of all the frames."""
    output = variant.output
    return header.frames > 1 and output.animated and encode.load(_format(output, header)).animation


def _format(output: Output, header: Header) -> str:
    if output.format == "same":
        return header.format if header.format in FORMATS else ("png" if header.alpha else "jpeg")
    if output.format == "auto":
        return "webp"
    return output.format


def one(base: decode.Base, variant: Variant, header: Header, need: Size) -> Made | NotMade:
    """Make one variant; what goes wrong is told, and its siblings are made."""
    started = time.perf_counter()
    try:
        image = apply(base, variant, need)
        return _encoded(image, variant, header, started)
    except PixelmillError as error:
        return NotMade(variant.name, error.code, error.detail)
    except Exception as error:
        code = "out-of-memory" if vips.is_memory(error) else "internal-error"
        return NotMade(variant.name, code, vips.reason(error), traceback.format_exc())


def apply(base: decode.Base, variant: Variant, need: Size) -> pyvips.Image:
    """Do the steps to each frame and join the frames again."""
    frames = base.level(need, variant.output.colour == "keep")
    notes: list[dict[str, object]] = [{} for _ in variant.steps]
    done = [_frame(frame, variant, base.nominal, notes) for frame in frames]
    if len(done) == 1:
        return done[0]
    bands = max(frame.bands for frame in done)
    if any(frame.bands != bands for frame in done):
        done = [as_rgb(frame) for frame in done]
        done = [frame if frame.bands == bands else frame.addalpha() for frame in done]
    joined = pyvips.Image.arrayjoin(done, across=1).copy()
    for field in ("delay", "loop", "gif-delay", "gif-loop"):
        if field in base.image.get_fields():
            joined.set_type(base.image.get_typeof(field), field, base.image.get(field))
    joined.set_type(pyvips.GValue.gint_type, "page-height", done[0].height)
    return joined


def _frame(image: pyvips.Image, variant: Variant, nominal: Size, notes: list[dict[str, object]]) -> pyvips.Image:
    for step, memory in zip(variant.steps, notes, strict=True):
        image = step.apply(image, Canvas(nominal, memory))
        nominal = step.after(nominal) or Size(image.width, image.height)
    return image


def _encoded(image: pyvips.Image, variant: Variant, header: Header, started: float) -> Made:
    output = variant.output
    format = encode.load(_format(output, header))
    if max(image.width, image.height) > format.longest:
        raise PixelmillError("output-too-large", f"{format.name} has at most {format.longest} pixels a side.")
    if image.hasalpha() and not format.alpha:
        image = image.flatten(background=_behind(image, output.background))
    if image.format not in ("uchar", "ushort"):
        image = image.cast("uchar")
    quality = float(output.quality) if isinstance(output.quality, int) else format.quality
    if output.lossless:
        quality = None
    keep = KEEP_ICC if output.colour == "keep" else STRIP
    height = number(image, "page-height") if "page-height" in image.get_fields() else image.height
    data = format.encode(image, encode.Encoding(quality, output, keep))
    return Made(
        variant.name,
        data,
        format.name,
        format.extension,
        format.content_type,
        image.width,
        height,
        quality,
        time.perf_counter() - started,
        {},
    )


def _behind(image: pyvips.Image, colour: str) -> list[float]:
    red, green, blue, _ = rgba(colour)
    return [red, green, blue] if image.bands >= 4 else [round(0.299 * red + 0.587 * green + 0.114 * blue)]
