"""The reference pages say what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pixelmill.errors import CODES
from pixelmill.recipes import load_presets
from pixelmill.recipes.registry import steps

ROOT = Path(__file__).resolve().parents[3]


def test_pages_are_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pages_name_everything() -> None:
    for page, names in (("errors", CODES), ("steps", steps()), ("presets", load_presets())):
        text = (ROOT / "docs" / "reference" / f"{page}.md").read_text("utf-8")
        assert not [name for name in names if f"`{name}`" not in text and f"## {name}\n" not in text]


def test_every_parameter_says_what_it_means() -> None:
    for op, step in steps().items():
        assert step.__doc__, op
        assert not [name for name, field in step.model_fields.items() if name != "op" and not field.description], op
