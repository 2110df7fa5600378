"""``/presets``: what can be asked for, and how much at once."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from pixelmill.api import schemas
from pixelmill.api.auth import Anyone
from pixelmill.api.parts import Given

router = APIRouter(tags=["presets"])


@router.get("/presets", summary="Presets and limits", response_model=schemas.PresetsOut)
async def get_presets(parts: Given, caller: Anyone) -> Response:
    settings = parts.settings
    shown = [
        schemas.PresetOut(
            name=one.name,
            title=one.title,
            description=one.description,
            recipe=one.recipe.plain,
        )
        for one in parts.presets.values()
    ]
    limits = schemas.LimitsOut(
        max_files=settings.max_files,
        max_file_bytes=settings.max_file_bytes,
        max_pixels=settings.max_pixels,
        max_dimension=settings.max_dimension,
        max_frames=settings.max_frames,
        max_variants=settings.max_variants,
    )
    return schemas.answer(schemas.PresetsOut(presets=shown, limits=limits), headers={"Cache-Control": "no-cache"})
