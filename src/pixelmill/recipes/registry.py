"""Finds the steps: every module in the package ``pixelmill.imaging.steps`` is one step, named by its ``op``.

The package is named as text, since recipes stands below imaging and may not import it: to this module a step is a
plug-in that knows its own parameters. No module there imports libvips before it has a pixel to work on, so that a
server process can check a recipe without the image library.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pixelmill.recipes.step import Step

PACKAGE = "pixelmill.imaging.steps"


@cache
def steps() -> dict[str, type[Step]]:
    """All steps by ``op``, sorted."""
    package = importlib.import_module(PACKAGE)
    found: dict[str, type[Step]] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"{PACKAGE}.{module.name}")
        for value in vars(loaded).values():
            own = inspect.isclass(value) and issubclass(value, Step) and value.__module__ == loaded.__name__
            if own and "op" in value.__annotations__:
                found[value.model_fields["op"].default] = value
    return dict(sorted(found.items()))


class AnyStep:
    """Annotation that makes pydantic choose the step's class by ``op``."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.tagged_union_schema(
            choices={op: handler.generate_schema(step) for op, step in steps().items()}, discriminator="op"
        )
