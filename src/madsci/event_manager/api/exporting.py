"""Getting events out as a file."""

from __future__ import annotations

import contextlib
from datetime import datetime, tzinfo
from typing import Annotated

from fastapi import Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response, StreamingResponse

from madsci.common.clock import UTC
from madsci.common.errors import OverloadedError, QueryTimeoutError
from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.bodies import Bodies
from madsci.event_manager.api.operations import Operations, Scope
from madsci.event_manager.api.parameters import OR_NONE, question_of_request
from madsci.event_manager.api.question_schema import FIELD, OPTIONAL_BODY
from madsci.event_manager.api.streams import stream_of
from madsci.event_manager.export.formats import FORMATS, format_named
from madsci.event_manager.export.projection import parse_fields
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.sorting import OLDEST_FIRST
from madsci.event_manager.search.question import Question
from madsci.event_manager.search.service import Search

Format = Annotated[
    str,
    WithJsonSchema({"type": "string", "enum": list(FORMATS)}),
    Query(description=f"One of {', '.join(FORMATS)}."),
]
FieldNames = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({FIELD}(,{FIELD})*)?$",
            "examples": ["event_timestamp,event_data.message"],
        }
    ),
    Query(description="Members to take, between commas; none for all of them."),
]


def export_operations(search: Search, bodies: Bodies, naive_zone: tzinfo | None) -> Operations:
    """Return the operation that streams a selection as a file; GET for people, POST for programs."""
    operations = Operations()
    asked = question_of_request(bodies, naive_zone)
    content = {
        kind.media_type.split(";")[0]: {"schema": {"type": "string"}} for kind in FORMATS.values()
    }

    async def export_events(
        request: Request,
        question: Question = asked,
        format: Format = "ndjson",  # noqa: A002 - the name of the parameter
        fields: FieldNames = None,
    ) -> Response:
        """Stream everything that matches, the oldest first unless `sort` says otherwise.

        Only what was committed before the export began is in it. What fails on the way cuts the reply
        off. `X-Total-Count` tells how many events match, unless counting takes too long, or `cursor`
        begins amidst them.
        """
        kind = format_named(format)
        fence = await attended(request.receive, search.fence())
        query = question.query(OLDEST_FIRST, usual=queries.NO_LIMIT, most=queries.NO_LIMIT, fence=fence)
        chosen = question.fields if fields is None else parse_fields(fields)
        headers = {"Content-Disposition": f'attachment; filename="{_file_name(kind.suffix)}"'}
        if query.after is None:
            # Each part of the stream has the budget for itself: it may be made where counting may not.
            with contextlib.suppress(QueryTimeoutError, OverloadedError):
                counting = search.count(question.selector, fence, since=question.since)
                matching = await attended(request.receive, counting)
                headers["X-Total-Count"] = str(min(query.limit, matching))
        return await stream_of(request.receive, search, format, query, chosen, headers)

    for method, name, body in (("GET", "export_events", None), ("POST", "export_query", OPTIONAL_BODY)):
        operations.add(
            method,
            "/events/export",
            name,
            "Export events as a file",
            Scope.READ,
            "events",
            (400, 413, 415, 501, 504),
            response_class=StreamingResponse,
            responses={200: {"content": content}},
            openapi_extra=body,
        )(export_events)
    return operations


def _file_name(suffix: str) -> str:
    return f"madsci_events_{datetime.now(UTC):%Y%m%d_%H%M%S}{suffix}"
