"""``/docs``: Swagger UI from files on this machine, under a policy that lets it run nothing else; the document."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from pixelmill.api import schemas
from pixelmill.api.auth import PUBLIC
from pixelmill.errors import PixelmillError
from pixelmill.recipes import Recipe

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pixelmill API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  layout: "BaseLayout",
});
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/docs", dependencies=[PUBLIC])
async def docs() -> Response:
    return Response(_PAGE, headers={"Content-Security-Policy": _POLICY}, media_type="text/html")


@router.get("/docs/{name}", dependencies=[PUBLIC])
async def docs_file(name: str) -> Response:
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    kinds = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
    if name not in kinds:
        raise PixelmillError("not-found", f"There is no page /docs/{name[:50]}.")
    # The package is used for the files of Swagger UI that it carries, not for its code.
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(content, headers={"Cache-Control": "max-age=86400"}, media_type=kinds[name])


def install(app: FastAPI, description: str) -> None:
    """Replace the document that FastAPI makes by one in which every error is a problem."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=description,
                routes=app.routes,
                tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
                license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            )
            app.openapi_schema = _finish(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.include_router(router)


_TAGS = {
    "batches": "One request: its images, one recipe, one status.",
    "uploads": "Files that come on their own, before their batch.",
    "jobs": "One image of a batch: its variants, tries and log.",
    "live": "What happens, as it happens.",
    "results": "The bytes that were made.",
    "presets": "What can be asked for.",
    "keys": "Who may do what.",
    "webhooks": "Who is told when a batch ends.",
    "service": "How the service is.",
}


def _finish(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {}).setdefault("schemas", {})
    recipe = Recipe.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
    for name, schema in {**recipe.pop("$defs", {}), "Recipe": recipe}.items():
        if components.setdefault(name, schema) != schema:
            raise TypeError(f"the document has two schemas of the name {name}")
    components["Problem"] = schemas.Problem.model_json_schema()
    for path in document["paths"].values():
        for operation in path.values():
            # FastAPI's own error body: what it stands for is answered as a 400 problem.
            declared = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in declared:
                del operation["responses"]["422"]
            operation["responses"]["default"] = {
                "description": "Any other problem.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    return document
