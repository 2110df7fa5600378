"""Options are checked to the letter, whatever they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.api import options
from pixelmill.errors import PixelmillError
from pixelmill.recipes import load_presets

PRESETS = load_presets()


def test_without_options_the_default_is_made() -> None:
    read = options.read({}, PRESETS, 50)
    assert (read.preset, read.priority, read.callback_url, read.metadata) == ("default", 0, None, {})
    assert read.recipe == PRESETS["default"].recipe
    # An empty field of a form is a field left out.
    assert options.read(dict.fromkeys(options.NAMES, ""), PRESETS, 50) == read


def test_more_variants_than_the_service_makes_are_refused() -> None:
    variants = [{"name": f"v{number}", "steps": [], "output": {"format": "png"}} for number in range(3)]
    recipe = json.dumps({"variants": variants})
    assert len(options.read({"recipe": recipe}, PRESETS, 3).recipe.variants) == 3
    with pytest.raises(PixelmillError, match="too-many-variants"):
        options.read({"recipe": recipe}, PRESETS, 2)


@given(st.dictionaries(st.sampled_from(options.NAMES), st.text(max_size=50)))
def test_any_text_is_an_option_or_an_error_of_the_caller(values: dict[str, str]) -> None:
    try:
        options.read(values, PRESETS, 50)
    except PixelmillError as error:
        assert error.spec.status in (400, 422)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_metadata_comes_back_as_it_was_sent(metadata: dict[str, object]) -> None:
    try:
        read = options.read({"metadata": json.dumps(metadata)}, PRESETS, 50)
    except PixelmillError as error:
        assert error.code == "bad-request"
        assert "\\u0000" in json.dumps(metadata) or "\\ud" in json.dumps(metadata)
    else:
        assert read.metadata == metadata
