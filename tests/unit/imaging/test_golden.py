"""What the eye sees of each step and preset stays the same from version to version."""

from __future__ import annotations

from pathlib import Path

from tests import golden


def test_pictures_look_as_they_did() -> None:
    now = golden.made()
    assert {path.stem for path in golden.FOLDER.glob("*.webp")} == set(now)
    changed = {
        name: round(likeness, 1)
        for name, image in now.items()
        if (likeness := golden.compare(name, image)) < golden.ALIKE
    }
    assert not changed, "run python -m tests.golden --report FOLDER and look"


def test_another_picture_is_noticed() -> None:
    now = golden.made()
    assert golden.compare("step-sepia", now["step-tint"]) < golden.ALIKE
    assert golden.compare("step-blur", now["step-sharpen"]) < golden.ALIKE
    assert golden.compare("step-contain", now["step-blur"]) == -100


def test_the_report_has_pictures(tmp_path: Path) -> None:
    golden.report(tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "With libvips" in page and page.count("<img") >= 3 * len(golden.STEPS)
    assert (tmp_path / "step-sepia-was.png").exists()
