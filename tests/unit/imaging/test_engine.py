from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from pixelmill import imaging, recipes
from pixelmill.imaging.engine import LIBRARIES, engine_version

#: Pixels do not depend on these.
OTHERS = {"pixelmill", "pydantic", "pydantic_core", "landlockpy", "seccompy"}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    engine_version.cache_clear()
    yield
    engine_version.cache_clear()


def imported(folder: Path) -> set[str]:
    """The top names that the code of a folder imports."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


def test_every_library_that_touches_pixels_counts() -> None:
    packages = packages_distributions()
    folders = [Path(package.__file__ or "").parent for package in (imaging, recipes)]
    names = set().union(*map(imported, folders)) - sys.stdlib_module_names - OTHERS
    used = {package.lower().replace("_", "-") for name in names for package in packages[name]}
    assert used <= {*LIBRARIES}


def test_another_library_is_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = engine_version()
    engine_version.cache_clear()
    assert engine_version() == before
    engine_version.cache_clear()
    monkeypatch.setattr(
        "pixelmill.imaging.engine.installed", lambda name: "99" if name == "pyvips-binary" else version(name)
    )
    assert engine_version() != before


def test_other_code_is_another_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = engine_version()
    engine_version.cache_clear()
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "blur.py").write_text("sigma = 2")
    monkeypatch.setattr(recipes, "__file__", str(tmp_path / "__init__.py"))
    one = engine_version()
    engine_version.cache_clear()
    (tmp_path / "steps" / "blur.py").write_text("sigma = 3")
    assert len({before, one, engine_version()}) == 3
