"""What libvips may load: of all that is built into it, what is on our list and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pyvips

from pixelmill.imaging.vips import LOADERS
from tests import pictures


def classes() -> dict[str, list[str]]:
    """Every class of loaders in the library (``VipsForeignLoadPng``), and the operations that are of it."""
    found: dict[str, list[str]] = {}

    def below(parent: str, kind: Any) -> None:
        name, operation = pyvips.type_name(kind), pyvips.nickname_find(kind)
        top = parent or name
        found.setdefault(top, [])
        if not operation.endswith("_base"):  # that is none to be called, it is what its three have in common
            found[top].append(operation)
        walk(top, kind)

    def walk(parent: str, kind: Any) -> None:
        def each(child: Any, *_: Any) -> Any:
            below(parent, child)
            return pyvips.ffi.NULL

        pyvips.type_map(kind, each)

    walk("", pyvips.type_from_name("VipsForeignLoad"))
    return found


CLASSES = classes()


def refusal(operation: str, data: bytes, path: Path) -> str:
    """What libvips says to a real picture given to one of its loaders; nothing when it opens it."""
    path.write_bytes(data)
    given = {
        "filename": str(path),
        "buffer": data,
        "source": pyvips.Source.new_from_memory(data),
        "width": 1,
        "height": 1,
        "bands": 1,
    }
    try:
        arguments = [given[name] for name in pyvips.Introspect.get(operation).required_input]
        pyvips.Operation.call(operation, *arguments)
    except pyvips.Error as error:
        return str(error.detail)
    return ""


def test_the_library_has_loaders_that_nobody_asked_for() -> None:
    """Else what follows would show nothing."""
    assert {"VipsForeignLoadCsv", "VipsForeignLoadRaw", "VipsForeignLoadVips", "VipsForeignLoadUhdr"} <= set(CLASSES)
    assert set(LOADERS) <= set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_what_loads_is_what_is_on_the_list(name: str, tmp_path: Path) -> None:
    """Each operation of it opens a real picture, or answers that it is blocked."""
    assert CLASSES[name]
    data = pictures.sample(LOADERS.get(name, "png"))
    for operation in CLASSES[name]:
        said = refusal(operation, data, tmp_path / "picture")
        if name in LOADERS:
            assert said == "", operation
        else:
            assert "operation is blocked" in said, operation


def test_no_imagemagick() -> None:
    names = [name for top, operations in CLASSES.items() for name in (top, *operations)]
    assert not [name for name in names if "magick" in name.lower()]
