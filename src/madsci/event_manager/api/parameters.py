"""The parameters that questions have in common, as they stand in a URL or a body."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import tzinfo
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from madsci.common.asked_time import Span, read_asked_time
from madsci.common.errors import InvalidInputError
from madsci.common.nearest import did_you_mean
from madsci.common.types.log_level import EventLogLevel, level_number
from madsci.event_manager.api.bodies import Bodies
from madsci.event_manager.api.question_schema import ORDER_PATTERN, SELECTOR
from madsci.event_manager.model import query as queries
from madsci.event_manager.model.json_reading import read_request
from madsci.event_manager.model.selector import And
from madsci.event_manager.search.question import Question, read_question

_AT_ONCE: Final = 1_000
"""Bytes of a question that are read in a few milliseconds at most; a thread costs a tenth of that."""
QUERY_PAGE: Final = 1_000
"""Events in a page of ``POST /events/query`` where no number is given."""


def _level(value: Any) -> int:
    number = level_number(value)
    if number is None:
        names = list(EventLogLevel.__members__)
        raise ValueError(
            f"it should be an integer or one of {', '.join(names)}.{did_you_mean(str(value), names)}"
        )
    return number


Level = Annotated[
    int,
    BeforeValidator(_level),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": -999_999_999, "maximum": 999_999_999},
                {"type": "string", "enum": [level.name for level in EventLogLevel]},
            ]
        }
    ),
    Query(description="The lowest level, as a number or a name."),
]
OR_NONE: Final = BeforeValidator(lambda text: text or None)
"""Reads an empty parameter as one that is not given, as forms send it."""
Number = Annotated[
    int,
    Query(
        ge=0,
        le=queries.MAX_PAGE,
        description=f"Events in the reply; 0 for as many as a page holds ({queries.MAX_PAGE:,}).",
    ),
    AfterValidator(lambda number: number or queries.MAX_PAGE),
]
_DATE: Final = r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_OFFSET: Final = r"(Z|[+\-](0[0-9]|1[0-3]):[0-5][0-9])"
TIME_PATTERN: Final = (
    r"(now|today|yesterday|tomorrow|[+\-][1-9][0-9]{0,3}(ms|s|m|h|d|w)"
    rf"|[1-9][0-9]{{9}}(\.[0-9]{{1,6}})?|[1-9][0-9]{{12}}|{_DATE}([T ]{_CLOCK}{_OFFSET}?)?)"
)
"""The usual forms of times, for generated clients; more are read."""
Time = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{TIME_PATTERN}?$",
            "examples": ["2026-11-23T20:00:00Z", "-90m", "today"],
        }
    ),
    Query(
        description="ISO 8601, or relative: `-90m`, `-2d`, `now`, `today`, `today+8h`. Inclusive, a day"
        " as a whole. Without an offset it is in the server's zone."
    ),
]
Offset = Annotated[int, Query(ge=0, le=2**53, description="Events to skip; a cursor is faster.")]
Cursor = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema({"type": "string"}),
    Query(description="Where to go on: the `X-Next-Cursor` of the last reply."),
]
Order = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema({"type": "string", "pattern": f"^({ORDER_PATTERN})?$", "examples": ["-committed"]}),
    Query(
        description="A path to sort by, with `-` before it for descending; or `-committed` for what"
        " came in last, whatever its time."
    ),
]
IncludeArchived = Annotated[bool, Query(description="Whether archived events are found too.")]
SelectorText = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema({"$ref": SELECTOR}),  # as JSON; ``openapi`` says so
    Query(description="A MongoDB-style selector as JSON text."),
]


def read_span(name: str, value: str | None, naive_zone: tzinfo | None) -> Span | None:
    """Read a time of a URL: an instant, or a day as its first and last ones.

    Raises:
        InvalidInputError: it is no time.
    """
    try:
        return None if value is None else read_asked_time(value, naive_zone)
    except ValueError as error:
        problem = {"loc": ["query", name], "msg": str(error)}
        raise InvalidInputError(f"{name}: {error}.", [problem]) from error


def read_instant(name: str, value: str | None, naive_zone: tzinfo | None) -> int | None:
    """Read a time of a URL as microseconds; an ``end_time`` that is a day is the end of it.

    Raises:
        InvalidInputError: it is no time.
    """
    span = read_span(name, value, naive_zone)
    if span is None:
        return None
    return span.last if name == "end_time" else span.first


def question_of_request(bodies: Bodies, naive_zone: tzinfo | None) -> Any:
    """Return the dependency that reads a question: its selector from the URL or from a body.

    ``level``, ``start_time``, ``end_time`` and ``include_archived`` of the URL narrow it.
    """

    async def read(  # noqa: PLR0913, PLR0917 - the query parameters of the routes
        request: Request,
        selector: SelectorText = None,
        level: Level = 0,
        start_time: Time = None,
        end_time: Time = None,
        include_archived: IncludeArchived = True,  # noqa: FBT002 - a query parameter
    ) -> Question:
        question = await asked_question(bodies, request, selector, naive_zone)
        bounds = queries.latest(
            level=level,
            start_time=read_instant("start_time", start_time, naive_zone),
            end_time=read_instant("end_time", end_time, naive_zone),
            include_archived=include_archived,
        )
        return replace(question, selector=And((question.selector, bounds)))

    return Depends(read)


async def asked_question(
    bodies: Bodies, request: Request, selector: str | None, naive_zone: tzinfo | None
) -> Question:
    """Read the question in the body of a request, or the selector in its URL; neither asks for all.

    Raises:
        InvalidInputError: it is no question, or there are two.
    """
    body = await bodies.read(request)
    if selector is not None and body.strip():
        problem = "give the selector in the URL or in the body, not in both"
        raise InvalidInputError(
            f"selector: {problem}.", [{"loc": ["query", "selector"], "msg": problem}]
        )
    text = body if selector is None else selector.encode()
    return await question_in(text if text.strip() else b"{}", naive_zone)


async def question_in(text: bytes, naive_zone: tzinfo | None) -> Question:
    """Read the JSON of a question that has arrived, a long one beside the event loop.

    Raises:
        InvalidInputError: it is not JSON, or no question.
    """
    since = time.monotonic()
    if len(text) <= _AT_ONCE:
        question = parse_question(text, naive_zone)
    else:
        question = await asyncio.to_thread(parse_question, text, naive_zone)
    return replace(question, since=since)


def parse_question(text: bytes, naive_zone: tzinfo | None) -> Question:
    """Read the JSON of a question; a body that is missing is no question.

    Raises:
        InvalidInputError: it is not JSON, or no question.
    """
    return read_question(read_request(text), naive_zone)
