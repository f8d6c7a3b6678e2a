"""The documentation pages, which ask nothing of any other host: labs are offline."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_ASSETS: Final = "/static-offline-docs"
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'"
)
"""What the pages may load; ReDoc would show a logo from its makers' host."""
_HEADERS: Final = {"Content-Security-Policy": _POLICY}


def add_pages(app: FastAPI) -> None:
    """Add ``/docs`` and ``/redoc``, and what they need."""
    assets = StaticFiles(directory=str(files(fastapi_offline) / "static"))
    app.mount(_ASSETS, assets, name="static-offline-docs")

    @app.get("/docs", include_in_schema=False)
    async def swagger_page(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return _with_policy(
            get_swagger_ui_html(
                openapi_url=f"{root}/openapi.json",
                title=f"{app.title} - Swagger UI",
                swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
                swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
                swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
            )
        )

    @app.get("/redoc", include_in_schema=False)
    async def redoc_page(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return _with_policy(
            get_redoc_html(
                openapi_url=f"{root}/openapi.json",
                title=f"{app.title} - ReDoc",
                redoc_js_url=f"{root}{_ASSETS}/redoc.standalone.js",
                redoc_favicon_url=f"{root}{_ASSETS}/favicon.png",
                with_google_fonts=False,
            )
        )


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    page.headers.update(_HEADERS)
    return page
