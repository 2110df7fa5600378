"""Bytes and a recipe in, results out: what the seeds promise, and that siblings do not share each other's fate."""

from __future__ import annotations

from typing import Any

import pytest
import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.imaging.make import make
from pixelmill.imaging.quality.metric import score
from pixelmill.imaging.results import Inspected, Limits, Made, NotMade, Result
from pixelmill.recipes import load_presets, parse_recipe
from pixelmill.recipes.step import Size
from tests import pictures


def run(data: bytes, *variants: dict[str, Any], facts: bool = False, limits: Limits | None = None) -> list[Result]:
    recipe = parse_recipe({"facts": facts, "variants": list(variants)})
    return list(make(data, recipe, [variant.name for variant in recipe.variants], limits or Limits()))


def made(data: bytes, steps: list[dict[str, Any]], **output: Any) -> Made:
    result = run(data, {"name": "a", "steps": steps, "output": {"format": "png", **output}})[-1]
    assert isinstance(result, Made), result
    return result


def look(result: Made) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(bytes(result.data), "").copy_memory()


def default(data: bytes) -> Made:
    result = list(make(data, load_presets()["default"].recipe, ["default"], Limits()))[-1]
    assert isinstance(result, Made)
    return result


def test_default_is_512_wide_grey_upright_without_metadata() -> None:
    file = (pictures.PHOTOS / "turned-with-gps.jpg").read_bytes()
    stored = pyvips.Image.new_from_buffer(file, "")
    assert stored.get("orientation") == 6 and any("GPS" in field for field in stored.get_fields())
    result = default(file)
    image = look(result)
    assert (result.format, result.extension, result.content_type, result.quality) == ("jpeg", "jpg", "image/jpeg", 80)
    assert (image.width, image.bands) == (512, 1)
    assert image.height == result.height == round(stored.width * 512 / stored.height)
    assert not [field for field in image.get_fields() if "exif" in field or "icc" in field or field == "orientation"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("colour", [True, False])
def test_every_orientation_comes_out_upright(orientation: int, colour: bool) -> None:
    upright = pictures.photo(640, 360)
    undo = {1: [], 2: ["hor"], 3: ["d180"], 4: ["ver"], 5: ["d90", "hor"], 6: ["d270"], 7: ["d270", "hor"], 8: ["d90"]}
    image = upright
    for turn in undo[orientation]:
        image = image.fliphor() if turn == "hor" else image.flipver() if turn == "ver" else image.rot(turn)
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    data = image.jpegsave_buffer(Q=95)
    steps: list[dict[str, Any]] = [{"op": "resize", "width": 320}]
    if not colour:
        steps.append({"op": "grayscale"})
    result = look(made(data, steps))
    wanted = upright.thumbnail_image(320, height=180, size="force")
    wanted = wanted if colour else wanted.colourspace("b-w")
    assert (result.width, result.height) == (320, 180)
    assert (wanted.cast("float") - result.cast("float")).abs().avg() < 4


def test_black_and_white_is_the_same_with_and_without_the_short_cut() -> None:
    data = pictures.jpeg()
    steps = [{"op": "resize", "width": 200}, {"op": "grayscale"}]
    short = look(made(data, steps))
    # A variant in colour beside it: then colour is decoded for both.
    both = run(
        data, {"name": "a", "steps": steps, "output": {"format": "png"}}, {"name": "b", "output": {"format": "png"}}
    )
    long = next(look(result) for result in both if isinstance(result, Made) and result.variant == "a")
    assert (short.cast("int") - long.cast("int")).abs().avg() < 1.0
    assert score(long, short) > 90


def test_a_reduced_decode_looks_like_a_full_one() -> None:
    file = (pictures.PHOTOS / "field.jpg").read_bytes()
    full = pyvips.Image.new_from_buffer(file, "").copy_memory()
    for width in (700, 530, 300):
        wanted = full.thumbnail_image(width, height=10_000).copy_memory()
        assert score(wanted, look(made(file, [{"op": "resize", "width": width}]))) > 90, width


def test_variants_from_one_decode_look_as_each_from_its_own() -> None:
    file = (pictures.PHOTOS / "field.jpg").read_bytes()
    variants = [
        {"name": f"w{width}", "steps": [{"op": "resize", "width": width}], "output": {"format": "png"}}
        for width in (700, 350, 349, 160, 64)
    ]
    together = [result for result in run(file, *variants) if isinstance(result, Made)]
    for variant, result in zip(variants, together, strict=True):
        alone = run(file, variant)[-1]
        assert isinstance(alone, Made)
        assert score(look(alone), look(result)) > 90, variant["name"]


def test_inspected_comes_first_and_each_result_as_it_is_made() -> None:
    recipe = parse_recipe({"variants": [{"name": "a"}, {"name": "b"}, {"name": "c"}]})
    results = make(pictures.sample("jpeg"), recipe, ["c", "a"], Limits())
    first = next(results)
    assert isinstance(first, Inspected) and (first.format, first.width, first.height) == ("jpeg", 160, 90)
    assert [result.variant for result in results if isinstance(result, Made)] == ["c", "a"]


def test_one_that_cannot_be_made_leaves_the_others() -> None:
    results = run(
        pictures.sample("jpeg"),
        {"name": "huge", "steps": [{"op": "resize", "width": 60_000, "enlarge": True}]},
        {"name": "tiny-file", "output": {"format": "jpeg", "maxBytes": 100}},
        {"name": "fine"},
    )
    codes = {result.variant: result.code for result in results if isinstance(result, NotMade)}
    assert codes == {"huge": "enlarged-too-much", "tiny-file": "cannot-fit"}
    assert [result.variant for result in results if isinstance(result, Made)] == ["fine"]


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "gif", "avif", "tiff", "jxl"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_file_cut_short_is_corrupt(name: str, share: float) -> None:
    data = pictures.encoded(pictures.photo(320, 180), name)
    with pytest.raises(PixelmillError) as error:
        run(data[: int(len(data) * share)], {"name": "a"})
    assert error.value.code == "corrupt-image"


def test_a_heic_cut_short_is_corrupt() -> None:
    data = pictures.sample("heic")
    with pytest.raises(PixelmillError) as error:
        run(data[: len(data) * 9 // 10], {"name": "a"})
    assert error.value.code == "corrupt-image"


def test_a_grey_jpeg_cut_short_is_corrupt_too() -> None:
    data = pictures.jpeg()
    with pytest.raises(PixelmillError) as error:
        run(data[: len(data) // 2], {"name": "a", "steps": [{"op": "grayscale"}]})
    assert error.value.code == "corrupt-image"


def test_saved_percent() -> None:
    data = pictures.jpeg()
    result = run(data, {"name": "a", "steps": [{"op": "resize", "width": 64}]})[-1]
    assert isinstance(result, Made)
    assert result.facts["savedPercent"] == round(100 * (1 - len(result.data) / len(data)), 1)


def test_same_in_same_out() -> None:
    data = (pictures.PHOTOS / "crop-progressive.jpg").read_bytes()
    recipe = load_presets()["facebook"].recipe
    names = [variant.name for variant in recipe.variants]
    one, two = ([bytes(r.data) for r in make(data, recipe, names, Limits()) if isinstance(r, Made)] for _ in range(2))
    assert one == two and len(one) == len(names)


@pytest.mark.parametrize("name", load_presets())
def test_every_preset_makes_what_it_plans(name: str) -> None:
    recipe = load_presets()[name].recipe
    data = pictures.jpeg()
    results = list(make(data, recipe, [variant.name for variant in recipe.variants], Limits()))
    first, made = results[0], {result.variant: result for result in results if isinstance(result, Made)}
    assert isinstance(first, Inspected) and set(made) == {variant.name for variant in recipe.variants}
    assert ("blurhash" in first.facts) == recipe.facts
    for variant in recipe.variants:
        size: Size | None = Size(640, 360)
        for step in variant.steps:
            size = step.after(size) if size else None
        result = made[variant.name]
        assert (result.width, result.height) == size
        assert result.format == variant.output.format


def test_cmyk_and_deep_and_transparent_inputs_become_srgb() -> None:
    image = pictures.photo()
    cmyk = image.icc_transform("cmyk", input_profile="srgb")
    for data in (cmyk.jpegsave_buffer(Q=95), (image.colourspace("rgb16")).pngsave_buffer()):
        result = look(made(data, [{"op": "resize", "width": 80}]))
        assert (result.interpretation, result.format, result.bands) == ("srgb", "uchar", 3)
        assert (result.cast("float") - image.resize(0.5).cast("float")).abs().avg() < 16  # CMYK holds fewer colours


def test_a_wide_gamut_is_converted_or_kept() -> None:
    """Display P3 in: sRGB out unless the profile is kept."""
    wide = pictures.photo().icc_transform("p3", input_profile="srgb")
    data = wide.jpegsave_buffer(Q=95, keep="icc")
    kept = look(made(data, [], colour="keep"))
    converted = look(made(data, []))
    assert "icc-profile-data" in kept.get_fields() and "icc-profile-data" not in converted.get_fields()
    original = pictures.photo().cast("float")
    assert (converted.cast("float") - original).abs().avg() < 3
    assert (kept.cast("float") - original).abs().avg() > (converted.cast("float") - original).abs().avg()
    grey = made(data, [{"op": "grayscale"}])
    assert look(grey).bands == 1
