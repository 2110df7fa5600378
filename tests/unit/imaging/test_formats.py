"""Every input format to every output format, on real files; and what must never be opened."""

from __future__ import annotations

import pytest
import pyvips

from pixelmill.errors import PixelmillError
from pixelmill.imaging import encode
from pixelmill.imaging.finish import view
from pixelmill.imaging.make import make
from pixelmill.imaging.quality.metric import score
from pixelmill.imaging.results import Limits, Made
from pixelmill.imaging.sniff import sniff
from pixelmill.recipes import FORMATS, parse_recipe
from tests import pictures


def convert(data: bytes, **output: object) -> Made:
    steps = [{"op": "resize", "width": 80}]
    recipe = parse_recipe({"facts": False, "variants": [{"name": "a", "steps": steps, "output": output}]})
    result = list(make(data, recipe, ["a"], Limits()))[-1]
    assert isinstance(result, Made), result
    return result


@pytest.mark.parametrize("after", FORMATS)
@pytest.mark.parametrize("before", pictures.FORMATS_IN)
def test_matrix(before: str, after: str) -> None:
    result = convert(pictures.sample(before), format=after, quality=90)
    assert sniff(bytes(result.data)) == after == result.format
    assert result.content_type == f"image/{after}"
    image = (
        pyvips.Image.new_from_buffer(bytes(result.data), "")
        if after != "jxl"
        else view(bytes(result.data), encode.load("jxl"))
    )
    animated = before.endswith("-animated") and after in ("gif", "webp")
    assert (image.get("n-pages") if animated else 1) == (3 if animated else 1)
    assert (image.width, result.width, result.height) == (80, 80, 80 if before == "heic" else 45)
    if animated:
        assert image.get("delay") == [100, 200, 300]
    if before not in ("heic", "svg") and not animated:
        wanted = pictures.photo().resize(0.5)
        shown = image if after == "jxl" else view(bytes(result.data), encode.load(after))
        assert score(wanted, shown) > (10 if "gif" in (before[:3], after) else 40)


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_an_animation_may_be_made_still(format: str) -> None:
    result = convert(pictures.sample(f"{format}-animated"), format=format, animated=False)
    image = pyvips.Image.new_from_buffer(bytes(result.data), "")
    assert "n-pages" not in image.get_fields() or image.get("n-pages") == 1


def test_steps_work_on_each_frame() -> None:
    steps = [
        {"op": "resize", "width": 60, "height": 60, "fit": "cover", "gravity": "attention"},
        {"op": "rotate", "angle": 90},
        {"op": "text", "text": "hi", "size": 10},
    ]
    recipe = parse_recipe({"variants": [{"name": "a", "steps": steps, "output": {"format": "webp"}}]})
    result = list(make(pictures.sample("gif-animated"), recipe, ["a"], Limits()))[-1]
    assert isinstance(result, Made)
    image = pyvips.Image.new_from_buffer(bytes(result.data), "[n=-1]")
    assert (result.width, result.height, image.get("page-height"), image.get("n-pages")) == (60, 60, 60, 3)


@pytest.mark.parametrize("format", ["png", "webp", "avif", "jxl", "tiff"])
def test_lossless_keeps_every_pixel(format: str) -> None:
    recipe = parse_recipe({"variants": [{"name": "a", "output": {"format": format, "lossless": True}}]})
    result = list(make(pictures.sample("png"), recipe, ["a"], Limits()))[-1]
    assert isinstance(result, Made) and result.quality is None
    shown = view(bytes(result.data), encode.load(format))
    worst = 3 if format == "avif" else 0  # aom's lossless goes through YCbCr in 8 bits
    assert (shown.cast("int") - pictures.photo().cast("int")).abs().max() <= worst


@pytest.mark.parametrize("format", ["png", "webp", "avif", "jxl", "gif", "tiff"])
def test_transparency_is_kept(format: str) -> None:
    image = pictures.photo().bandjoin((pyvips.Image.xyz(160, 90)[0] > 80).cast("uchar"))
    data = image.copy(interpretation="srgb").pngsave_buffer()
    recipe = parse_recipe({"variants": [{"name": "a", "output": {"format": format}}]})
    result = list(make(data, recipe, ["a"], Limits()))[-1]
    assert isinstance(result, Made)
    shown = view(bytes(result.data), encode.load(format))
    assert shown.hasalpha()
    assert shown.extract_band(3).crop(0, 0, 70, 90).max() == 0
    assert shown.extract_band(3).crop(90, 0, 70, 90).min() == 255


