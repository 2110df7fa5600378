"""Writes web/src/api/schema.d.ts, the wire as the pages see it, from the code: ``scripts/page_types.py [--check]``.

Of the OpenAPI document it takes the schemas that the pages name, with those they are made of and without their prose,
so that only a change that concerns the pages makes the file old. The file begins with a fingerprint of what it was made
from: ``--check`` compares that and needs neither Node nor a registry of packages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from pixelmill import app  # noqa: E402
from pixelmill.settings import Settings  # noqa: E402

PAGES = ROOT / "web" / "src"
TYPES = PAGES / "api" / "schema.d.ts"
#: Made with packages of its own, for it needs an older TypeScript than the pages.
TOOL = ["--package=openapi-typescript@7.13.0", "--package=typescript@5.9", "--", "openapi-typescript"]
PROSE = ("title", "description", "examples", "example")
REFERENCE = "#/components/schemas/"


def wanted() -> set[str]:
    """Names of the schemas that the pages use: each is written ``Schemas["Name"]``."""
    sources = (path.read_text("utf-8") for path in PAGES.rglob("*.ts*") if path != TYPES)
    return {name for text in sources for name in re.findall(r'\bSchemas\["(\w+)"\]', text)}


def document(names: set[str]) -> dict[str, Any]:
    """An OpenAPI document of the schemas ``names`` and what they refer to. Raises KeyError where one is missing."""
    schemas = app.api(Settings(redis_url="redis://127.0.0.1:1")).openapi()["components"]["schemas"]
    taken: dict[str, Any] = {}
    todo = sorted(names)
    while todo:
        name = todo.pop()
        if name not in taken:
            taken[name] = _bare(schemas[name])
            todo += re.findall(rf'"\$ref": "{REFERENCE}(\w+)"', json.dumps(taken[name]))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pixelmill", "version": "1"},
        "paths": {},
        "components": {"schemas": dict(sorted(taken.items()))},
    }


def _bare(schema: Any, *, members: bool = False) -> Any:
    """Without prose; ``members``: the keys are names of properties, and none is prose."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _bare(value, members=key == "properties" and not members)
        for key, value in schema.items()
        if members or key not in PROSE
    }


def head(made_from: dict[str, Any]) -> str:
    fingerprint = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
    return f"// Made by scripts/page_types.py from the code: {fingerprint}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    made_from = document(wanted())
    if parser.parse_args().check:
        if not TYPES.read_text("utf-8").startswith(head(made_from)):
            raise SystemExit("web/src/api/schema.d.ts is not what the code says; run scripts/page_types.py")
        return
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "openapi.json"), Path(folder, "schema.d.ts")
        source.write_text(json.dumps(made_from), "utf-8")
        command = ["sh", ROOT / "scripts" / "npm.sh", "exec", "--yes", *TOOL, source, "-o", made]
        subprocess.run(command, check=True, stdout=sys.stderr)
        TYPES.write_text(head(made_from) + made.read_text("utf-8"), "utf-8")


if __name__ == "__main__":
    main()
