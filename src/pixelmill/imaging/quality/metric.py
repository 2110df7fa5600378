"""SSIMULACRA2: how much alike two pictures look, 100 for the same, 90 for no visible difference, 70 for a good copy.

The weights and constants are the ``ssimulacra2`` package's (a port of the reference implementation), against which
a test holds this one. It is written anew since that package reads files, which a decoder may not, and takes four times
as long: here the reference's half is computed once for all candidates, in 32 bits, and the blurs are matrix products.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from ssimulacra2 import ssimulacra2 as upstream

if TYPE_CHECKING:
    import pyvips

Plane = NDArray[np.float32]

SCALES = 6
SMALLEST = 8
SIGMA = 1.5
RADIUS = 5
BLOCK = 96
C2 = np.float32(upstream.kC2)
_MATRIX = np.asarray(upstream.kOpsinAbsorbanceMatrix, np.float32).reshape(3, 3)
_BIAS = np.float32(upstream.kOpsinAbsorbanceBias[0])
_LINEAR = (upstream.srgb_to_linear(np.arange(256))).astype(np.float32)
_BACKGROUND = 128.0


class Reference:
    """The picture that others are compared with."""

    def __init__(self, image: pyvips.Image) -> None:
        self._linear = _linear(image)
        self._scales: list[tuple[Plane, Plane, Plane, Plane]] = []
        linear = self._linear
        for _ in range(SCALES):
            if min(linear.shape[1:]) < SMALLEST:
                break
            xyb = _xyb(linear)
            mean = _blur(xyb)
            self._scales.append((xyb, mean, _blur(xyb * xyb), 1 + np.abs(xyb - mean)))
            linear = _half(linear)

    def score(self, image: pyvips.Image) -> float:
        """SSIMULACRA2 of ``image``, which has the same size. At most 100; may be negative."""
        linear = _linear(image)
        if linear.shape != self._linear.shape:
            raise ValueError("the pictures differ in size")
        result = upstream.Msssim()
        for index, (xyb, mean, square, edges) in enumerate(self._scales):
            if index:
                linear = _half(linear)
            other = _xyb(linear)
            other_mean = _blur(other)
            scale = upstream.MsssimScale()
            _structure(scale.avg_ssim, mean, other_mean, square, _blur(other * other), _blur(xyb * other))
            _edges(scale.avg_edgediff, edges, other, other_mean)
            result.scales.append(scale)
        return float(result.score())


def _linear(image: pyvips.Image) -> Plane:
    """Linear light, three planes; what is transparent lies on grey."""
    if image.hasalpha():
        image = image.flatten(background=[_BACKGROUND] * (image.bands - 1))
    pixels = image.numpy()
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.shape[2] < 3:
        pixels = np.repeat(pixels[:, :, :1], 3, axis=2)
    light: Plane = _LINEAR[np.ascontiguousarray(pixels.transpose(2, 0, 1)[:3])]
    return light


def _xyb(linear: Plane) -> Plane:
    mixed = (_MATRIX @ linear.reshape(3, -1)).reshape(linear.shape)
    mixed += _BIAS
    np.maximum(mixed, 0, out=mixed)
    np.cbrt(mixed, out=mixed)
    mixed -= np.cbrt(_BIAS)
    out = np.empty_like(mixed)
    out[0] = (mixed[0] - mixed[1]) * np.float32(7) + np.float32(0.42)
    luma = (mixed[0] + mixed[1]) * np.float32(0.5)
    out[1] = luma + np.float32(0.01)
    out[2] = mixed[2] - luma + np.float32(0.55)
    return out


def _half(linear: Plane) -> Plane:
    """Mean of two by two; an odd edge is the mean of what there is."""
    height, width = linear.shape[1:]
    if height % 2 or width % 2:
        linear = np.pad(linear, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = linear[:, ::2] + linear[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)


@cache
def _kernel(size: int, reflect: bool) -> list[tuple[int, int, int, int, Plane]]:
    """The blur along a side of ``size`` as blocks of its band matrix: output from, to, input from, to, matrix."""
    taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    taps /= taps.sum()
    blocks = []
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        first, last = max(0, start - RADIUS), min(size, end + RADIUS)
        matrix = np.zeros((end - start, last - first), np.float64)
        for row in range(start, end):
            for offset, tap in zip(range(-RADIUS, RADIUS + 1), taps, strict=True):
                at = row + offset
                if not 0 <= at < size:
                    if not reflect:
                        continue
                    at = -at - 1 if at < 0 else 2 * size - at - 1
                if first <= at < last:
                    matrix[row - start, at - first] += tap
        blocks.append((start, end, first, last, matrix.astype(np.float32)))
    return blocks


def _blur(planes: Plane) -> Plane:
    """Gaussian, sigma 1.5. Edges as upstream: nothing beyond the left and right, a mirror above and below."""
    across = np.empty_like(planes)
    for start, end, first, last, matrix in _kernel(planes.shape[2], False):
        np.matmul(planes[:, :, first:last], matrix.T, out=across[:, :, start:end])
    down = np.empty_like(planes)
    for start, end, first, last, matrix in _kernel(planes.shape[1], True):
        np.matmul(matrix, across[:, first:last], out=down[:, start:end])
    return down


def _structure(
    out: NDArray[np.float64], mean: Plane, other: Plane, square: Plane, other_square: Plane, product: Plane
) -> None:
    difference = mean - other
    above = (1 - difference * difference) * (2 * (product - mean * other) + C2)
    below = (square - mean * mean) + (other_square - other * other) + C2
    lost = np.maximum(1 - above / below, 0)
    _means(lost, out, 0, 2)


def _edges(out: NDArray[np.float64], edges: Plane, other: Plane, other_mean: Plane) -> None:
    change = (1 + np.abs(other - other_mean)) / edges - 1
    _means(np.maximum(change, 0), out, 0, 4)
    _means(np.maximum(-change, 0), out, 2, 4)


def _means(values: Plane, out: NDArray[np.float64], start: int, step: int) -> None:
    """Mean, and mean of fourth powers under the fourth root, of each plane."""
    for plane in range(3):
        flat = values[plane].ravel()
        out[start + plane * step] = flat.mean(dtype=np.float64)
        squares = flat * flat
        out[start + plane * step + 1] = (float(np.dot(squares, squares)) / flat.size) ** 0.25


def score(reference: pyvips.Image, image: pyvips.Image) -> float:
    """SSIMULACRA2 of two pictures of one size."""
    return Reference(reference).score(image)


__all__ = ["Reference", "score"]
