"""Presets are data: each loads, says what it is, and what it promises is checked here, size by size."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelmill.errors import PixelmillError
from pixelmill.recipes import load_presets
from pixelmill.recipes.step import Size

PRESETS = load_presets()
NETWORKS = ("instagram", "facebook", "x", "linkedin", "youtube", "pinterest", "tiktok")


def sizes(name: str, source: Size) -> dict[str, Size | None]:
    """What each variant makes of an image of ``source`` size."""
    made: dict[str, Size | None] = {}
    for variant in PRESETS[name].recipe.variants:
        size: Size | None = source
        for step in variant.steps:
            size = step.after(size) if size else None
        made[variant.name] = size
    return made


def test_all_are_there() -> None:
    expected = {
        *NETWORKS, "default", "compress", "thumbnail", "web", "social", "avatar", "blur", "black-and-white",
        "placeholder", "archive",
    }  # fmt: skip
    assert set(PRESETS) == expected
    assert all(preset.title and preset.description.endswith(".") for preset in PRESETS.values())


def test_default_is_the_seed() -> None:
    (variant,) = PRESETS["default"].recipe.variants
    assert [step.op for step in variant.steps] == ["resize", "grayscale"]
    assert (variant.output.format, variant.output.quality, variant.output.metadata) == ("jpeg", 80, "strip")
    assert sizes("default", Size(4000, 3000)) == {"default": (512, 384)}
    assert sizes("default", Size(300, 200)) == {"default": (300, 200)}


@pytest.mark.parametrize(
    ("width", "wanted"),
    [
        (1, 1),
        (800, 800),
        (801, 801),
        (1600, 1600),
        (1601, 1601),
        (2001, 2000),
        (3000, 2000),
        (3001, 2400),
        (9000, 2400),
    ],
)
def test_compress_is_the_ladder(width: int, wanted: int) -> None:
    made = sizes("compress", Size(width, width))
    assert made == {"compressed": (wanted, wanted)}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_sources_and_exact_sizes(name: str) -> None:
    preset = PRESETS[name]
    assert all("20" in source and "read" in source for source in preset.sources) and preset.sources
    for variant in preset.recipe.variants:
        step = variant.steps[0].model_dump()
        assert sizes(name, Size(6000, 6000))[variant.name] == (step["width"], step["height"])


def test_instagram_has_what_it_is_known_for() -> None:
    made = sizes("instagram", Size(4000, 4000))
    assert made["square"] == (1080, 1080) and made["portrait"] == (1080, 1350)
    assert made["landscape"] == (1080, 566) and made["story"] == (1080, 1920)


def test_social_is_the_bundle_of_all() -> None:
    names = {variant.name for variant in PRESETS["social"].recipe.variants}
    assert names == {f"{n}-{v.name}" for n in NETWORKS for v in PRESETS[n].recipe.variants}


def test_web_is_four_widths_in_three_formats() -> None:
    variants = PRESETS["web"].recipe.variants
    assert {variant.output.format for variant in variants} == {"avif", "webp", "jpeg"}
    assert len(variants) == 12 and PRESETS["web"].picture == {"sizes": "100vw"}


def test_archive_loses_nothing() -> None:
    original = PRESETS["archive"].recipe.variant("original")
    assert original.output.lossless and original.output.colour == "keep" and not original.steps


def test_ones_own_come_beside_and_before_ours(tmp_path: Path) -> None:
    (tmp_path / "default.toml").write_text('title = "Mine"\n[[variants]]\nname = "mine"\n')
    (tmp_path / "all.toml").write_text('include = ["default", "thumbnail"]\n')
    presets = load_presets(tmp_path)
    assert presets["default"].title == "Mine" and presets["web"] == PRESETS["web"]
    assert [v.name for v in presets["all"].recipe.variants] == [
        "default-mine", "thumbnail-thumbnail", "thumbnail-thumbnail-jpeg",
    ]  # fmt: skip


def test_a_preset_may_say_how_long_its_batches_are_kept(tmp_path: Path) -> None:
    (tmp_path / "brief.toml").write_text('[retention]\noriginals = 60\n[[variants]]\nname = "a"\n')
    presets = load_presets(tmp_path)
    assert presets["brief"].retention == {"originals": 60.0}
    assert presets["default"].retention == {}


@pytest.mark.parametrize(
    "text",
    [
        'retention = 1\n[[variants]]\nname = "a"',
        '[retention]\nresult = 1\n[[variants]]\nname = "a"',
        '[retention]\nresults = -1\n[[variants]]\nname = "a"',
        '[retention]\nresults = "1"\n[[variants]]\nname = "a"',
        '[retention]\nresults = nan\n[[variants]]\nname = "a"',
        "title = ",
        "x = 1",
        '[[variants]]\nname = "A"',
        'include = ["bad"]',
        'include = ["../x"]',
        'include = ["gone"]',
        "include = 3",
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(PixelmillError, match=r"bad\.toml") as error:
        load_presets(tmp_path)
    assert error.value.code == "bad-recipe"
