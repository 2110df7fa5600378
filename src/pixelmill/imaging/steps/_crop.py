"""Where to cut: by compass, by a point, or by what draws the eye."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pixelmill.recipes.step import Canvas, Model, Size

if TYPE_CHECKING:
    import pyvips

Gravity = Literal[
    "center",
    "north",
    "northeast",
    "east",
    "southeast",
    "south",
    "southwest",
    "west",
    "northwest",
    "attention",
    "entropy",
]

_ACROSS = {"west": 0.0, "northwest": 0.0, "southwest": 0.0, "east": 1.0, "northeast": 1.0, "southeast": 1.0}
_DOWN = {"north": 0.0, "northwest": 0.0, "northeast": 0.0, "south": 1.0, "southwest": 1.0, "southeast": 1.0}


class Point(Model):
    """A place in the image: 0,0 is the top left corner, 1,1 the bottom right one."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


def place(inner: Size, outer: Size, gravity: str, focal: Point | None = None) -> tuple[int, int]:
    """Left and top of ``inner`` in ``outer``; a focal point comes as near to the middle as the edges let it."""
    room = (outer.width - inner.width, outer.height - inner.height)
    if focal is not None:
        left = focal.x * outer.width - inner.width / 2
        top = focal.y * outer.height - inner.height / 2
        return round(min(max(left, 0), max(room[0], 0))), round(min(max(top, 0), max(room[1], 0)))
    return int(room[0] * _ACROSS.get(gravity, 0.5)), int(room[1] * _DOWN.get(gravity, 0.5))


def cut(image: pyvips.Image, size: Size, gravity: str, focal: Point | None, canvas: Canvas) -> pyvips.Image:
    """Cut ``size`` out of the image; the first frame of an animation decides where for all."""
    size = Size(min(size.width, image.width), min(size.height, image.height))
    if size == (image.width, image.height):
        return image
    if gravity in ("attention", "entropy") and focal is None:
        if "cut" not in canvas.notes:
            smart = image.smartcrop(size.width, size.height, interesting=gravity)
            canvas.notes["cut"] = (-smart.xoffset, -smart.yoffset)
        left, top = canvas.notes["cut"]
    else:
        left, top = place(size, Size(image.width, image.height), gravity, focal)
    return image.crop(left, top, size.width, size.height)
