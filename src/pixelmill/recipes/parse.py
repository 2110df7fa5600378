"""From JSON or plain values to a :class:`Recipe`, with an error that points at the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

from pydantic import ValidationError

from pixelmill.errors import PixelmillError
from pixelmill.recipes.models import Recipe

MOST_BYTES = 256 * 1024
#: Characters, or bytes, of a recipe that is kept in memory: a photographer's fifty variants have fewer.
SHORT = 16 * 1024
T = TypeVar("T", str, str | bytes)


def parse_recipe(value: str | bytes | dict[str, Any], max_variants: int | None = None) -> Recipe:
    """Check a recipe.

    Raises :class:`PixelmillError` ``bad-recipe`` whose ``extra["pointer"]`` is the JSON pointer (RFC 6901) of the
    first field that is wrong, and ``extra["errors"]`` all of them; ``too-many-variants`` beyond ``max_variants``;
    ``presets-only`` when that is 0.
    """
    if max_variants == 0:
        raise PixelmillError("presets-only", extra={"pointer": ""})
    recipe = _of_text(value) if isinstance(value, str | bytes) else _checked(value)
    if max_variants is not None and len(recipe.variants) > max_variants:
        raise PixelmillError(
            "too-many-variants",
            f"The recipe has {len(recipe.variants)} variants; at most {max_variants} are made.",
            {"pointer": "/variants"},
        )
    return recipe


def _kept(read: Callable[[T], Recipe]) -> Callable[[T], Recipe]:
    """The same text comes again and again, and a recipe never changes: it is checked once, unless it is long."""
    once = lru_cache(maxsize=16)(read)

    @wraps(read)
    def reading(text: T) -> Recipe:
        return once(text) if len(text) <= SHORT else read(text)

    return reading


@_kept
def _of_text(text: str | bytes) -> Recipe:
    return _checked(_load(text))


@_kept
def reread(text: str) -> Recipe:
    """A recipe from its own :attr:`Recipe.text`, which may be longer than what a client sends."""
    return _checked(json.loads(text))


def _checked(value: Any) -> Recipe:
    if not isinstance(value, dict):
        raise _bad([{"pointer": "", "detail": "A recipe is an object with `variants`."}])
    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        raise _bad([_problem(value, item) for item in error.errors(include_url=False)]) from None


def _load(text: str | bytes) -> Any:
    if len(text) > MOST_BYTES:
        raise _bad([{"pointer": "", "detail": f"A recipe has at most {MOST_BYTES} bytes."}])
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        raise _bad([{"pointer": "", "detail": "The recipe is not UTF-8 text."}]) from None
    except RecursionError:
        raise _bad([{"pointer": "", "detail": "The recipe is nested too deeply."}]) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _bad([{"pointer": "", "detail": f"The recipe is not JSON: {error.msg} at {where}."}]) from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise _bad([{"pointer": "", "detail": f"The recipe is not JSON: {error}."}]) from None


def _problem(value: Any, error: Any) -> dict[str, str]:
    """Pydantic names the branch of a union it took as if it were a member; the pointer keeps real members only."""
    path: list[str] = []
    here = value
    location = list(error["loc"])
    for index, part in enumerate(location):
        if isinstance(part, int) and isinstance(here, list | tuple) and 0 <= part < len(here):
            here = here[part]
        elif isinstance(part, str) and isinstance(here, dict) and (part in here or index == len(location) - 1):
            if part not in here and error["type"] not in ("missing", "extra_forbidden"):
                continue
            here = here.get(part)
        else:
            continue
        path.append(str(part).replace("~", "~0").replace("/", "~1"))
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path.append("op")
    message = error["msg"].removeprefix("Value error, ")
    return {"pointer": "".join(f"/{part}" for part in path), "detail": message}


def _bad(errors: list[dict[str, str]]) -> PixelmillError:
    first = errors[0]
    where = f" (at {first['pointer']})" if first["pointer"] else ""
    return PixelmillError(
        "bad-recipe", f"{first['detail']}{where}", {"pointer": first["pointer"], "errors": errors[:20]}
    )