def test_transparency_lies_on_the_background_in_a_jpeg() -> None:
    data = (pyvips.Image.black(32, 32, bands=4)).copy(interpretation="srgb").pngsave_buffer()
    recipe = parse_recipe({"variants": [{"name": "a", "output": {"format": "jpeg", "background": "#00ff00"}}]})
    result = list(make(data, recipe, ["a"], Limits()))[-1]
    assert isinstance(result, Made)
    red, green, blue = view(bytes(result.data), encode.load("jpeg")).getpoint(16, 16)
    assert red < 5 and green > 250 and blue < 5


@pytest.mark.parametrize("name", ["rgba-10", "grey"])
def test_other_kinds_of_heic(name: str) -> None:
    result = convert((pictures.DATA / "formats" / f"{name}.heic").read_bytes(), format="png")
    image = pyvips.Image.new_from_buffer(bytes(result.data), "")
    assert image.format == "uchar" and image.hasalpha() == (name == "rgba-10")


FORBIDDEN = {
    "csv": b"1,2,3\n4,5,6\n",
    "matrix": b"2 2\n1 2\n3 4\n",
    "ppm": b"P6 1 1 255\n\0\0\0",
    "pdf": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
    "radiance": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n\0\0\0\0",
    "vips": b"\xb6\xa6\xf2\x08" + b"\0" * 100,
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_forbidden_loaders(kind: str) -> None:
    """Neither by our door nor by libvips' own."""
    with pytest.raises(PixelmillError) as error:
        convert(FORBIDDEN[kind])
    assert error.value.code == "unsupported-format"
    with pytest.raises(pyvips.Error):
        pyvips.Image.new_from_buffer(FORBIDDEN[kind], "").avg()


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="40">{}</svg>'
)


@pytest.mark.parametrize(
    "inner",
    [
        '<image xlink:href="file://{path}" width="40" height="40"/>',
        '<image xlink:href="{path}" width="40" height="40"/>',
        '<image href="{path}" width="40" height="40"/>',
        '<style>@import url("file://{path}");</style>',
        "<text>&secret;</text>",
    ],
)
def test_an_svg_sees_nothing_outside_itself(inner: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    red = tmp_path_factory.mktemp("svg") / "red.png"
    paper = pyvips.Image.black(40, 40, bands=3).linear([1, 1, 1], [255, 0, 0]).cast("uchar")
    paper.copy(interpretation="srgb").pngsave(str(red))
    text = SVG.format(inner.format(path=red))
    if "&secret;" in inner:
        text = f'<!DOCTYPE svg [<!ENTITY secret SYSTEM "file://{red}">]>' + text
    try:
        result = convert(text.encode(), format="png")
    except PixelmillError as error:
        assert error.code in ("corrupt-image", "unsupported-format")
        return
    shown = view(bytes(result.data), encode.load("png"))
    assert shown.flatten(background=[255, 255, 255])[0].max() != 255 or shown.extract_band(shown.bands - 1).max() == 0


def test_a_laughing_svg_is_refused() -> None:
    names = "abcdefghij"
    entities = '<!ENTITY a "lol">' + "".join(
        f'<!ENTITY {name} "{f"&{names[i]};" * 10}">' for i, name in enumerate(names[1:])
    )
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&j;</text></svg>'
    data = f"<!DOCTYPE svg [{entities}]>{drawing}"
    with pytest.raises(PixelmillError) as error:
        convert(data.encode())
    assert error.value.code in ("corrupt-image", "unsupported-format")


@pytest.mark.parametrize(("interpretation", "bands"), [("b-w", 3), ("b-w", 4), ("srgb", 5)])
def test_channels_that_nobody_knows_are_left_out(interpretation: str, bands: int) -> None:
    grey = pictures.photo().extract_band(0)
    many = grey.bandjoin([grey] * (bands - 1)).copy(interpretation=interpretation)
    assert convert(many.tiffsave_buffer())
