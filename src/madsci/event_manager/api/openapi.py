"""The OpenAPI document: what the framework knows of its routes, and the fast operations beside it."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from madsci.common.types.event import Event
from madsci.event_manager.api import models
from madsci.event_manager.api.documented_problems import problem_responses
from madsci.event_manager.api.operations import FastOperation, Operation, Operations, Scope
from madsci.event_manager.api.question_schema import QUESTION_SCHEMAS, SELECTOR, SELECTOR_EXAMPLE

SCHEMAS: Final = "#/components/schemas/"
_OF_ALL: Final = frozenset({421, 422, 500, 503})
"""Statuses of problems that every operation may end in."""


def statuses_of(row: Operation) -> frozenset[int]:
    """Return the statuses of all problems that an operation may end in."""
    changes = {403} if row.method not in ("GET", "HEAD") else set()
    limited = {429} if row.scope is not Scope.SEND else set()
    return _OF_ALL.union(row.statuses, changes, limited)


def document(app: FastAPI, operations: Operations) -> dict[str, Any]:
    """Return the document of an application that serves the operations."""
    whole = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    _, schemas = models_json_schema(
        [
            (Event, "serialization"),
            (models.StoredEventReply, "serialization"),
            (models.BulkReply, "serialization"),
            (models.RejectedEvent, "serialization"),
            (models.RepairedEvent, "serialization"),
            (models.Problem, "serialization"),
        ],
        ref_template=SCHEMAS + "{model}",
    )
    known = whole.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in {**schemas["$defs"], **QUESTION_SCHEMAS}.items():
        known.setdefault(name, schema)
    for unused in ("HTTPValidationError", "ValidationError"):
        known.pop(unused, None)
    for row in operations:
        methods = whole["paths"].setdefault(row.path.replace(":path", ""), {})
        if isinstance(row, FastOperation):
            methods[row.method.lower()] = _described(row)
        else:
            _write_selectors(methods[row.method.lower()])
    return whole


def _write_selectors(operation: dict[str, Any]) -> None:
    """Say of a parameter that is a selector that it is JSON; where there is a body, say nothing of it.

    It is read there, too, but only one of the two may be given.
    """
    for parameter in operation.get("parameters", ()):
        if parameter["schema"].get("$ref") == SELECTOR:
            if "requestBody" in operation:
                operation["parameters"].remove(parameter)
                return
            described = {"schema": parameter.pop("schema"), "example": SELECTOR_EXAMPLE}
            parameter["content"] = {"application/json": described}


def _described(row: FastOperation) -> dict[str, Any]:
    problems = {str(status): reply for status, reply in problem_responses(statuses_of(row)).items()}
    responses = {**problems, **row.document["responses"]}
    return {
        "tags": [row.tag],
        "summary": row.summary,
        "operationId": row.name,
        **row.document,
        "responses": dict(sorted(responses.items())),
    }


def json_reply(schema: str, description: str, **more: Any) -> dict[str, Any]:
    """Return what OpenAPI says of a reply in JSON; ``schema`` is the name of a component."""
    content = {"application/json": {"schema": {"$ref": SCHEMAS + schema}}}
    return {"description": description, "content": content, **more}
