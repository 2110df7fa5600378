"""The base of every step, and the geometry that lets one decode serve every variant.

A step is written for the *nominal* image: the photo upright, at full size. The pixels in hand may be fewer, since
decoders can deliver a JPEG at a half, a quarter or an eighth of its size for far less work. So each step can say,
from sizes alone, what it makes of a size (:meth:`Step.after`) and whether it scales the whole image to a size
(:meth:`Step.scales_to`); lengths in pixels are multiplied by :attr:`Canvas.scale` when it is applied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    import pyvips


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(slots=True)
class Canvas:
    """What a step knows beside the pixels: the nominal size of its input, and notes it keeps from frame to frame.

    ``notes`` lives as long as the step works on one variant, so that a box found on the first frame of an animation
    (trim, smart crop) is used for all.
    """

    nominal: Size
    notes: dict[str, Any] = field(default_factory=dict)

    def scale(self, image: pyvips.Image) -> tuple[float, float]:
        """Pixels in hand per nominal pixel, across and down."""
        return image.width / self.nominal.width, image.height / self.nominal.height

    def length(self, image: pyvips.Image, pixels: float) -> float:
        """A nominal length (a blur's sigma, a radius) in the pixels in hand."""
        across, down = self.scale(image)
        return pixels * (across + down) / 2


class Model(BaseModel):
    """camelCase outside, unknown fields refused, never changed after it is made."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_own_type(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for 1 and "5" for 5; the schema that callers read does not."""
        if isinstance(value, bool | str) and info.field_name:
            types = _plain(cls.model_fields[info.field_name].annotation)
            numbers = types & {int, float}
            if numbers and isinstance(value, bool) and bool not in types:
                raise ValueError("a number, not true or false")
            if isinstance(value, str) and numbers and types <= {int, float, bool, type(None)}:
                raise ValueError("a number, without quotes")
        return value


def _plain(annotation: Any) -> set[Any]:
    """The types that a field's annotation is made of."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*(_plain(one) for one in get_args(annotation)))
    return {get_origin(annotation) or annotation}


class Step(Model):
    """One operation of a variant."""

    op: str
    makes_grey: ClassVar[bool] = False

    def keeps_luma(self) -> bool:
        """Whether brightness alone goes in as it comes out: then black and white variants need no colour decoded."""
        return False

    def scales_to(self, size: Size) -> Size | None:
        """The size this step scales the whole of an image of ``size`` to; None when it does not scale."""
        return None

    def after(self, size: Size) -> Size | None:
        """The nominal size after this step; None when only the pixels can tell (trim)."""
        return size

    def apply(self, image: pyvips.Image, canvas: Canvas) -> pyvips.Image:
        """Do it to one frame, which is sRGB or grey (or keeps its own profile when the output asked for that)."""
        raise NotImplementedError


def _colour(value: str) -> str:
    text = NAMED_COLOURS.get(value.lower(), value)
    digits = text.removeprefix("#")
    if (
        not text.startswith("#")
        or len(digits) not in (3, 4, 6, 8)
        or any(c not in "0123456789abcdefABCDEF" for c in digits)
    ):
        raise ValueError(f"{value!r} is no colour: write #rgb, #rrggbb, #rrggbbaa, or {', '.join(NAMED_COLOURS)}")
    if len(digits) < 6:
        digits = "".join(c * 2 for c in digits)
    return f"#{digits.lower()}"


NAMED_COLOURS = {"white": "#ffffff", "black": "#000000", "gray": "#808080", "transparent": "#00000000"}

Colour = Annotated[str, AfterValidator(_colour)]
"""``#rgb``, ``#rrggbb``, ``#rrggbbaa`` or one of :data:`NAMED_COLOURS`; kept as ``#rrggbb[aa]``."""


def rgba(colour: str) -> tuple[int, int, int, int]:
    """Red, green, blue and alpha, 0 to 255, of a :data:`Colour`."""
    red, green, blue, *alpha = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue, alpha[0] if alpha else 255
