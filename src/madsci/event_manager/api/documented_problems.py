"""What OpenAPI says of the problems that requests may end in."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, NamedTuple

PROBLEM_SCHEMA: Final = "#/components/schemas/Problem"


class _Problem(NamedTuple):
    meaning: str
    code: str
    example: str


_PROBLEMS: Final = {
    400: _Problem(
        "The request cannot be understood; the detail names the place.",
        "invalid-selector",
        "$gtee is no operator; did you mean $gte?",
    ),
    403: _Problem(
        "A page of another origin may not do this.",
        "foreign-origin",
        "A page of 'http://example.org' may not do this. If it should, name its origin with"
        " EVENT_CORS_ORIGINS.",
    ),
    404: _Problem(
        "There is nothing with that id.",
        "event-not-found",
        "Event with ID 01M84HX3CTDS9P8A5QKCMA1TVT not found",
    ),
    409: _Problem(
        "It is being done already, or cannot be done as things are.",
        "store-in-use",
        "A backup is being made. Ask again when it is done.",
    ),
    413: _Problem(
        "The body, or an event in it, is too large.",
        "too-large",
        "The body has more than 1,000,000 bytes. Ask in parts.",
    ),
    415: _Problem(
        "The content encoding is none of gzip, deflate and zstd.",
        "unsupported-body",
        "Content-Encoding 'br' is not read here. Use gzip, deflate, zstd or none.",
    ),
    421: _Problem(
        "The request calls the server by a name that it does not know.",
        "unknown-host",
        "The request is for 'events.example.org', which is not a name that this server knows as its"
        " own. Use its address, or name it with EVENT_ALLOWED_HOSTS.",
    ),
    422: _Problem(
        "The values of the request cannot be used.",
        "invalid-input",
        "'dryrun': there is no such parameter; did you mean dry_run?",
    ),
    429: _Problem(
        "The rate limit, where there is one; never for sending.",
        "too-many-requests",
        "Rate limit exceeded: 300 requests per 60 seconds",
    ),
    500: _Problem(
        "The server failed; the detail says how, or its log.",
        "store-error",
        "The event store failed unexpectedly.",
    ),
    501: _Problem(
        "The format needs a library that this server does not have.",
        "format-unavailable",
        "This server cannot write Parquet, because pyarrow is not installed.",
    ),
    503: _Problem(
        "The server cannot do this now; send it again after `Retry-After` seconds.",
        "overloaded",
        "The server is stopping. Nothing of this was kept; send it again.",
    ),
    504: _Problem(
        "The question took too long; the detail says what to narrow.",
        "query-timeout",
        "The question was stopped after 30 s. Narrow it: give a range of event_timestamp.",
    ),
}
_RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}


def problem_responses(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of replies with these statuses."""
    return {status: _response(status, _PROBLEMS[status]) for status in sorted(statuses)}


def _response(status: int, problem: _Problem) -> dict[str, Any]:
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": problem.example,
        "code": problem.code,
    }
    media = {"schema": {"$ref": PROBLEM_SCHEMA}, "example": example}
    response: dict[str, Any] = {
        "description": problem.meaning,
        "content": {"application/problem+json": media},
    }
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        response["headers"] = _RETRY_AFTER
    return response
