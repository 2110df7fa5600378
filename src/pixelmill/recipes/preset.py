"""Presets: recipes with a name, one TOML file each, ours in ``presets/`` and the user's own in a folder."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pixelmill.errors import PixelmillError
from pixelmill.recipes.models import Recipe
from pixelmill.recipes.parse import parse_recipe

OURS = Path(__file__).parent / "presets"


@dataclass(frozen=True, slots=True)
class Preset:
    """``sources`` says where its sizes come from and when; ``picture`` asks for a ``<picture>`` snippet.

    ``retention``: seconds that ``originals`` and ``results`` of its batches are kept (0: for ever), where it says so.
    """

    name: str
    title: str
    description: str
    recipe: Recipe
    sources: tuple[str, ...] = ()
    picture: dict[str, Any] | None = field(default=None)
    retention: dict[str, float] = field(default_factory=dict)


def load_presets(folder: Path | None = None) -> dict[str, Preset]:
    """All presets by name. One in ``folder`` takes the place of ours with the same name.

    Raises :class:`PixelmillError` ``bad-recipe`` naming the file that is wrong.
    """
    presets = dict(_ours())
    if folder is not None:
        presets |= {preset.name: preset for preset in (load_preset(file) for file in sorted(folder.glob("*.toml")))}
    return presets


@cache
def _ours() -> dict[str, Preset]:
    return {preset.name: preset for preset in (load_preset(file) for file in sorted(OURS.glob("*.toml")))}


def load_preset(file: Path) -> Preset:
    """The preset in a TOML file, named as the file is. ``include`` takes the variants of others beside it."""
    return _load(file, ())


def _load(file: Path, above: tuple[str, ...]) -> Preset:
    try:
        data = tomllib.loads(file.read_text("utf-8"))
        variants = list(data.pop("variants", []))
        for name in data.pop("include", []):
            if name in above or name == file.stem:
                raise PixelmillError("bad-recipe", f"{name} includes itself")
            other = _load(_beside(file, name), (*above, file.stem))
            variants += [
                variant.model_dump(mode="json", by_alias=True, exclude_none=True) | {"name": f"{name}-{variant.name}"}
                for variant in other.recipe.variants
            ]
        title, description = str(data.pop("title", file.stem)), str(data.pop("description", ""))
        sources = tuple(str(source) for source in data.pop("sources", []))
        picture = data.pop("picture", None)
        retention = _retention(data.pop("retention", {}))
        recipe = parse_recipe({**data, "variants": variants})
    except PixelmillError as error:
        raise PixelmillError("bad-recipe", f"preset {file.name}: {error.detail}", error.extra) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, AttributeError, TypeError) as error:
        raise PixelmillError("bad-recipe", f"preset {file.name}: {error}", {"pointer": ""}) from None
    return Preset(file.stem, title, description, recipe, sources, picture, retention)


def _retention(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not value.keys() <= {"originals", "results"}:
        raise PixelmillError("bad-recipe", "retention has `originals` and `results`", {"pointer": "/retention"})
    for name, seconds in value.items():
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 4e8:
            raise PixelmillError("bad-recipe", "seconds, 0 for ever", {"pointer": f"/retention/{name}"})
    return {name: float(seconds) for name, seconds in value.items()}


def _beside(file: Path, name: str) -> Path:
    if "/" in name or name.startswith("."):
        raise PixelmillError("bad-recipe", f"{name!r} is no preset's name", {"pointer": "/include"})
    own = file.with_name(f"{name}.toml")
    return own if own.exists() else OURS / f"{name}.toml"
