"""Reading events: one by its id, the latest, those that match a selector."""

from __future__ import annotations

from datetime import tzinfo
from functools import partial

from fastapi import Request
from starlette.responses import Response

from madsci.common.errors import EventNotFoundError
from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.bodies import Bodies
from madsci.event_manager.api.models import StoredEventReply
from madsci.event_manager.api.operations import Operations, Scope
from madsci.event_manager.api.page_reply import PageReply, ReplyRoom
from madsci.event_manager.api.parameters import (
    QUERY_PAGE,
    Cursor,
    IncludeArchived,
    Level,
    Number,
    Offset,
    Order,
    Time,
    question_in,
    read_instant,
)
from madsci.event_manager.api.question_schema import QUESTION_BODY
from madsci.event_manager.api.streams import NDJSON, stream_of
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.sorting import NEWEST_FIRST, parse_sort
from madsci.event_manager.search.service import Search

CURSOR_HEADER = {
    "X-Next-Cursor": {
        "description": "Pass it as `cursor` to get the next page; absent on the last one.",
        "schema": {"type": "string"},
    }
}


def event_operations(
    search: Search, bodies: Bodies, room: ReplyRoom, naive_zone: tzinfo | None
) -> Operations:
    """Return the operations that read events.

    Times without an offset are read in ``naive_zone``, by default the zone of this machine.
    """
    operations = Operations()

    @operations.add(
        "GET",
        "/event/{event_id:path}",  # ids are free text, slashes included
        "get_event",
        "Get one event",
        Scope.READ,
        "events",
        (404,),
        response_model=StoredEventReply,
    )
    async def get_event(event_id: str) -> Response:
        """Return the event with this id, archived or not."""
        body = await search.get(event_id)
        if body is None:
            raise EventNotFoundError(event_id)
        return PageReply(room, body)

    @operations.add(
        "GET",
        "/events",
        "get_events",
        "Get the latest events",
        Scope.READ,
        "events",
        (400, 504),
        response_model=dict[str, StoredEventReply],
        responses={200: {"headers": CURSOR_HEADER}},
    )
    async def get_events(  # noqa: PLR0913 - the query parameters of the route
        *,
        request: Request,
        number: Number = queries.DEFAULT_PAGE,
        level: Level = 0,
        offset: Offset = 0,
        start_time: Time = None,
        end_time: Time = None,
        include_archived: IncludeArchived = False,
        cursor: Cursor = None,
        sort: Order = None,
    ) -> Response:
        """Return events by id, newest first; events of one time by id, greatest first."""
        selector = queries.latest(
            level=level,
            start_time=read_instant("start_time", start_time, naive_zone),
            end_time=read_instant("end_time", end_time, naive_zone),
            include_archived=include_archived,
        )
        order = NEWEST_FIRST if sort is None else parse_sort(sort)
        after = None if cursor is None else queries.decode_cursor(cursor, order)
        query = queries.Query(selector, number, offset, after, order)
        page = await attended(request.receive, search.latest(query))
        return PageReply(room, page.body, page.next_cursor)

    @operations.add(
        "POST",
        "/events/query",
        "query_events",
        "Find events by a selector",
        Scope.READ,
        "events",
        (400, 413, 415, 504),
        response_model=dict[str, StoredEventReply],
        responses={
            200: {"headers": CURSOR_HEADER, "content": {NDJSON: {"schema": {"type": "string"}}}}
        },
        openapi_extra=QUESTION_BODY,
    )
    async def query_events(
        request: Request,
        number: Number | None = None,
        offset: Offset = 0,
        cursor: Cursor = None,
    ) -> Response:
        """Return the events that match a MongoDB-style selector by id, newest first.

        The body is a selector, or an object with `selector` and any of `sort`, `limit`, `cursor`,
        `fields` and `include_archived`. Archived events are found too, unless that is false. With
        `Accept: application/x-ndjson` all matching events are streamed, one a line.
        """
        question = await question_in(await bodies.read(request), naive_zone)
        to_query = partial(question.query, NEWEST_FIRST, number=number, offset=offset, cursor=cursor)
        if NDJSON in request.headers.get("accept", ""):
            query = to_query(usual=queries.NO_LIMIT, most=queries.NO_LIMIT)
            return await stream_of(request.receive, search, "ndjson", query, question.fields)
        query = to_query(usual=QUERY_PAGE, most=queries.MAX_PAGE)
        asked = search.page(query, question.fields, since=question.since)
        page = await attended(request.receive, asked)
        return PageReply(room, page.body, page.next_cursor)

    return operations
