"""What a request asks for beside its files: the same names as form fields and in the query."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from pixelmill.errors import PixelmillError
from pixelmill.recipes import Preset, Recipe, parse_recipe
from pixelmill.records import fairness

#: Made when nothing else is asked for: 512 px wide, grayscale, JPEG of quality 80.
DEFAULT_PRESET = "default"
NAMES = ("preset", "recipe", "priority", "callbackUrl", "metadata", "retention")
MAX_METADATA_BYTES = 16 * 1024
#: Ten years, in seconds.
MAX_RETENTION = 10 * 366 * 86400
MAX_PRIORITY = fairness.LOWEST

DESCRIPTIONS = {
    "preset": f"A name from GET /presets. Without it and `recipe`: `{DEFAULT_PRESET}`.",
    "recipe": 'What to make, as JSON: `{"variants": [{"name": …, "steps": […], "output": {…}}]}`.',
    "priority": f"0, the default, goes first of what you have sent; then 1, 2 … {MAX_PRIORITY}.",
    "callbackUrl": "An http or https address that is told when the batch is over.",
    "metadata": f"A JSON object, kept and given back with the batch; at most {MAX_METADATA_BYTES} bytes.",
    "retention": "How long bytes are kept after the end of the batch, in seconds, 0 for ever, as JSON: "
    '`{"originals": 3600, "results": 86400}`. What is not named is as the preset or the service has it.',
}


@dataclass(frozen=True, slots=True)
class Options:
    recipe: Recipe
    preset: str | None
    priority: int
    callback_url: str | None
    metadata: dict[str, Any]
    retention: dict[str, float]


#: The options as parameters of the query, for the document.
PARAMETERS: list[dict[str, Any]] = [
    {"name": name, "in": "query", "schema": {"type": "string"}, "description": text}
    | ({"schema": {"type": "integer", "minimum": 0, "maximum": MAX_PRIORITY}} if name == "priority" else {})
    | ({"example": "instagram"} if name == "preset" else {})
    for name, text in DESCRIPTIONS.items()
]


def in_query(request: Request) -> dict[str, str]:
    """The options that are in the query. Raises PixelmillError ``bad-request`` when one is given twice.

    Read here and not by FastAPI, which takes a twentieth of a request's time to find that none of them is there.
    """
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    for name in NAMES:
        if names.count(name) > 1:
            raise PixelmillError("bad-request", f"The query parameter {name!r} is given twice.")
    return {name: value for name, value in given if name in NAMES}


def read(values: Mapping[str, str], presets: Mapping[str, Preset], max_variants: int) -> Options:
    """Check the options. Raises PixelmillError: `bad-request`, `unknown-preset`, `bad-recipe`, `too-many-variants`."""
    given = {name: value for name, value in values.items() if value != ""}
    if "preset" in given and "recipe" in given:
        raise PixelmillError("bad-request", "Give `preset` or `recipe`, not both.")
    name: str | None = None
    if "recipe" in given:
        recipe = parse_recipe(given["recipe"], max_variants)
    else:
        name = given.get("preset", DEFAULT_PRESET)
        if name not in presets:
            known = ", ".join(sorted(presets))
            raise PixelmillError("unknown-preset", f"There is no preset {name[:100]!r}; there are: {known}.")
        recipe = presets[name].recipe
    return Options(
        recipe=recipe,
        preset=name,
        priority=_priority(given.get("priority", "0")),
        callback_url=_callback(given["callbackUrl"]) if "callbackUrl" in given else None,
        metadata=_metadata(given["metadata"]) if "metadata" in given else {},
        retention=(dict(presets[name].retention) if name else {}) | _retention(given.get("retention", "{}")),
    )


def _priority(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 7 and int(text) <= MAX_PRIORITY):
        raise PixelmillError("bad-request", f"priority: a whole number from 0 to {MAX_PRIORITY}.")
    return int(text)


def _callback(text: str) -> str:
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and not url.username and url.port != 0
    except ValueError:
        usable = False
    if not usable or len(text) > 2000 or not text.isascii() or not text.isprintable() or " " in text:
        raise PixelmillError("bad-request", "callbackUrl: an absolute http or https address without a user name.")
    return text


def _metadata(text: str) -> dict[str, Any]:
    problem = f"metadata: a JSON object of at most {MAX_METADATA_BYTES} bytes."
    if len(text.encode("utf-8", "replace")) > MAX_METADATA_BYTES:
        raise PixelmillError("bad-request", problem)
    try:
        value = json.loads(text, parse_constant=_no_constant)
        # What no database takes in a text, and what is no Unicode text at all.
        if not isinstance(value, dict) or "\0" in (plain := _flat(value)):
            raise PixelmillError("bad-request", problem)
        plain.encode()
    except (ValueError, RecursionError) as error:
        raise PixelmillError("bad-request", problem) from error
    return value


def _retention(text: str) -> dict[str, float]:
    problem = (
        f'retention: a JSON object like {{"originals": 3600, "results": 86400}}; seconds, 0 for ever, '
        f"at most {MAX_RETENTION}."
    )
    try:
        value = json.loads(text[:1000], parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PixelmillError("bad-request", problem) from error
    if not isinstance(value, dict) or not all(name in ("originals", "results") for name in value):
        raise PixelmillError("bad-request", problem)
    for seconds in value.values():
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_RETENTION:
            raise PixelmillError("bad-request", problem)
    return {name: float(seconds) for name, seconds in value.items()}


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _flat(value: Any) -> str:
    """Every text in ``value``, in one."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(_flat(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return "".join(map(_flat, value))
    return ""
