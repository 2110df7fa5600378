"""Arithmetic before pixels agrees with what the pixels become, whatever the recipe."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelmill.errors import PixelmillError
from pixelmill.imaging import plan
from pixelmill.imaging.make import make
from pixelmill.imaging.results import Limits, Made, NotMade
from pixelmill.recipes import Recipe, Variant, load_presets, parse_recipe
from pixelmill.recipes.step import Size
from tests import pictures

SIDE = st.integers(1, 300)
STEPS = st.one_of(
    st.builds(
        lambda w, h, fit, enlarge, gravity: {
            "op": "resize",
            "width": w,
            "height": h,
            "fit": fit,
            "enlarge": enlarge,
            "gravity": gravity,
        },
        SIDE,
        SIDE,
        st.sampled_from(["contain", "cover", "fill", "inside", "outside"]),
        st.booleans(),
        st.sampled_from(["center", "north", "southeast", "attention"]),
    ),
    st.builds(lambda w: {"op": "resize", "width": w}, SIDE),
    st.builds(lambda h: {"op": "resize", "height": h}, SIDE),
    st.builds(lambda w, h, x, y: {"op": "crop", "width": w, "height": h, "left": x, "top": y}, SIDE, SIDE, SIDE, SIDE),
    st.builds(lambda w, h: {"op": "crop", "width": w, "height": h, "gravity": "entropy"}, SIDE, SIDE),
    st.builds(lambda a: {"op": "rotate", "angle": a}, st.sampled_from([0, 90, 180, 270, 33, -90])),
    st.builds(lambda a, b: {"op": "pad", "top": a, "left": b}, st.integers(0, 50), st.integers(0, 50)),
    st.sampled_from([{"op": "flip"}, {"op": "grayscale"}, {"op": "blur", "sigma": 2}, {"op": "sharpen"}]),
)


def variant(*steps: dict[str, Any]) -> Variant:
    return parse_recipe({"variants": [{"name": "a", "steps": list(steps), "output": {"format": "png"}}]}).variants[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=4))
def test_sizes_are_what_was_planned(steps: list[dict[str, Any]]) -> None:
    """To the pixel after a resize; within rounding where a crop came off a reduced decode."""
    recipe = parse_recipe({"facts": False, "variants": [{"name": "a", "steps": steps, "output": {"format": "png"}}]})
    size: Size | None = Size(640, 360)
    for step in recipe.variants[0].steps:
        assert size is not None
        size = step.after(size)
    results = list(make(pictures.jpeg(), recipe, ["a"], Limits()))
    if isinstance(results[-1], NotMade):
        assert results[-1].code == "enlarged-too-much"
        return
    assert isinstance(results[-1], Made) and size is not None
    scaled = [i for i, step in enumerate(steps) if step["op"] == "resize"]
    exact = not steps or (scaled and scaled[-1] == len(steps) - 1) or len(steps) == 1
    slack = 0 if exact else 2 * len(steps) + 2
    assert abs(results[-1].width - size.width) <= slack
    assert abs(results[-1].height - size.height) <= slack


@given(st.lists(STEPS, max_size=4), SIDE, SIDE)
def test_a_decode_is_never_larger_than_the_source(steps: list[dict[str, Any]], width: int, height: int) -> None:
    source = Size(width, height)
    need = plan.need(variant(*steps).steps, source)
    assert 1 <= need.width <= width and 1 <= need.height <= height


@given(st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=6))
def test_one_decode_covers_all(needs: list[tuple[int, int]]) -> None:
    source = Size(300, 300)
    covering = plan.together([Size(*need) for need in needs], source)
    assert all(covering.width >= need[0] and covering.height >= need[1] for need in needs)
    assert covering.width <= 300 and covering.height <= 300


def test_a_crop_before_a_resize_needs_as_much_more() -> None:
    steps = variant({"op": "crop", "width": 1000, "height": 1000}, {"op": "resize", "width": 100}).steps
    assert plan.need(steps, Size(4000, 2000)) == (400, 200)


def test_what_only_pixels_can_tell_needs_them_all() -> None:
    steps = variant({"op": "trim"}, {"op": "resize", "width": 10}).steps
    assert plan.need(steps, Size(4000, 2000)) == (4000, 2000)


def test_brightness_is_enough_for_black_and_white() -> None:
    resize, grey = {"op": "resize", "width": 100}, {"op": "grayscale"}
    assert plan.luma_only(variant(resize, grey).steps)
    assert plan.luma_only(variant(resize, {"op": "flip"}, grey, {"op": "duotone"}).steps)
    assert not plan.luma_only(variant(resize).steps)
    assert not plan.luma_only(variant({"op": "sepia"}, grey).steps)
    eye = {"op": "resize", "width": 9, "height": 9, "fit": "cover", "gravity": "attention"}
    assert not plan.luma_only(variant(eye, grey).steps)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"op": "resize", "width": 9000, "enlarge": True}, "enlarged-too-much"),
        ({"op": "pad", "left": 60_000, "top": 60_000}, "output-too-large"),
        ({"op": "resize", "width": 60_000, "height": 60_000, "fit": "contain"}, "output-too-large"),
        ({"op": "resize", "width": 1000, "dpr": 8, "enlarge": True}, "enlarged-too-much"),
    ],
)
def test_what_is_asked_for_has_limits(step: dict[str, Any], code: str) -> None:
    with pytest.raises(PixelmillError) as error:
        plan.check(variant(step), Size(640, 360), 1, Limits())
    assert error.value.code == code
    assert error.value.extra == {"variant": "a", "step": 0}


def test_frames_count_into_the_output() -> None:
    step = variant({"op": "resize", "width": 640})
    plan.check(step, Size(640, 360), 200, Limits())
    with pytest.raises(PixelmillError):
        plan.check(step, Size(640, 360), 300, Limits())


def copies(count: int, *steps: dict[str, Any], format: str = "jpeg") -> Recipe:
    variants = [{"name": f"v{number}", "steps": steps, "output": {"format": format}} for number in range(count)]
    return parse_recipe({"facts": False, "variants": variants})


def refused(recipe: Recipe, source: Size, limits: Limits, frames: int = 1) -> list[str]:
    allowance, found = plan.Allowance(limits), []
    for one in recipe.variants:
        try:
            allowance.take(one, source, frames)
        except PixelmillError as error:
            assert error.code == "output-too-large"
            found.append(one.name)
    return found


PHOTO = Size(8660, 5774)
"""50 megapixels."""


def test_what_all_variants_have_together_is_limited() -> None:
    """Fifty copies of a photograph of 50 megapixels: ten are made, and the others say why they are not."""
    names = [f"v{number}" for number in range(50)]
    assert refused(copies(50, {"op": "flip"}), Size(10_000, 5_000), Limits()) == names[10:]
    assert refused(copies(50), Size(10_000, 5_000), Limits()) == names[10:]
    assert refused(copies(50), Size(1000, 500), Limits(), frames=100) == names[10:]


def test_the_same_ones_are_made_whichever_are_asked_for() -> None:
    """So a second try, for what the first has left, ends as one try would have."""
    recipe = copies(12, {"op": "resize", "width": 100, "height": 25})
    limits = Limits(max_output_pixels=2500)
    results = list(make(pictures.jpeg(160, 40), recipe, ["v10", "v9", "v0", "v11"], limits))
    kinds = {one.variant: type(one) for one in results if isinstance(one, Made | NotMade)}
    assert kinds == {"v0": Made, "v9": Made, "v10": NotMade, "v11": NotMade}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 4000)), min_size=1, max_size=50), st.integers(1, 3))
def test_what_fits_passes_and_what_is_made_never_exceeds(sizes: list[tuple[int, int]], frames: int) -> None:
    limits, source = Limits(max_output_pixels=4_000_000), Size(4000, 4000)
    variants = [
        {"name": f"v{n}", "steps": [{"op": "resize", "width": width, "height": height, "fit": "fill"}]}
        for n, (width, height) in enumerate(sizes)
    ]
    recipe = parse_recipe({"variants": variants})
    pixels = {f"v{n}": width * height * frames for n, (width, height) in enumerate(sizes)}
    left_out = refused(recipe, source, limits, frames)
    most = plan.MOST_TOGETHER * limits.max_output_pixels
    assert sum(count for name, count in pixels.items() if name not in left_out) <= most
    if sum(pixels.values()) <= most:
        assert left_out == [name for name, count in pixels.items() if count > limits.max_output_pixels]


def test_the_usual_is_far_from_it() -> None:
    """Every preset, and fifty variants as wide as the widest screens, of a photograph of 50 megapixels."""
    for preset in load_presets().values():
        assert refused(preset.recipe, PHOTO, Limits()) == []
    assert refused(copies(50, {"op": "resize", "width": 3840}), PHOTO, Limits()) == []
    assert refused(copies(50, {"op": "trim"}, {"op": "resize", "width": 2560}), PHOTO, Limits()) == []


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([{"op": "resize", "width": 64 * 9, "enlarge": True}], "enlarged-too-much"),
        ([{"op": "pad", "left": 100, "top": 100}], "output-too-large"),
        ([{"op": "trim"}, {"op": "pad", "left": 100, "top": 100}], "output-too-large"),
    ],
)
def test_behind_a_trim_the_same_limits_hold(steps: list[dict[str, Any]], code: str) -> None:
    """Its size is known once it is done; what follows is held against that."""
    limits = Limits(max_output_pixels=10_000)
    results = list(make(pictures.jpeg(64, 36), copies(1, {"op": "trim"}, *steps), ["v0"], limits))
    assert isinstance(results[-1], NotMade) and results[-1].code == code


def test_behind_a_trim_pixels_count_together_too() -> None:
    recipe = copies(12, {"op": "trim"}, {"op": "resize", "width": 40, "height": 40, "fit": "fill"})
    names = [variant.name for variant in recipe.variants]
    results = list(make(pictures.jpeg(64, 64), recipe, names, Limits(max_output_pixels=1600)))
    assert [isinstance(one, Made) for one in results[1:]] == [True] * 10 + [False] * 2


def test_behind_a_trim_frames_count_too() -> None:
    recipe = copies(1, {"op": "trim"}, {"op": "resize", "width": 40, "height": 40, "fit": "fill"}, format="gif")
    for limits, expected in ((3 * 1600, Made), (3 * 1600 - 1, NotMade)):
        results = list(make(pictures.sample("gif-animated"), recipe, ["v0"], Limits(max_output_pixels=limits)))
        assert isinstance(results[-1], expected)
