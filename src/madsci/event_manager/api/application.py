"""The web application: the table of operations behind its front, as an application of the framework."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from madsci.event_manager.api import problems
from madsci.event_manager.api.documented_problems import problem_responses
from madsci.event_manager.api.front import Front, Row
from madsci.event_manager.api.guard import Guard
from madsci.event_manager.api.openapi import document, statuses_of
from madsci.event_manager.api.operations import FastOperation, Operation, Operations
from madsci.event_manager.api.pages import add_pages

Layer = Callable[[ASGIApp], ASGIApp]
"""Puts something around an application."""


class Application(FastAPI):
    """Serves the operations of a table. What is added with ``add_middleware`` sees every request.

    ``prefix`` is that of paths behind a proxy; ``limit`` is put around all but the fast operations.
    """

    def __init__(  # noqa: PLR0913 - what an application is made of
        self,
        operations: Operations,
        guard: Guard,
        *,
        prefix: str,
        title: str,
        description: str,
        version: str,
        lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
        limit: Layer | None = None,
    ) -> None:
        super().__init__(
            title=title,
            description=description,
            version=version,
            lifespan=lifespan,
            docs_url=None,
            redoc_url=None,
        )
        self._guard = guard
        self._prefix = prefix
        self._limit = limit
        self._operations = operations
        self._rows = [Row(row, self._register(row)) for row in operations]
        problems.install(self)
        add_pages(self)

    def _register(self, row: Operation) -> frozenset[str]:
        """Let the framework know a row; return the names of its parameters in the URL."""
        if isinstance(row, FastOperation):
            return frozenset()
        options = {**row.options}
        responses = {**problem_responses(statuses_of(row)), **options.pop("responses", {})}
        self.add_api_route(
            row.path,
            row.handler,
            methods=[row.method],
            operation_id=row.name,
            summary=row.summary,
            tags=[row.tag],
            responses=responses,
            **options,
        )
        route = self.router.routes[-1]
        return _parameters(route.dependant) if isinstance(route, APIRoute) else frozenset()

    def build_middleware_stack(self) -> ASGIApp:
        """Return the front, within what was added with ``add_middleware``."""
        added, self.user_middleware = self.user_middleware, []
        behind = super().build_middleware_stack()
        self.user_middleware = added
        if self._limit is not None:
            behind = self._limit(behind)
        app: ASGIApp = Front(self._rows, behind, self._guard, self._prefix)
        for middleware in reversed(added):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return app

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = document(self, self._operations)
        return self.openapi_schema


def _parameters(dependant: Dependant) -> frozenset[str]:
    own = {parameter.alias for parameter in dependant.query_params}
    return frozenset(own.union(*(_parameters(one) for one in dependant.dependencies)))
