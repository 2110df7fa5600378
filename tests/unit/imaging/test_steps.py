"""Each step does what its parameters say, in colour, grey, transparent and deep pixels."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import pyvips

from pixelmill.recipes.registry import steps
from pixelmill.recipes.step import Canvas, Size, Step
from tests import pictures

MARK = pyvips.Image.black(20, 10, bands=3).linear([1, 1, 1], [255, 0, 0]).cast("uchar").copy(interpretation="srgb")
PICTURE = base64.b64encode(MARK.pngsave_buffer()).decode()
EXAMPLES: dict[str, dict[str, Any]] = {
    "adjust": {"brightness": 10, "contrast": 20},
    "background": {"colour": "#ff0000"},
    "blur": {"sigma": 3},
    "crop": {"width": 50, "height": 40},
    "duotone": {},
    "flatten": {},
    "flip": {},
    "gamma": {"gamma": 1.5},
    "grayscale": {},
    "ladder": {"rungs": [{"upTo": 100}, {"width": 120}]},
    "modulate": {"brightness": 1.2, "saturation": 0.5, "hue": 30},
    "normalise": {},
    "orient": {},
    "pad": {"left": 10, "top": 5, "background": "#00ff00"},
    "pixelate": {"size": 8},
    "resize": {"width": 80},
    "rotate": {"angle": 45},
    "round": {"radius": 20},
    "sepia": {},
    "sharpen": {},
    "text": {"text": "Grüße"},
    "tint": {"colour": "#ff8800"},
    "trim": {},
    "watermark": {"image": PICTURE},
}


def step(op: str, **values: Any) -> Step:
    return steps()[op].model_validate({"op": op, **values})


def apply(op: str, image: pyvips.Image | None = None, nominal: Size | None = None, /, **values: Any) -> pyvips.Image:
    image = pictures.photo() if image is None else image
    done = step(op, **values).apply(image, Canvas(nominal or Size(image.width, image.height)))
    return done.copy_memory()


def plain(width: int, height: int, *colour: int) -> pyvips.Image:
    image = (pyvips.Image.black(width, height, bands=len(colour)) + list(colour)).cast("uchar")
    return image.copy(interpretation="srgb" if len(colour) >= 3 else "b-w").copy_memory()


def test_every_step_has_an_example_here() -> None:
    assert set(steps()) == set(EXAMPLES)


KINDS = {
    "colour": lambda: pictures.photo(),
    "grey": lambda: pictures.photo().colourspace("b-w"),
    "transparent": lambda: pictures.photo().bandjoin(200).copy(interpretation="srgb"),
    "grey-transparent": lambda: pictures.photo().colourspace("b-w").bandjoin(200),
    "one-pixel": lambda: plain(1, 1, 9, 9, 9),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("op", EXAMPLES)
def test_every_step_takes_every_kind_of_pixels(op: str, kind: str) -> None:
    image = KINDS[kind]().copy_memory()
    size = Size(image.width, image.height)
    chosen = step(op, **EXAMPLES[op])
    done = chosen.apply(image, Canvas(size)).copy_memory()
    after = chosen.after(size)
    if after is not None and not (kind == "one-pixel" and op == "rotate"):
        assert (abs(done.width - after.width), abs(done.height - after.height)) <= (
            (1, 1) if op == "rotate" else (0, 0)
        )
    assert done.format == "uchar" and done.interpretation in ("srgb", "b-w")
    assert done.bands == {"b-w": 1, "srgb": 3}[done.interpretation] + done.hasalpha()
    assert done.pngsave_buffer()


@pytest.mark.parametrize("op", EXAMPLES)
def test_parameters_survive_json(op: str) -> None:
    chosen = step(op, **EXAMPLES[op])
    wire = chosen.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert type(chosen).model_validate(wire) == chosen
    assert type(chosen).__doc__


@pytest.mark.parametrize(
    ("fit", "size"),
    [("inside", (50, 28)), ("outside", (89, 50)), ("fill", (50, 50)), ("cover", (50, 50)), ("contain", (50, 50))],
)
def test_resize_fits(fit: str, size: tuple[int, int]) -> None:
    done = apply("resize", width=50, height=50, fit=fit)
    assert (done.width, done.height) == size


def test_contain_fills_with_the_background() -> None:
    done = apply("resize", width=50, height=50, fit="contain", background="#ff0000")
    assert done.getpoint(25, 0) == [255, 0, 0] and done.getpoint(25, 25) != [255, 0, 0]
    clear = apply("resize", width=50, height=50, fit="contain", background="transparent")
    assert clear.getpoint(25, 0)[3] == 0 and clear.getpoint(25, 25)[3] == 255


def test_nothing_is_enlarged_unless_asked() -> None:
    assert apply("resize", width=999).width == 160
    assert apply("resize", width=320, enlarge=True).width == 320
    cover = apply("resize", width=900, height=900, fit="cover")
    assert (cover.width, cover.height) == (90, 90)
    fill = apply("resize", width=900, height=45, fit="fill")
    assert (fill.width, fill.height) == (160, 45)


def test_device_pixels() -> None:
    assert apply("resize", width=40, dpr=2).width == 80


def test_cover_keeps_what_gravity_or_the_focal_point_says() -> None:
    left_red = plain(100, 50, 255, 0, 0).insert(plain(50, 50, 0, 0, 255), 50, 0)
    box = {"width": 50, "height": 50, "fit": "cover"}
    assert apply("resize", left_red, **box, gravity="west").getpoint(25, 25) == [255, 0, 0]
    assert apply("resize", left_red, **box, gravity="east").getpoint(25, 25) == [0, 0, 255]
    assert apply("resize", left_red, **box, focal={"x": 0.9, "y": 0.5}).getpoint(5, 25) == [0, 0, 255]
    grey = plain(300, 100, 120, 120, 120)
    subject = grey.insert(pictures.photo(80, 80), 215, 10)
    for gravity in ("attention", "entropy"):
        assert apply("crop", subject, width=100, height=100, gravity=gravity).deviate() > 20


def test_crop_takes_the_rectangle_also_from_fewer_pixels() -> None:
    full = pictures.photo(640, 360)
    wanted = full.crop(200, 100, 240, 160).resize(0.5)
    half = apply("crop", full.resize(0.5).copy_memory(), Size(640, 360), left=200, top=100, width=240, height=160)
    assert (half.width, half.height) == (120, 80)
    assert (wanted.cast("int") - half.cast("int")).abs().avg() < 3
    outside = apply("crop", left=150, top=80, width=100, height=100)
    assert (outside.width, outside.height) == (10, 10)


def test_lengths_are_of_the_full_image() -> None:
    full = pictures.photo(640, 360)
    small = full.resize(0.25).copy_memory()
    wanted = apply("blur", full, sigma=12).resize(0.25)
    assert (wanted.cast("int") - apply("blur", small, Size(640, 360), sigma=12).cast("int")).abs().avg() < 2


def test_rotate_and_flip() -> None:
    image = pictures.photo()
    assert (apply("rotate", image, angle=90) - image.rot("d90")).abs().max() == 0
    assert (apply("rotate", image, angle=-90) - image.rot("d270")).abs().max() == 0
    assert (apply("flip", image, direction="both") - image.rot("d180")).abs().max() == 0
    assert apply("rotate", image, angle=45, background="#ff0000").getpoint(0, 0) == [255, 0, 0]


def test_grayscale_is_luma() -> None:
    for colour, luma in (((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((255, 255, 255), 255)):
        assert apply("grayscale", plain(2, 2, *colour)).getpoint(0, 0) == [luma]


def test_colours() -> None:
    grey = plain(4, 4, 128, 128, 128)
    assert apply("adjust", grey, brightness=10).getpoint(0, 0) == [154, 154, 154]
    assert apply("adjust", plain(4, 4, 200, 200, 200), contrast=50).getpoint(0, 0)[0] == 236
    assert (
        apply("gamma", grey, gamma=2).getpoint(0, 0)[0] > 150 > 100 > apply("gamma", grey, gamma=0.5).getpoint(0, 0)[0]
    )
    assert (
        max(apply("modulate", plain(4, 4, 200, 50, 50), saturation=0).getpoint(0, 0)) - 1
        <= min(apply("modulate", plain(4, 4, 200, 50, 50), saturation=0).getpoint(0, 0)) + 2
    )
    red, _, blue = apply("sepia", grey).getpoint(0, 0)
    assert red > blue
    assert apply("duotone", plain(2, 2, 0, 0, 0), shadow="#102030").getpoint(0, 0) == [16, 32, 48]
    assert apply("duotone", plain(2, 2, 255, 255, 255), highlight="#f0e0d0").getpoint(0, 0) == [240, 224, 208]
    red, _, blue = apply("tint", grey, colour="#ff8800").getpoint(0, 0)
    assert red > blue + 50


def test_normalise_stretches_and_leaves_the_even() -> None:
    narrow = pictures.photo().linear(0.2, 100).cast("uchar").copy_memory()
    done = apply("normalise", narrow)
    assert done.max() == 255 and done.min() < 10
    even = plain(9, 9, 7, 7, 7)
    assert (apply("normalise", even) - even).abs().max() == 0


def test_trim_finds_the_picture_and_leaves_the_plain() -> None:
    framed = plain(200, 120, 255, 255, 255).insert(pictures.photo().linear(0.5, 0).cast("uchar"), 20, 15)
    done = apply("trim", framed)
    assert (done.width, done.height) == (160, 90)
    assert apply("trim", plain(9, 9, 5, 5, 5)).width == 9


def test_pad_background_copy_mirror() -> None:
    assert apply("pad", left=10, background="#ff0000").getpoint(5, 5) == [255, 0, 0]
    image = pictures.photo()
    assert apply("pad", image, left=1, extend="copy").getpoint(0, 5) == image.getpoint(0, 5)
    assert apply("pad", image, left=2, extend="mirror").getpoint(1, 5) == image.getpoint(0, 5)


def test_pixelate_makes_squares() -> None:
    done = apply("pixelate", size=10)
    assert done.getpoint(0, 0) == done.getpoint(9, 9) and done.getpoint(0, 0) != done.getpoint(80, 45)


def test_round_corners() -> None:
    done = apply("round", radius=30)
    assert done.getpoint(0, 0)[3] == 0 and done.getpoint(80, 0)[3] == 255 and done.getpoint(0, 45)[3] == 255
    circle = apply("round", plain(50, 50, 1, 2, 3), radius="full")
    assert circle.getpoint(7, 7)[3] in range(1, 255) or circle.getpoint(6, 6)[3] == 0
    assert abs(circle.extract_band(3).avg() / 255 - 3.14159 / 4) < 0.005


def test_flatten_and_background() -> None:
    clear = plain(4, 4, 9, 9, 9, 0)
    assert apply("flatten", clear, background="#0000ff").getpoint(0, 0) == [0, 0, 255]
    assert apply("background", clear, colour="#0000ff80").getpoint(0, 0) == [0, 0, 255, 128]


def test_watermark_lies_where_it_should() -> None:
    grey = plain(100, 60, 100, 100, 100)
    done = apply("watermark", grey, image=PICTURE, position="northwest", margin=5)
    assert done.getpoint(5, 5) == [255, 0, 0] and done.getpoint(24, 14) == [255, 0, 0]
    assert done.getpoint(4, 4) == done.getpoint(26, 5) == [100, 100, 100]
    half = apply("watermark", grey, image=PICTURE, opacity=0.5, scale=1, margin=0, position="center")
    assert half.getpoint(50, 30)[0] in range(170, 185)
    tiled = apply("watermark", grey, image=f"data:image/png;base64,{PICTURE}", tiled=True, gap=10)
    assert tiled.getpoint(10, 8) == tiled.getpoint(40, 8) == tiled.getpoint(40, 28) == [255, 0, 0]


@pytest.mark.parametrize("text", ["Hello", "<b>&amp;</b> > <", "Ελληνικά", "кириллица", "עברית", "العربية", "a\nb"])
def test_text_is_written_in_any_script_of_the_font(text: str) -> None:
    blank = plain(300, 120, 10, 10, 10)
    done = apply("text", blank, text=text, background="transparent", position="center")
    assert done.max() > 240
    missing = apply("text", blank, text="\U000e1234", background="transparent", position="center")
    assert (done - missing).abs().max() > 0


def test_markup_is_text() -> None:
    blank = plain(300, 60, 0, 0, 0)
    options: dict[str, Any] = {"background": "transparent", "position": "center"}
    as_text = apply("text", blank, text="<b>x</b>", **options)
    assert (as_text - apply("text", blank, text="x", **options)).abs().max() > 0


def test_deep_pixels_stay_deep_until_the_end() -> None:
    deep = pictures.photo().colourspace("rgb16").copy_memory()
    for op in ("resize", "blur", "crop", "flip", "pad", "adjust", "normalise", "grayscale"):
        assert apply(op, deep, **EXAMPLES[op]).format == "ushort", op
