"""The OpenAPI description of the hot routes, which no framework sees."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from madsci.common.types.event import Event
from madsci.event_manager.api.models import (
    BulkReplyModel,
    ProblemModel,
    RejectedEvent,
    RepairedEvent,
    StoredEventReply,
)

_SCHEMAS: Final = "#/components/schemas/"


def describe_hot_routes(app: FastAPI) -> None:
    """Add the routes by which events come in to the document of the app."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _, schemas = models_json_schema(
        [
            (Event, "validation"),
            (StoredEventReply, "serialization"),
            (BulkReplyModel, "serialization"),
            (RejectedEvent, "serialization"),
            (RepairedEvent, "serialization"),
            (ProblemModel, "serialization"),
        ],
        ref_template=_SCHEMAS + "{model}",
    )
    known = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in schemas["$defs"].items():
        known.setdefault(name, schema)
    paths = document["paths"]
    paths["/event"] = {"post": _POST_EVENT, **paths.get("/event", {})}
    paths["/events"] = {**paths.get("/events", {}), "post": _POST_EVENTS}
    paths["/events/import"] = {"post": _POST_IMPORT}
    return document


def _json(schema: str, description: str, **more: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _SCHEMAS + schema}}}
    return {"description": description, "content": content, **more}


def _problem(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": _SCHEMAS + "ProblemModel"}}}
    return {"description": description, "content": content}


_COMMON_ERRORS: Final = {
    "400": _problem("The body is not JSON; the detail names the place."),
    "413": _problem("The body, or the event, is too large."),
    "415": _problem("The content encoding is none of gzip, deflate and zstd."),
    "503": _problem("Nothing was kept; send it again after `Retry-After` seconds."),
}

_POST_EVENT: Final[dict[str, Any]] = {
    "tags": ["events"],
    "summary": "Send one event",
    "operationId": "post_event",
    "description": (
        "Stores an event and answers with it once it is on disk. An event whose id is stored already"
        " stays as it was, except that `alert` is raised; the reply is the stored event, with the"
        " header `X-Event-Duplicate: true`. What cannot be read is kept under `extra` and told in"
        " `X-Event-Warning` headers."
    ),
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": _SCHEMAS + "Event"},
                "example": {
                    "event_type": "LOG_INFO",
                    "log_level": 20,
                    "event_data": "Event message or data",
                    "alert": False,
                },
            }
        },
    },
    "responses": {
        "200": _json(
            "StoredEventReply",
            "The stored event.",
            headers={
                "X-Event-Duplicate": {
                    "description": "`true` if the id was stored before.",
                    "schema": {"type": "string"},
                },
                "X-Event-Warning": {
                    "description": "What could not be read and where it was kept.",
                    "schema": {"type": "string"},
                },
            },
        ),
        **_COMMON_ERRORS,
        "422": _problem("JSON, but nothing that can be kept as an event."),
    },
}

_POST_EVENTS: Final[dict[str, Any]] = {
    "tags": ["events"],
    "summary": "Send many events",
    "operationId": "post_events",
    "description": (
        "Stores the events of a JSON array, or of newline-delimited JSON with one event a line, and"
        " answers once they are on disk. The body may be compressed with gzip, deflate or zstd."
        " Broken lines are listed, the others are stored. Sending a body again stores nothing twice."
    ),
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"event_type":"log_info","event_data":"first"}\n{"event_data":"second"}\n',
            },
            "application/json": {"schema": {"type": "array", "items": {"$ref": _SCHEMAS + "Event"}}},
        },
    },
    "responses": {
        "200": _json("BulkReplyModel", "What became of the events; some may be rejected."),
        "422": _json("BulkReplyModel", "Every event was rejected."),
        **_COMMON_ERRORS,
    },
}

_POST_IMPORT: Final[dict[str, Any]] = {
    **_POST_EVENTS,
    "summary": "Import events of another store",
    "operationId": "post_import",
    "description": (
        "Stores exported events as they are: with their ids, their times and when they were received"
        " then; nobody is alerted about them. Otherwise like `POST /events`: importing a file again"
        " stores nothing twice."
    ),
}
