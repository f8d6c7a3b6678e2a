"""Reading events: one by its id, the latest, those that match a selector."""

from __future__ import annotations

from datetime import tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BeforeValidator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from madsci.common.clock import parse_instant
from madsci.common.errors import EventNotFoundError, InvalidInputError, TooLargeError
from madsci.common.types.log_level import level_number
from madsci.event_manager.api.models import StoredEventReply, problem_responses
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.json_reading import read_json
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import encode_event, encode_events_by_id
from madsci.event_manager.stores.base import EventStore

_MAX_SELECTOR_BYTES = 1_000_000
_QUERY_PAGE = 1_000

_CURSOR_HEADER = {
    "X-Next-Cursor": {
        "description": "Pass it as `cursor` to get the next page; absent on the last one.",
        "schema": {"type": "string"},
    }
}


def _level(value: Any) -> int:
    number = level_number(value)
    if number is None:
        raise ValueError(
            "it should be an integer or one of NOTSET, DEBUG, INFO, WARNING, ERROR, CRITICAL"
        )
    return number


def _page_size(number: int) -> int:
    return number or queries.MAX_PAGE


Level = Annotated[int, BeforeValidator(_level)]
Number = Annotated[
    int,
    Query(
        ge=0,
        le=queries.MAX_PAGE,
        description=f"Events in the reply; 0 for as many as a page holds ({queries.MAX_PAGE:,}).",
    ),
    AfterValidator(_page_size),
]
Time = Annotated[
    str | None,
    Query(
        description="ISO 8601, inclusive. Without an offset it is in the server's zone.",
        json_schema_extra={"format": "date-time"},
    ),
]
Offset = Annotated[int, Query(ge=0, le=2**53, description="Events to skip; a cursor is faster.")]
Cursor = Annotated[
    str | None, Query(description="Where to go on: the `X-Next-Cursor` of the last reply.")
]
IncludeArchived = Annotated[bool, Query(description="Whether archived events are found too.")]


def events_router(store: EventStore, naive_zone: tzinfo | None) -> APIRouter:
    """Return the routes that read events from a store.

    Times without an offset are read in ``naive_zone``, by default the zone of this machine.
    """
    router = APIRouter(tags=["events"])

    def instant(name: str, value: str | None) -> int | None:
        try:
            return None if value is None else parse_instant(value, naive_zone)
        except ValueError as error:
            problem = {"loc": ["query", name], "msg": str(error)}
            raise InvalidInputError(f"{name}: {error}.", [problem]) from error

    @router.get(
        "/event/{event_id:path}",  # ids are free text, slashes included
        summary="Get one event",
        response_model=StoredEventReply,
        responses=problem_responses(404, 503),
    )
    def get_event(event_id: str) -> Response:
        """Return the event with this id, archived or not."""
        event = store.get(event_id)
        if event is None:
            raise EventNotFoundError(event_id)
        return Response(encode_event(event), media_type="application/json")

    @router.get(
        "/events",
        summary="Get the latest events",
        response_model=dict[str, StoredEventReply],
        responses={200: {"headers": _CURSOR_HEADER}, **problem_responses(400, 422, 503)},
    )
    def get_events(  # noqa: PLR0913 - the query parameters of the route
        *,
        number: Number = queries.DEFAULT_PAGE,
        level: Annotated[Level, Query(description="The lowest level, as a number or a name.")] = 0,
        offset: Offset = 0,
        start_time: Time = None,
        end_time: Time = None,
        include_archived: IncludeArchived = False,
        cursor: Cursor = None,
    ) -> Response:
        """Return events by id, newest first; events of one time by id, greatest first."""
        selector = queries.latest(
            level=level,
            start_time=instant("start_time", start_time),
            end_time=instant("end_time", end_time),
            include_archived=include_archived,
        )
        after = None if cursor is None else queries.decode_cursor(cursor)
        return _page(store.find(queries.Query(selector, number, offset, after)))

    @router.post(
        "/events/query",
        summary="Find events by a selector",
        response_model=dict[str, StoredEventReply],
        responses={200: {"headers": _CURSOR_HEADER}, **problem_responses(400, 413, 422, 503)},
        openapi_extra=_SELECTOR_BODY,
    )
    async def query_events(
        request: Request,
        number: Number = _QUERY_PAGE,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> Response:
        """Return the events that match a MongoDB-style selector by id, newest first.

        Archived events are found too, unless the selector says `"archived": false`. Operators:
        `$eq $ne $gt $gte $lt $lte $in $nin $exists $and $or $nor $not`.
        """
        body = await _bounded_body(request)

        def find() -> queries.Page:
            document, _ = read_json(body)
            selector = parse_selector(document, naive_zone)
            after = None if cursor is None else queries.decode_cursor(cursor)
            return store.find(queries.Query(selector, number, offset, after))

        return _page(await run_in_threadpool(find))

    return router


async def _bounded_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_SELECTOR_BYTES:
            raise TooLargeError(
                f"The selector has more than {_MAX_SELECTOR_BYTES:,} bytes. Ask in parts."
            )
    return bytes(body)


def _page(page: queries.Page) -> Response:
    headers = {} if page.next_cursor is None else {"X-Next-Cursor": page.next_cursor}
    return Response(encode_events_by_id(page.events), headers=headers, media_type="application/json")


_SELECTOR_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "title": "Selector", "additionalProperties": True},
                "examples": {
                    "node": {
                        "summary": "Everything of one node from INFO upwards",
                        "value": {
                            "source.node_id": "01JJ4S0WNGEF5FQAZG5KDGJRBV",
                            "log_level": {"$gte": 20},
                        },
                    },
                    "time": {
                        "summary": "Failed steps and errors of one night",
                        "value": {
                            "event_timestamp": {"$gte": "2026-11-23T20:00:00Z"},
                            "$or": [
                                {"event_type": "workflow_step_failed"},
                                {"log_level": {"$gte": "ERROR"}},
                            ],
                        },
                    },
                },
            }
        },
    }
}
