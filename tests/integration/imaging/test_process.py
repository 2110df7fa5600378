"""``pixelmill process`` and ``pixelmill doctor``: no server, all cores, an exit code that tells the truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyvips
from click.testing import Result
from typer.testing import CliRunner

from pixelmill.cli.main import app
from tests import pictures

FIELD = str(pictures.PHOTOS / "field.jpg")


def pixelmill(*arguments: str) -> Result:
    """The command in this process; its decoders are processes all the same."""
    return CliRunner(env={"NO_COLOR": "1", "COLUMNS": "200"}).invoke(app, list(arguments))


def test_a_preset(tmp_path: Path) -> None:
    done = pixelmill(
        "process",
        FIELD,
        str(pictures.PHOTOS / "crop-progressive.jpg"),
        "--preset",
        "thumbnail",
        "-o",
        str(tmp_path / "out"),
    )
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "crop-progressive-thumbnail-jpeg.jpg",
        "crop-progressive-thumbnail.webp",
        "field-thumbnail-jpeg.jpg",
        "field-thumbnail.webp",
    ]
    assert "4 variants of 2 images" in done.stderr


def test_the_default_is_the_seed_s(tmp_path: Path) -> None:
    assert pixelmill("process", FIELD, "-o", str(tmp_path)).exit_code == 0
    image = pyvips.Image.new_from_file(str(tmp_path / "field-default.jpg"))
    assert (image.width, image.bands) == (512, 1)


def test_a_recipe_as_json_and_as_toml(tmp_path: Path) -> None:
    steps = [{"op": "resize", "width": 40}]
    (tmp_path / "r.json").write_text(json.dumps({"variants": [{"name": "j", "steps": steps}]}))
    (tmp_path / "r.toml").write_text('[[variants]]\nname = "t"\nsteps = [{ op = "resize", width = 50 }]\n')
    for name, width in (("json", 40), ("toml", 50)):
        assert pixelmill("process", FIELD, "--recipe", str(tmp_path / f"r.{name}"), "-o", str(tmp_path)).exit_code == 0
        made = pyvips.Image.new_from_file(str(tmp_path / f"field-{name[0]}.jpg"))
        assert made.width == width


def test_what_failed_is_named_and_the_rest_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "no.jpg").write_text("no image")
    (folder / "cut.jpg").write_bytes(pictures.jpeg()[:5000])
    (folder / "yes.png").write_bytes(pictures.sample("png"))
    done = pixelmill("process", str(folder), str(tmp_path / "gone.jpg"), "-o", str(tmp_path / "out"), "-q")
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    for name, code in (
        ("no.jpg", "(unsupported-format)"),
        ("cut.jpg", "(corrupt-image)"),
        ("gone.jpg", "No such file"),
    ):
        assert [line for line in lines if name in line and code in line]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["yes-default.jpg"]


def test_same_names_from_two_folders_do_not_meet(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(pictures.sample("png"))
    done = pixelmill("process", str(tmp_path / "a"), str(tmp_path / "b"), "-o", str(tmp_path / "out"))
    assert done.exit_code == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_what_is_asked_for_wrongly(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"variants": [{"name": "a", "steps": [{"op": "blur"}]}]}')
    for arguments, text in (
        (["--preset", "nope"], "instagram"),
        (["--recipe", str(bad)], "/variants/0/steps/0/sigma"),
        (["--recipe", str(tmp_path / "gone")], "No such file"),
        (["--recipe", str(bad), "--preset", "web"], "not both"),
    ):
        done = pixelmill("process", FIELD, "-o", str(tmp_path), *arguments)
        assert done.exit_code == 2 and text in done.stderr, done.stderr


def test_web_comes_with_a_picture_element(tmp_path: Path) -> None:
    source = tmp_path / "my photo, 1.png"
    source.write_bytes(pictures.sample("png"))
    assert pixelmill("process", str(source), "--preset", "web", "-o", str(tmp_path / "out")).exit_code == 0
    html = (tmp_path / "out" / "my photo, 1.html").read_text()
    assert "<picture>" in html and "my%20photo%2C%201-1920-avif.avif" in html


def test_the_program_itself(tmp_path: Path) -> None:
    """Once as a user starts it: exit code, and the bar on the error stream."""
    command = [sys.executable, "-m", "pixelmill", "process", FIELD, "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "1 variants of 1 images" in done.stderr and not done.stdout


def test_doctor_tells_what_this_machine_can_do() -> None:
    done = pixelmill("doctor")
    assert done.exit_code == 0, done.stdout + done.stderr
    for word in ("libvips", "landlock", "seccomp", "heic", "avif", "jxl", "svg"):
        assert word in done.stdout
