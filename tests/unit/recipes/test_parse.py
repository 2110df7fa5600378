"""A recipe that is wrong is refused with a pointer to the field; a right one survives the way there and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.errors import PixelmillError
from pixelmill.recipes import Recipe, load_presets, parse_recipe, reread
from pixelmill.recipes.parse import MOST_BYTES


def variants(**changes: Any) -> dict[str, Any]:
    return {
        "variants": [{"name": "a", "steps": [{"op": "resize", "width": 10}], "output": {"format": "jpeg"}, **changes}]
    }


@pytest.mark.parametrize(
    ("recipe", "pointer"),
    [
        ("", ""),
        ("[]", ""),
        ("{", ""),
        (b"\xff\xfe", ""),
        ("[" * 100_000, ""),
        ("{}", "/variants"),
        ({"variants": []}, "/variants"),
        ({"variants": [{}]}, "/variants/0/name"),
        ({"variants": [{"name": "A b"}]}, "/variants/0/name"),
        ({"variants": [{"name": "../a"}]}, "/variants/0/name"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, "/variants"),
        (variants(steps=[{"op": "nope"}]), "/variants/0/steps/0/op"),
        (variants(steps=[{}]), "/variants/0/steps/0/op"),
        (variants(steps=[{"op": "resize"}]), "/variants/0/steps/0"),
        (variants(steps=[{"op": "resize", "width": 0}]), "/variants/0/steps/0/width"),
        (variants(steps=[{"op": "resize", "width": "x"}]), "/variants/0/steps/0/width"),
        (variants(steps=[{"op": "resize", "width": 5, "hieght": 5}]), "/variants/0/steps/0/hieght"),
        (variants(steps=[{"op": "flip"}, {"op": "blur", "sigma": 1e9}]), "/variants/0/steps/1/sigma"),
        (variants(steps=[{"op": "blur", "sigma": float("nan")}]), "/variants/0/steps/0/sigma"),
        (variants(steps=[{"op": "tint", "colour": "reddish"}]), "/variants/0/steps/0/colour"),
        (
            variants(steps=[{"op": "crop", "width": 5, "height": 5, "focal": {"x": 2, "y": 0}}]),
            "/variants/0/steps/0/focal/x",
        ),
        (variants(steps=[{"op": "watermark", "image": "aGFsbG8="}]), "/variants/0/steps/0/image"),
        (variants(output={"format": "bmp"}), "/variants/0/output/format"),
        (variants(output={"quality": 101}), "/variants/0/output/quality"),
        (variants(output={"quality": "best"}), "/variants/0/output/quality"),
        (variants(output={"format": "jpeg", "lossless": True}), "/variants/0/output"),
        (variants(output={"a/b~c": 1}), "/variants/0/output/a~1b~0c"),
        ({"variants": [{"name": f"v{i}"} for i in range(201)]}, "/variants"),
    ],
)
def test_what_is_wrong_is_pointed_at(recipe: Any, pointer: str) -> None:
    with pytest.raises(PixelmillError) as error:
        parse_recipe(recipe)
    assert error.value.code == "bad-recipe"
    assert error.value.extra["pointer"] == pointer
    assert error.value.extra["errors"][0]["pointer"] == pointer
    assert error.value.detail


def test_more_variants_than_the_service_makes() -> None:
    with pytest.raises(PixelmillError) as error:
        parse_recipe({"variants": [{"name": f"v{i}"} for i in range(3)]}, max_variants=2)
    assert error.value.code == "too-many-variants"


def test_a_service_locked_to_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelmill.settings import Settings

    monkeypatch.setenv("PIXELMILL_PRESETS_ONLY", "true")
    with pytest.raises(PixelmillError) as error:
        parse_recipe(variants(), Settings().max_variants)
    assert (error.value.code, error.value.spec.status) == ("presets-only", 403)


@pytest.mark.parametrize("name", load_presets())
def test_a_recipe_survives_the_way_there_and_back(name: str) -> None:
    recipe = load_presets()[name].recipe
    assert parse_recipe(recipe.plain) == parse_recipe(recipe.text) == reread(recipe.text) == recipe


def test_one_that_was_taken_is_read_again_however_long_its_own_text_is() -> None:
    step = {"op": "text", "text": "x" * 1000}
    sent = {"variants": [{"name": f"v{number}", "steps": [step] * 10} for number in range(25)]}
    recipe = parse_recipe(json.dumps(sent))
    assert len(recipe.text) > MOST_BYTES > len(json.dumps(sent))
    assert reread(recipe.text) == recipe


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {
            "variants": st.lists(
                st.fixed_dictionaries({"name": st.just("a")}, optional={"steps": json_values, "output": json_values})
            )
        }
    )
    | json_values
)
def test_no_value_does_more_than_be_refused(value: Any) -> None:
    try:
        assert isinstance(parse_recipe(value), Recipe)
    except PixelmillError as error:
        assert error.code == "bad-recipe"
        assert _found(value, error.extra["pointer"])


def _found(value: Any, pointer: str) -> bool:
    """The pointer names something there, or something that should be there."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for index, part in enumerate(parts):
        if isinstance(value, list):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return isinstance(value, dict) and index == len(parts) - 1
    return True
