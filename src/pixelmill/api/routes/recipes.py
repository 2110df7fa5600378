"""``/recipes``: try a recipe before it is used."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pixelmill.api import json_body, problems, schemas
from pixelmill.api.auth import Anyone
from pixelmill.api.parts import Given
from pixelmill.recipes import Recipe, parse_recipe

router = APIRouter(tags=["presets"])

#: What ``parse_recipe`` takes, and a little more, so that its own words are heard.
MAX_BYTES = 300 * 1024

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Recipe"},
                "example": {
                    "variants": [
                        {
                            "name": "hero",
                            "steps": [{"op": "resize", "width": 1600}],
                            "output": {"format": "webp", "quality": 80},
                        }
                    ]
                },
            }
        },
    }
}


@router.get("/recipes/schema", summary="What a recipe can say", response_model=dict[str, Any])
async def recipe_schema(caller: Anyone) -> Response:
    """JSON Schema, made from the models that check recipes: forms and editors are built from it."""
    return Response(
        json.dumps(_schema(), ensure_ascii=False), media_type="application/json", headers={"Cache-Control": "no-cache"}
    )


@cache
def _schema() -> dict[str, Any]:
    return Recipe.model_json_schema(by_alias=True)


@router.post(
    "/recipes/validate",
    summary="Check a recipe",
    response_model=schemas.RecipeOut,
    responses=problems.responses(
        "bad-recipe", "too-many-variants", "bad-request", "unsupported-media-type", "too-large-request"
    ),
    openapi_extra=_BODY,
)
async def validate_recipe(request: Request, parts: Given, caller: Anyone) -> Response:
    """Answers with the recipe as it would be used, defaults filled in. The problem's `pointer` names a wrong field."""
    recipe = parse_recipe(await json_body.read(request, MAX_BYTES), parts.settings.max_variants)
    shown = schemas.RecipeOut(
        recipe=recipe.plain,
        variants=[variant.name for variant in recipe.variants],
    )
    return schemas.answer(shown)
