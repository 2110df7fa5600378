"""What to make: recipes, presets and their checking. No I/O but reading preset files, no image library."""

from pixelmill.recipes.models import FORMATS, Format, Output, Recipe, Variant
from pixelmill.recipes.parse import parse_recipe, reread
from pixelmill.recipes.picture import Source, picture
from pixelmill.recipes.preset import Preset, load_preset, load_presets
from pixelmill.recipes.step import Step

__all__ = [
    "FORMATS",
    "Format",
    "Output",
    "Preset",
    "Recipe",
    "Source",
    "Step",
    "Variant",
    "load_preset",
    "load_presets",
    "parse_recipe",
    "picture",
    "reread",
]
