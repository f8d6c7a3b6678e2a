"""What every manager answers: who it is, how it is, what it is set to."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import JSONResponse, Response

from madsci.common.types.health import EventManagerHealth
from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.api.models import Definition, SettingsReply
from madsci.event_manager.api.operations import Operations, Scope
from madsci.event_manager.health.monitor import Monitor


def manager_operations(
    settings: EventManagerSettings, definition: dict[str, Any], health: Monitor
) -> Operations:
    """Return the operations about the manager itself."""
    operations = Operations()

    @operations.add(
        "GET",
        "/health",
        "get_health",
        "How the server is",
        Scope.OPEN,
        "manager",
        response_model=EventManagerHealth,
        responses={503: {"model": EventManagerHealth, "description": "Something is in trouble."}},
    )
    async def get_health() -> Response:
        """Answer 200 while all is well, 503 when somebody has to see to something, within a second."""
        state = await health.asked()  # on the event loop: questions may keep all threads busy
        return JSONResponse(state.model_dump(mode="json"), 200 if state.healthy else 503)

    def get_definition() -> dict[str, Any]:
        """Return the manager's definition, secrets masked."""
        return definition

    for path, name in (("/definition", "get_definition"), ("/", "get_root")):
        operations.add(
            "GET",
            path,
            name,
            "Who this manager is",
            Scope.OPEN,
            "manager",
            response_model=Definition,
        )(get_definition)

    @operations.add(
        "GET",
        "/settings",
        "get_settings",
        "The settings in force",
        Scope.READ,
        "manager",
        response_model=SettingsReply,
        response_model_exclude_none=True,
    )
    def get_settings(
        *,
        include_defaults: Annotated[bool, Query(description="Whether defaults are listed.")] = True,
        include_schema: Annotated[bool, Query(description="Whether to explain each.")] = False,
    ) -> Response:
        """Return the settings, secrets masked."""
        reply: dict[str, Any] = {"settings": settings.masked(include_defaults=include_defaults)}
        if include_schema:
            reply["schema"] = type(settings).model_json_schema()
            reply["schema_title"] = type(settings).__name__
        return JSONResponse(reply)

    return operations
