"""The metric, the search by it, and files of at most so many bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.errors import PixelmillError
from pixelmill.imaging import encode
from pixelmill.imaging.finish import File, finish, view
from pixelmill.imaging.header import Header, inspect
from pixelmill.imaging.quality import fit, search
from pixelmill.imaging.quality.metric import Reference, score
from pixelmill.imaging.quality.sample import WHOLE, sample
from pixelmill.imaging.results import Limits
from pixelmill.recipes import Output
from tests import pictures


@cache
def header() -> Header:
    return inspect(pictures.sample("jpeg"), Limits())


def finished(image: pyvips.Image, **output: Any) -> File:
    return finish(image, Output.model_validate(output), header())


def drawing() -> pyvips.Image:
    """Flat colours and a line of text: what no photograph is."""
    image = pyvips.Image.black(400, 200, bands=3).linear([1, 1, 1], [250, 250, 245]).cast("uchar")
    text = pyvips.Image.text("Pixelmill", width=300, height=100).embed(50, 40, 400, 200)
    return (text > 128).ifthenelse([30, 60, 120], image).cast("uchar").copy(interpretation="srgb").copy_memory()


@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("size", [(200, 113), (64, 200), (33, 21)])
def test_the_metric_is_the_reference_package_s(quality: int, size: tuple[int, int], tmp_path: Any) -> None:
    from ssimulacra2 import compute_ssimulacra2

    image = pictures.photo(*size)
    other = pyvips.Image.new_from_buffer(image.jpegsave_buffer(Q=quality), "").copy_memory()
    image.pngsave(str(tmp_path / "a.png"))
    other.pngsave(str(tmp_path / "b.png"))
    wanted = compute_ssimulacra2(str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert score(image, other) == pytest.approx(wanted, abs=0.5)


def test_the_same_scores_100_and_worse_scores_less() -> None:
    image = pictures.photo(320, 180)
    reference = Reference(image)
    scores = [
        reference.score(pyvips.Image.new_from_buffer(image.jpegsave_buffer(Q=q), "").copy_memory())
        for q in (20, 50, 80, 95)
    ]
    assert scores == sorted(scores)
    assert reference.score(image) == 100


def test_pictures_of_two_sizes_have_no_score() -> None:
    with pytest.raises(ValueError):
        score(pictures.photo(), pictures.photo(320, 180))


def test_a_sample_stands_for_a_large_picture() -> None:
    large = pictures.photo(1400, 788)
    part = sample(large)
    assert part.width * part.height < large.width * large.height / 4
    assert sample(pictures.photo()) is pictures.photo()
    whole, partly = (
        score(image, pyvips.Image.new_from_buffer(image.jpegsave_buffer(Q=60), "").copy_memory())
        for image in (large, part)
    )
    assert abs(whole - partly) < 6
    assert WHOLE > 300_000


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif", "jxl"])
@pytest.mark.parametrize("target", [60, 80])
def test_auto_reaches_its_target(format: str, target: float) -> None:
    image = pictures.photo(320, 180)
    file = finished(image, format=format, quality="auto", target=target)
    shown = view(file.data, encode.load(format))
    assert file.facts["score"] == pytest.approx(score(image, shown), abs=0.01)
    assert target - 2 < file.facts["score"] < target + 6
    assert file.facts["encodes"] <= search.MOST_ENCODES
    assert file.facts["metric"] == "ssimulacra2" and file.facts["measured"] == "whole" and file.quality


def test_auto_takes_the_smallest_format() -> None:
    image = pictures.photo(320, 180)
    best = finished(image, format="auto", quality="auto")
    each = [finished(image, format=format, quality="auto") for format in ("jpeg", "webp", "avif")]
    assert best.format.name in {"avif", "webp", "jpeg"}
    assert len(best.data) <= min(len(file.data) for file in each) * 1.06


def test_auto_may_choose_only_from_what_is_allowed() -> None:
    file = finished(pictures.photo(), format="auto", quality="auto", formats=["jpeg", "webp"])
    assert file.format.name in ("jpeg", "webp")


def test_a_drawing_becomes_lossless_when_that_is_smaller() -> None:
    file = finished(drawing(), format="auto", quality="auto")
    assert file.format.lossless and file.quality is None
    assert (view(file.data, file.format).cast("int") - drawing().cast("int")).abs().max() == 0
    lossy = finished(drawing(), format="jpeg", quality="auto")
    assert len(file.data) < len(lossy.data)


def test_a_photograph_does_not() -> None:
    assert finished(pictures.photo(320, 180), format="auto", quality="auto").quality is not None


@pytest.mark.parametrize("mode", ["fast", "small"])
def test_modes(mode: str) -> None:
    file = finished(pictures.photo(320, 180), format="jpeg", quality="auto", mode=mode)
    assert file.facts["measured"] == ("sample" if mode == "fast" else "whole")


def test_transparent_pictures_get_a_format_that_can() -> None:
    clear = pictures.photo().bandjoin((pyvips.Image.xyz(160, 90)[0] > 80).cast("uchar")).copy(interpretation="srgb")
    assert finished(clear, format="auto", quality="auto").format.alpha
    opaque = pictures.photo().bandjoin(255).copy(interpretation="srgb")
    assert not view(finished(opaque, format="auto", quality="auto").data, encode.load("avif")).hasalpha()


@pytest.mark.parametrize(
    ("format", "most"),
    [
        ("jpeg", 3000),
        ("webp", 2000),
        ("avif", 2000),
        ("jxl", 3000),
        ("png", 9000),
        ("gif", 7000),
        ("tiff", 5000),
        ("auto", 2000),
    ],
)
def test_max_bytes_is_never_exceeded(format: str, most: int) -> None:
    file = finished(pictures.photo(), format=format, maxBytes=most)
    assert most * 0.3 < len(file.data) <= most
    assert view(file.data, file.format).width == 160


def test_a_quality_asked_for_is_not_exceeded_either() -> None:
    free, capped = (finished(pictures.photo(), format="jpeg", maxBytes=100_000, quality=q) for q in (None, 60))
    assert capped.quality == 60 and len(capped.data) < len(free.data)


def test_what_cannot_fit_says_so() -> None:
    with pytest.raises(PixelmillError) as error:
        finished(pictures.photo(640, 360), format="jpeg", maxBytes=200)
    assert error.value.code == "cannot-fit"


@given(st.integers(10, 10_000), st.integers(1, 100), st.floats(1.001, 1.2))
def test_fit_is_the_best_that_fits(most: int, base: int, growth: float) -> None:
    """Against every quality, for sizes that grow with it."""
    sizes = {quality: int(base * growth**quality) + 1 for quality in range(1, 96)}
    tried: list[int] = []

    def one(quality: int) -> bytes:
        tried.append(quality)
        return b"x" * min(sizes[quality], 100_000)

    possible = [quality for quality in sizes if sizes[quality] <= most]
    try:
        data, quality = fit.fit(one, most, 95)
    except PixelmillError:
        assert not possible
        return
    assert len(data) == sizes[quality] <= most
    assert len(tried) <= fit.MOST_ENCODES
    assert quality == max(possible) or len(data) > 0.6 * most or max(possible) - quality <= 12


def test_curves_rise() -> None:
    for format, curve in search.CURVES.items():
        assert list(curve) == sorted(curve) and [s for _, s in curve] == sorted(s for _, s in curve), format
        for target in (50, 70, 85):
            assert search.score_for(format, search.quality_for(format, target)) == pytest.approx(target, abs=1.5)


def test_lossless_of_what_cannot_be_is_a_png() -> None:
    file = finished(pictures.photo(), format="same", lossless=True)
    assert file.format.name == "png"
    with pytest.raises(ValueError, match="gif cannot"):
        Output(format="gif", lossless=True)
