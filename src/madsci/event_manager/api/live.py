"""Watching events as they come: a reply that goes on."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Annotated, Final

from fastapi import Header, Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from madsci.common.asked_time import read_asked_time
from madsci.common.errors import AbandonedError, InvalidInputError
from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.bodies import Bodies
from madsci.event_manager.api.operations import Operations
from madsci.event_manager.api.operations import Scope as Allowed
from madsci.event_manager.api.page_reply import pieces
from madsci.event_manager.api.parameters import (
    OR_NONE,
    TIME_PATTERN,
    IncludeArchived,
    Level,
    SelectorText,
    asked_question,
)
from madsci.event_manager.api.question_schema import SELECTOR_BODY
from madsci.event_manager.export.frames import FORMS, Frames, JsonLines, ServerSentEvents
from madsci.event_manager.feed.watching import Beginning, From, Last, Watch, Watching
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.feed import ENDED, LANE_LENGTH, START, Position
from madsci.event_manager.model.query import MAX_PAGE
from madsci.event_manager.model.selector import And, Selector
from madsci.event_manager.model.ulid_sources import Encoding
from madsci.event_manager.search.question import Question

_NOW: Final = "now"
_LAST: Final = re.compile(r"last:([1-9][0-9]{0,4})")

Since = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(now|start|last:[1-9][0-9]{{0,3}}|{TIME_PATTERN})?$",
            "examples": ["-1h", "last:100", "start"],
        }
    ),
    Query(
        description="Where to begin: a position that came with an event, `start`, `last:100` for the"
        " last 100 that match, or a time: what happened then or later. By default with what comes."
    ),
]
Follow = Annotated[
    bool, Query(description="Whether to go on with what comes; else it ends with what is there now.")
]
LastEventId = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema({"type": "string", "pattern": "^(start)?$"}),
    Header(description="A position, as browsers send it when they connect again; goes before `since`."),
]


def live_operations(
    watching: Watching, bodies: Bodies, encoding: Encoding, naive_zone: tzinfo | None
) -> Operations:
    """Return the operation that streams events as they come; POST takes the selector as its body."""
    operations = Operations()

    async def stream_events(  # noqa: PLR0913, PLR0917 - the parameters of the route
        request: Request,
        selector: SelectorText = None,
        level: Level = 0,
        include_archived: IncludeArchived = True,  # noqa: FBT002 - a query parameter
        since: Since = None,
        follow: Follow = True,  # noqa: FBT002 - a query parameter
        last_event_id: LastEventId = None,
    ) -> Response:
        """Stream what matches in the order of commits: the past from `since` on, then what comes.

        Server-sent events, each with the position behind it as its id; lines of JSON where `Accept` is
        `application/x-ndjson`. A frame `position` comes first, when the past is over, and every ten
        seconds; a frame `end` when the server stops. Whoever connects again with the last position
        misses nothing, and sees nothing twice. An event on which an alert is raised later comes again.
        """
        question = await asked_question(bodies, request, selector, naive_zone)
        bounds = queries.latest(level=level, include_archived=include_archived)
        sought = And((_selector_of(question), bounds))
        beginning = (
            Position.parse(last_event_id) if last_event_id else _beginning(since or _NOW, naive_zone)
        )
        frames = _accepted(request.headers.get("accept", ""), encoding)
        watch = await attended(request.receive, watching.open(sought, frames, beginning, follow=follow))
        return _LiveReply(watch, frames)

    content = {kind: {"schema": form.schema} for kind, form in FORMS.items()}
    for method, name, body in (("GET", "stream_events", None), ("POST", "stream_query", SELECTOR_BODY)):
        operations.add(
            method,
            "/events/stream",
            name,
            "Watch events as they come",
            Allowed.READ,
            "events",
            (400, 413, 415, 504),
            response_class=Response,
            responses={200: {"content": content}},
            openapi_extra=body,
        )(stream_events)
    return operations


def _selector_of(question: Question) -> Selector:
    """Return what is asked for, of which a stream shows all, whole, in its own order."""
    for name in ("sort", "limit", "cursor", "fields"):
        if getattr(question, name) is not None:
            problem = f"{name} is nothing that a stream has; it takes a selector"
            raise InvalidInputError(f"{problem}.", [{"loc": ["body", name], "msg": problem}])
    return question.selector


def _beginning(since: str, naive_zone: tzinfo | None) -> Beginning:
    """Read where a stream is to begin.

    Raises:
        InvalidInputError: it says nothing of the kind.
    """
    if since == _NOW:
        return None
    if since == str(START):
        return START
    last = _LAST.fullmatch(since)
    if last is not None and int(last[1]) <= MAX_PAGE:
        return Last(int(last[1]))
    position = _position(since)
    if position is not None:
        return position
    try:
        return From(read_asked_time(since, naive_zone).first)
    except ValueError as error:
        problem = f"{since!r:.80} is no position, no time, and neither {START}, {_NOW} nor last:100"
        raise InvalidInputError(
            f"since: {problem}: {error}. `last:` takes a number up to {MAX_PAGE:,}.",
            [{"loc": ["query", "since"], "msg": problem}],
        ) from error


def _position(text: str) -> Position | None:
    """Return the position that a text is, if its lanes have names that no date has."""
    try:
        position = Position.parse(text)
    except InvalidInputError:
        return None
    names = [name for name, _ in position.lanes]
    return position if all(len(one) >= LANE_LENGTH or one == ENDED for one in names) else None


def _accepted(accept: str, encoding: Encoding) -> Frames:
    """Return the form that a client wants, which is that of browsers unless it says otherwise."""
    kinds = [one.partition(";")[0].strip().lower() for one in accept.split(",")]
    wants_lines = JsonLines.media_type in kinds and ServerSentEvents.media_type not in kinds
    return JsonLines(encoding) if wants_lines else ServerSentEvents(encoding)


class _LiveReply(Response):
    def __init__(self, watch: Watch, frames: Frames) -> None:
        super().__init__(
            headers={
                "Cache-Control": "no-store, no-transform",
                "Connection": "close",
                "X-Accel-Buffering": "no",  # or proxies hold back what is small
            },
            media_type=frames.media_type,
        )
        del self.headers["Content-Length"]
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what comes until the client has gone, or the server stops."""
        del scope
        try:
            await attended(receive, self._send_all(send))
        except AbandonedError:
            pass
        finally:
            self._watch.close()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk in self._watch.chunks():
            for piece in pieces(chunk):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
