"""The smallest file that still looks right.

For each format that may be chosen: predict the quality at which pictures on average reach the target, encode a sample
at it, look, and move along the average curve; twice in all, a third time if far off. The format with the fewest bytes
wins. Then the whole picture is encoded, looked at, and if it misses the target, encoded once more. A format sees at
most four encodes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import pyvips

from pixelmill.imaging.encode import Format
from pixelmill.imaging.quality.metric import Reference
from pixelmill.imaging.quality.sample import sample

CURVES: dict[str, tuple[tuple[float, float], ...]] = {
    "jpeg": ((10, 20), (30, 49.1), (45, 54.9), (60, 61.6), (70, 67.2), (80, 73.3), (90, 82.1), (97, 90)),
    "webp": ((5, 5), (30, 38.8), (45, 50.1), (60, 58.2), (70, 63.0), (80, 72.1), (90, 83.1), (98, 90)),
    "avif": ((15, -5), (30, 25.7), (45, 56.5), (60, 73.5), (70, 80.2), (80, 86.2), (90, 90.8), (98, 94)),
    "jxl": ((10, 20), (30, 44.2), (45, 52.0), (60, 61.6), (70, 67.5), (80, 72.8), (90, 82), (97, 90)),
}
"""Quality and mean score of photographs of 1 megapixel at our encoders' defaults (``bench/quality`` prints them)."""

MOST_ENCODES = 4
NEAR = 0.7
"""A score so little below the target is as good."""
OVER = 2.0
"""So far above it, a smaller file is worth another encode."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """``score`` is SSIMULACRA2 of the whole picture, or of the sample when ``exact`` is false; None for lossless."""

    data: bytes
    format: Format
    quality: float | None
    score: float | None
    exact: bool
    encodes: int


@dataclass
class _Candidate:
    format: Format
    quality: float
    score: float
    bytes: int
    encodes: int


Encode = Callable[[pyvips.Image, Format, float | None], bytes]
Decode = Callable[[bytes, Format], pyvips.Image]


def search(
    image: pyvips.Image, formats: list[Format], target: float, mode: str, encode: Encode, decode: Decode
) -> Chosen:
    """The smallest of ``formats`` whose picture reaches ``target`` (SSIMULACRA2), by the effort of ``mode``."""
    part = sample(image)
    reference = Reference(part)
    looks = 1 if mode == "fast" else 2
    lossy = [f for f in formats if f.name in CURVES]
    candidates = [_sampled(part, reference, format, target, looks, encode, decode) for format in lossy]
    best = min(candidates, key=lambda candidate: candidate.bytes, default=None)
    exact = _lossless(part, formats, best, encode)
    if exact is not None:
        return Chosen(encode(image, exact, None), exact, None, None, True, 2)
    assert best is not None, "no format with a quality"
    return _whole(image, part is image, reference, best, target, mode, encode, decode)


def _sampled(
    part: pyvips.Image, reference: Reference, format: Format, target: float, looks: int, encode: Encode, decode: Decode
) -> _Candidate:
    quality = quality_for(format.name, target)
    found: dict[float, tuple[float, int]] = {}
    for look in range(looks + 1):
        data = encode(part, format, quality)
        score = reference.score(decode(data, format))
        found[quality] = (score, len(data))
        step = _moved(format.name, found, target)
        if (look >= looks - 1 and (abs(score - target) < 4 or look >= looks)) or step in found:
            break
        quality = step
    near = min(found, key=lambda tried: abs(found[tried][0] - target))
    score, size = found[near]
    best = _moved(format.name, found, target)
    # Bytes at the target, from the nearest trial: 4.5 per cent for each point of the score (bench/quality).
    return _Candidate(format, best, score, round(size * 1.045 ** (target - score)), len(found))


def _lossless(part: pyvips.Image, formats: list[Format], best: _Candidate | None, encode: Encode) -> Format | None:
    """The lossless format that is smaller still: so it is for drawings and screenshots, never for photographs."""
    can = [format for format in formats if format.lossless]
    if not can or (best is not None and not _drawn(part)):
        return None
    sizes = {format.name: len(encode(part, format, None)) for format in can if format.name != "avif"}
    if not sizes:
        return None
    name = min(sizes, key=lambda name: sizes[name])
    if best is not None and sizes[name] >= best.bytes:
        return None
    return next(format for format in can if format.name == name)


def _drawn(part: pyvips.Image) -> bool:
    """Many neighbours that are equal: no photograph has that."""
    same = part.extract_band(0)
    shifted = same.embed(1, 0, same.width, same.height, extend="copy")
    return bool((same == shifted).avg() / 255 > 0.6)


def _whole(
    image: pyvips.Image,
    sampled_all: bool,
    reference: Reference,
    best: _Candidate,
    target: float,
    mode: str,
    encode: Encode,
    decode: Decode,
) -> Chosen:
    data = encode(image, best.format, best.quality)
    encodes = best.encodes + 1
    if mode == "fast":
        return Chosen(data, best.format, best.quality, best.score, False, encodes)
    whole = reference if sampled_all else Reference(image)
    score = whole.score(decode(data, best.format))
    found = {best.quality: (score, len(data))}
    chosen = Chosen(data, best.format, best.quality, score, True, encodes)
    while encodes < MOST_ENCODES and not target - NEAR <= score <= target + OVER:
        quality = _moved(best.format.name, found, target)
        if quality in found:
            break
        data = encode(image, best.format, quality)
        score = whole.score(decode(data, best.format))
        encodes += 1
        found[quality] = (score, len(data))
        better = chosen.score is not None and (
            (score >= target - NEAR and (chosen.score < target - NEAR or len(data) < len(chosen.data)))
            or (chosen.score < target - NEAR and score > chosen.score)
        )
        if better:
            chosen = Chosen(data, best.format, quality, score, True, encodes)
    return Chosen(chosen.data, chosen.format, chosen.quality, chosen.score, True, encodes)


def quality_for(format: str, score: float) -> float:
    """The quality at which photographs on average have this score."""
    curve = CURVES[format]
    index = min(max(bisect_left([at for _, at in curve], score), 1), len(curve) - 1)
    (q0, s0), (q1, s1) = curve[index - 1], curve[index]
    return _bounded(format, q0 + (q1 - q0) * (score - s0) / (s1 - s0))


def score_for(format: str, quality: float) -> float:
    """The score that photographs on average have at this quality."""
    curve = CURVES[format]
    index = min(max(bisect_left([at for at, _ in curve], quality), 1), len(curve) - 1)
    (q0, s0), (q1, s1) = curve[index - 1], curve[index]
    return s0 + (s1 - s0) * (quality - q0) / (q1 - q0)


def _moved(format: str, found: dict[float, tuple[float, int]], target: float) -> float:
    """Where to look next: between the trials on both sides of the target, else along the average curve."""
    below = [(score, quality) for quality, (score, _) in found.items() if score < target]
    above = [(score, quality) for quality, (score, _) in found.items() if score >= target]
    if below and above:
        (s0, q0), (s1, q1) = max(below), min(above)
        if s1 - s0 > 0.1 and q1 > q0:
            return _bounded(format, q0 + (q1 - q0) * (target - s0) / (s1 - s0))
    score, quality = max(below) if below else min(above)
    # Curves run nearly parallel: shift the average one so that it passes through what was seen.
    shift = score - score_for(format, quality)
    return quality_for(format, target - shift)


def _bounded(format: str, quality: float) -> float:
    quality = min(max(quality, 5.0), 98.0)
    return round(quality, 1) if format in ("jpeg", "jxl") else float(round(quality))
