"""From pixels to a file: which format, which quality, which metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.imaging import encode, metadata
from pixelmill.imaging.encode import Encoding, Format
from pixelmill.imaging.header import Header, number
from pixelmill.imaging.quality.fit import fit
from pixelmill.imaging.steps._pixels import background, colour_bands
from pixelmill.recipes.models import FORMATS, Output

AUTO = ("avif", "webp", "jpeg", "png")
"""What ``format: auto`` chooses from: what every current browser shows."""

PALETTES = (2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class File:
    """``facts`` tells how it was chosen."""

    data: bytes
    format: Format
    quality: float | None
    width: int
    height: int
    facts: dict[str, Any]


def formats(output: Output, header: Header, animated: bool = False) -> list[str]:
    """The formats this output may become, by name."""
    if output.format == "same":
        return [header.format if header.format in FORMATS else ("png" if header.alpha else "jpeg")]
    if output.format != "auto":
        return [output.format]
    names = list(output.formats or AUTO)
    if animated:
        names = [name for name in names if encode.load(name).animation] or names
    return names


def moves(output: Output, header: Header) -> bool:
    """Whether this output shows all the frames of an animation."""
    if header.frames < 2 or not output.animated:
        return False
    return any(encode.load(name).animation for name in formats(output, header, True))


def finish(image: pyvips.Image, output: Output, header: Header) -> File:
    """Encode ``image`` as ``output`` asks.

    Raises :class:`PixelmillError` ``output-too-large`` when no format takes so many pixels, ``cannot-fit`` when
    ``maxBytes`` is too few.
    """
    animated = "page-height" in image.get_fields() and number(image, "page-height") < image.height
    height = number(image, "page-height") if animated else image.height
    names = formats(output, header, animated)
    choices = [encode.load(name) for name in names]
    if output.format == "auto" and image.hasalpha() and not opaque(image):
        choices = [choice for choice in choices if choice.alpha] or choices
    choices = [choice for choice in choices if max(image.width, height) <= choice.longest]
    if not choices:
        raise PixelmillError("output-too-large", f"{names[0]} cannot be {image.width} by {height} pixels.")
    if image.hasalpha() and (not choices[0].alpha or (output.format == "auto" and opaque(image))):
        image = flat(image, output.background)
    if image.format not in ("uchar", "ushort"):
        image = image.cast("uchar")
    image, keep = metadata.prepare(image, output)
    data, format, quality, facts = _encoded(image, choices, output, keep, animated)
    return File(data, format, quality, image.width, height, facts)


def opaque(image: pyvips.Image) -> bool:
    """Whether the alpha channel hides nothing."""
    return bool(image.extract_band(image.bands - 1).min() >= (65535 if image.format == "ushort" else 255))


def flat(image: pyvips.Image, colour: str) -> pyvips.Image:
    """Without transparency, on ``colour``."""
    return image.flatten(background=background(image, colour)[: colour_bands(image)])


def _encoded(
    image: pyvips.Image, choices: list[Format], output: Output, keep: int, animated: bool
) -> tuple[bytes, Format, float | None, dict[str, Any]]:
    def one(picture: pyvips.Image, format: Format, quality: float | None, squeeze: bool = False) -> bytes:
        behind = flat(picture, output.background) if picture.hasalpha() and not format.alpha else picture
        return format.encode(behind, Encoding(quality, output, keep, squeeze))

    first = choices[0]
    if output.lossless:
        exact = [choice for choice in choices if choice.lossless] or [encode.load("png")]
        files = [(one(image, choice, None), choice) for choice in exact]
        data, format = min(files, key=lambda file: len(file[0]))
        return data, format, None, {}
    image = image.copy_memory() if output.max_bytes or _automatic(output) else image
    if output.max_bytes:
        return _fitted(image, choices, output, one)
    if _automatic(output) and not animated:
        from pixelmill.imaging.quality.search import search

        target = output.target or TARGET
        chosen = search(image, choices, target, output.mode, lambda p, f, q: one(p, f, q, True), view)
        facts: dict[str, Any] = {"encodes": chosen.encodes}
        if chosen.score is not None:
            facts |= {"metric": "ssimulacra2", "score": round(chosen.score, 2), "target": target}
            facts["measured"] = "whole" if chosen.exact else "sample"
        return chosen.data, chosen.format, chosen.quality, facts
    asked = output.quality if isinstance(output.quality, int) else first.quality
    quality = None if asked is None else float(asked)
    return one(image, first, quality), first, quality, {}


TARGET = 70.0
"""SSIMULACRA2 of ``quality: auto``: a good copy, whose faults are seen only side by side and enlarged."""


def _automatic(output: Output) -> bool:
    return output.quality == "auto" or (output.format == "auto" and output.quality is None)


def view(data: bytes, format: Format) -> pyvips.Image:
    """What an encoded file shows, as 8-bit pixels in memory."""
    if format.name == "jxl":
        from pixelmill.imaging.read import jxl

        return jxl.load(data)
    image = pyvips.Image.new_from_buffer(data, "")
    if image.format != "uchar":
        image = image.colourspace("srgb" if image.bands >= 3 else "b-w").cast("uchar")
    return image.copy_memory()


def _fitted(
    image: pyvips.Image, choices: list[Format], output: Output, one: Any
) -> tuple[bytes, Format, float | None, dict[str, Any]]:
    """At most ``maxBytes``: by quality where the format has one, else by fewer colours."""
    assert output.max_bytes
    highest = output.quality if isinstance(output.quality, int) else 95
    found: list[tuple[bytes, Format, float | None, dict[str, Any]]] = []
    failed: PixelmillError | None = None
    for format in choices:
        try:
            found.append(_fit_one(image, format, output, one, highest))
        except PixelmillError as error:
            failed = error
    if not found:
        raise failed or PixelmillError("cannot-fit")
    if len(found) == 1:
        return found[0]
    from pixelmill.imaging.quality.metric import Reference

    reference = Reference(image)
    scores = [reference.score(view(data, format)) for data, format, *_ in found]
    best = max(range(len(found)), key=lambda index: scores[index])
    data, format, quality, facts = found[best]
    return (
        data,
        format,
        quality,
        facts | {"metric": "ssimulacra2", "score": round(scores[best], 2), "measured": "whole"},
    )


def _fit_one(
    image: pyvips.Image, format: Format, output: Output, one: Any, highest: int
) -> tuple[bytes, Format, float | None, dict[str, Any]]:
    assert output.max_bytes
    if format.name in ("png", "gif"):
        data = one(image, format, None)
        if len(data) <= output.max_bytes:
            return data, format, None, {}
        data, index = fit(
            lambda step: format.encode(
                image, Encoding(None, output.model_copy(update={"colours": PALETTES[step], "lossless": False}), 0)
            ),
            output.max_bytes,
            len(PALETTES) - 1,
            0,
        )
        return data, format, None, {"colours": PALETTES[index]}
    data, quality = fit(lambda quality: one(image, format, float(quality), True), output.max_bytes, highest)
    return data, format, float(quality), {}
