"""What can be asked for: a recipe of named variants, each a list of steps and an output."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, field_validator, model_validator

from pixelmill.recipes.registry import AnyStep
from pixelmill.recipes.step import Colour, Model, Step

FORMATS = ("jpeg", "png", "webp", "avif", "jxl", "gif", "tiff")
Format = Literal["jpeg", "png", "webp", "avif", "jxl", "gif", "tiff"]
NAME = r"^[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]$|^[a-z0-9]$"
MOST_VARIANTS = 200
MOST_STEPS = 50


class Output(Model):
    """The file a variant becomes."""

    format: Format | Literal["auto", "same"] = Field(
        "jpeg",
        description="`auto` is the smallest that looks right; `same` is the input's, else JPEG or PNG.",
    )
    quality: Annotated[int, Field(ge=1, le=100)] | Literal["auto"] | None = Field(
        None,
        description="1 to 100; `auto` is the smallest file that looks the same. Without it, the format's default.",
    )
    max_bytes: Annotated[int, Field(ge=100)] | None = Field(
        None, description="Never larger than this: the best quality that fits is chosen."
    )
    lossless: StrictBool = Field(False, description="Keep every pixel (PNG always does, unless `colours` is set).")
    effort: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None,
        description="0 is fastest, 10 gives the smallest file. "
        "For JPEG, 4 and more is a code made for the picture, 7 and more is mozjpeg's trellis.",
    )
    mode: Literal["fast", "balanced", "small"] = Field(
        "balanced", description="How far `auto` goes for a smaller file, and how close it stays to the original."
    )
    target: Annotated[float, Field(ge=30, le=95)] | None = Field(
        None,
        description="SSIMULACRA2 that `auto` reaches: 90 is not told from the original, 70 (the default) is good.",
    )
    formats: tuple[Format, ...] | None = Field(
        None,
        min_length=1,
        description="What `format: auto` may choose from; all that keep transparency if there is some.",
    )
    progressive: StrictBool | None = Field(
        None, description="Progressive JPEG or interlaced PNG, which appear coarse first."
    )
    subsampling: Literal["4:4:4", "4:2:0"] | None = Field(
        None, description="Chroma of JPEG, WebP and AVIF; 4:2:0 unless given."
    )
    colours: Annotated[int, Field(ge=2, le=256)] | None = Field(
        None, description="PNG or GIF with a palette of so many."
    )
    metadata: Literal["strip", "copyright", "keep"] = Field(
        "strip", description="`copyright` keeps author and credit, `keep` all but GPS and embedded thumbnails."
    )
    colour: Literal["srgb", "keep"] = Field("srgb", description="Convert to sRGB, or keep the image's ICC profile.")
    animated: StrictBool = Field(
        True, description="Keep all frames where the input has them and the format can (WebP, GIF)."
    )
    background: Colour = Field("#ffffff", description="Shown through transparency where the format has none.")

    @model_validator(mode="after")
    def _together(self) -> Output:
        if self.lossless and self.format in ("jpeg", "gif"):
            raise ValueError(f"{self.format} cannot be lossless: choose png, webp, avif, jxl or tiff")
        if self.lossless and self.max_bytes:
            raise ValueError("lossless and maxBytes exclude each other")
        if self.quality == "auto" and self.max_bytes:
            raise ValueError("quality auto and maxBytes exclude each other")
        if self.quality == "auto" and self.format in ("png", "gif", "tiff"):
            raise ValueError(f"quality auto needs a format with a quality, which {self.format} has not")
        if self.formats and self.format != "auto":
            raise ValueError("formats is for format auto")
        return self


class Variant(Model):
    """One output of one image."""

    name: str = Field(pattern=NAME, description="Lower-case letters, digits, `-`, `_` and `.`; unique in the recipe.")
    steps: tuple[Annotated[Step, AnyStep], ...] = Field((), max_length=MOST_STEPS, description="Done in this order.")
    output: Output = Output()

    @field_validator("name")
    @classmethod
    def _no_dots(cls, value: str) -> str:
        if ".." in value:
            raise ValueError("a name has no two dots in a row")
        return value


class Recipe(Model):
    """What to make of an image."""

    variants: tuple[Variant, ...] = Field(min_length=1, max_length=MOST_VARIANTS)
    facts: StrictBool = Field(
        True,
        description="Also tell what the image looks like: palette, BlurHash, ThumbHash, perceptual hash, safe EXIF.",
    )

    @field_validator("variants")
    @classmethod
    def _unique(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        names = [variant.name for variant in variants]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each variant needs a name of its own; used twice: {', '.join(twice)}")
        return variants

    @cached_property
    def plain(self) -> dict[str, Any]:
        """As it goes over the wire and into the record, without what is not set. The same one each time: to be read."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @cached_property
    def text(self) -> str:
        """:attr:`plain` as JSON."""
        return json.dumps(self.plain, separators=(",", ":"))

    def variant(self, name: str) -> Variant:
        """The variant called ``name``. Raises KeyError."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(name)
