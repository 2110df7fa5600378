"""The types that the pages are checked with are those of the service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.page_types import document

ROOT = Path(__file__).resolve().parents[3]


def test_the_types_of_the_pages_are_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "page_types.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_only_what_is_named_is_taken_with_what_it_is_made_of() -> None:
    schemas = document({"BatchOut"})["components"]["schemas"]
    assert {"BatchOut", "ImageOut", "VariantOut", "State"} <= schemas.keys()
    assert "AuditPage" not in schemas
    # A property may have the name of what is prose elsewhere.
    assert "title" in document({"Problem"})["components"]["schemas"]["Problem"]["properties"]
    assert "description" not in schemas["BatchOut"]
