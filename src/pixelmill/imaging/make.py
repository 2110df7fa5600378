"""The whole of imaging in one function: bytes and a recipe in, results out, one by one as they are made.

Runs inside a decoder process; :mod:`pixelmill.imaging.sandbox` is how others call it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.imaging import decode, facts, metadata, plan, vips
from pixelmill.imaging.finish import finish, moves
from pixelmill.imaging.header import Buffer, Header, inspect, known_brand
from pixelmill.imaging.results import Inspected, Limits, Made, NotMade, Result
from pixelmill.imaging.steps._pixels import as_rgb
from pixelmill.recipes.models import Recipe, Variant
from pixelmill.recipes.step import Canvas, Size


def make(data: Buffer, recipe: Recipe, names: Sequence[str], limits: Limits) -> Iterator[Result]:
    """Yield :class:`Inspected`, then :class:`Made` or :class:`NotMade` for each variant in ``names``.

    Raises :class:`PixelmillError` when the image cannot be used at all.
    """
    data = known_brand(data)
    header = inspect(data, limits)
    allowance, denied = plan.Allowance(limits), {}
    for variant in recipe.variants:  # all, so that the same ones are refused whichever are left to make
        try:
            allowance.take(variant, header.size, header.frames if moves(variant.output, header) else 1)
        except PixelmillError as error:
            denied[variant.name] = NotMade(variant.name, error.code, error.detail)
    wanted = [recipe.variant(name) for name in names if name not in denied]
    refused = [denied[name] for name in names if name in denied]
    exif = metadata.shown(header.exif or _exif(header))
    known: dict[str, Any] = {"exif": exif} if exif else {}
    groups = [(animated, [v for v in wanted if moves(v.output, header) == animated]) for animated in (False, True)]
    inspected = False
    for animated, group in groups:
        if not group:
            continue
        needs = {variant.name: plan.need(variant.steps, header.size) for variant in group}
        size = plan.together(list(needs.values()), header.size)
        luma = (
            not animated
            and not recipe.facts
            and decode.can_luma(header)
            and all(plan.luma_only(variant.steps) for variant in group)
        )
        if not inspected and not recipe.facts:
            yield _inspected(header, known)
        base = decode.decode(data, header, size, animated, luma, plan.shared(list(needs.values())))
        if not inspected and recipe.facts:
            frame = base.at(Size(facts.SIDE, facts.SIDE), False)[0]
            yield _inspected(header, known | facts.facts(frame))
        if not inspected:
            yield from refused
        inspected = True
        for variant in group:
            yield one(base, variant, header, needs[variant.name], allowance)
        del base
    if not inspected:
        yield _inspected(header, known)
        yield from refused


def _inspected(header: Header, known: dict[str, Any]) -> Inspected:
    return Inspected(header.format, *header.size, header.frames, header.bytes, known)


def _exif(header: Header) -> bytes | None:
    image = header.image
    if image is None or "exif-data" not in image.get_fields():
        return None
    block = image.get("exif-data")
    return block if isinstance(block, bytes) else None


def one(base: decode.Base, variant: Variant, header: Header, need: Size, allowance: plan.Allowance) -> Made | NotMade:
    """Make one variant; what goes wrong is told, and its siblings are made."""
    started = time.perf_counter()
    try:
        file = finish(apply(base, variant, need, allowance), variant.output, header)
    except PixelmillError as error:
        return NotMade(variant.name, error.code, error.detail)
    except Exception as error:
        code = "out-of-memory" if vips.is_memory(error) else "internal-error"
        return NotMade(variant.name, code, vips.reason(error), traceback.format_exc())
    saved = round(100 * (1 - len(file.data) / header.bytes), 1)
    return Made(
        variant.name,
        file.data,
        file.format.name,
        file.format.extension,
        file.format.content_type,
        file.width,
        file.height,
        file.quality,
        time.perf_counter() - started,
        {"savedPercent": saved, **file.facts},
    )


def apply(base: decode.Base, variant: Variant, need: Size, allowance: plan.Allowance) -> pyvips.Image:
    """Do the steps to each frame and join the frames again."""
    frames = base.at(need, variant.output.colour == "keep")
    notes: list[dict[str, object]] = [{} for _ in variant.steps]

    def measured(size: Size, step: int) -> None:
        if "measured" not in notes[step]:  # the same for all frames
            notes[step]["measured"] = size
            allowance.take(variant, size, len(frames), step + 1)

    done = [_frame(frame, variant, base.nominal, notes, measured) for frame in frames]
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


def _frame(
    image: pyvips.Image,
    variant: Variant,
    nominal: Size,
    notes: list[dict[str, object]],
    measured: Callable[[Size, int], None],
) -> pyvips.Image:
    """``measured`` is told the size behind each step that only the pixels could tell it of."""
    for index, (step, memory) in enumerate(zip(variant.steps, notes, strict=True)):
        image = step.apply(image, Canvas(nominal, memory))
        after = step.after(nominal)
        if after is None:
            after = Size(image.width, image.height)
            measured(after, index)
        nominal = after
    return image
