"""Every exception the project raises on purpose.

    MadsciError
    ├── SettingsError               a setting cannot be used (also a ValueError)
    ├── InvalidInputError           what was sent cannot be understood or kept
    │   ├── MalformedRequestError   not HTTP at all
    │   ├── MalformedJsonError      not JSON at all
    │   ├── InvalidEventError       JSON, but nothing that can be kept as an event
    │   ├── InvalidSelectorError    not a selector of the query language
    │   └── InvalidCursorError      not a cursor that this server gave out
    ├── NotAcceptedError            understood, but not taken now or in this form
    │   ├── TooLargeError           larger than this server takes
    │   │   └── HeadTooLargeError   the address and headers of a request
    │   ├── RequestTimeoutError     it did not arrive in time
    │   ├── FormatUnavailableError  a library for the format is missing
    │   ├── UnsupportedBodyError    a content encoding that this server does not read
    │   ├── ConflictError           it cannot be done as things are
    │   ├── OverloadedError         the queue is full or the server is stopping: come back later
    │   └── HeldBackError           it might do harm now: somebody has to look first
    ├── NotFoundError               nothing with that name or id
    │   ├── EventNotFoundError      no event
    │   └── AlertNotFoundError      no alert
    ├── QueryTimeoutError           a question that takes longer than it may
    ├── AbandonedError              whoever asked has gone
    ├── StoreError                  the store cannot do what it was asked
    │   ├── StoreUnavailableError   for now: disk full, file locked, database away
    │   ├── StoreInUseError         another Event Manager has it open
    │   ├── StoreDamagedError       its content is not what was written
    │   └── SchemaVersionError      written by another version of this program
    ├── DeliveryError               an alert could not be handed over to a channel
    └── EventServerError            (client) the Event Manager could not be asked
        ├── ServerUnreachableError  no answer at all
        └── ServerRefusedError      an answer that says no

A class carries a stable ``code`` that also appears in the problem details of the REST API, and its
docstring is the message when none is given.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MadsciError(Exception):
    """The Event Manager could not do what it was asked."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__ or self.code)

    @property
    def message(self) -> str:
        """What happened, with which value, and what to do next."""
        return str(self.args[0])


class SettingsError(MadsciError, ValueError):
    """A setting cannot be used."""

    code = "invalid-settings"


class InvalidInputError(MadsciError):
    """The input cannot be understood.

    ``errors`` lists single failures for programs, each with ``loc`` (its place) and ``msg``.
    """

    code = "invalid-input"

    def __init__(self, message: str | None = None, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


class MalformedRequestError(InvalidInputError):
    """What was sent is not a request of HTTP."""

    code = "malformed-request"


class MalformedJsonError(InvalidInputError):
    """The text is not JSON."""

    code = "malformed-json"


class InvalidEventError(InvalidInputError):
    """The value cannot be kept as an event."""

    code = "invalid-event"


class InvalidSelectorError(InvalidInputError):
    """The selector is not one of the query language."""

    code = "invalid-selector"


class InvalidCursorError(InvalidInputError):
    """The cursor was not given out by this server. Start again without one."""

    code = "invalid-cursor"


class NotAcceptedError(MadsciError):
    """The request was understood, but is not accepted."""

    code = "not-accepted"


class TooLargeError(NotAcceptedError):
    """The request is larger than this server takes."""

    code = "too-large"


class HeadTooLargeError(TooLargeError):
    """The address and headers of the request are larger than this server takes."""

    code = "head-too-large"


class RequestTimeoutError(NotAcceptedError):
    """The request did not arrive in time. Nothing of it was kept; send it again."""

    code = "request-timeout"


class UnsupportedBodyError(NotAcceptedError):
    """The body is in an encoding that this server does not read."""

    code = "unsupported-body"


class FormatUnavailableError(NotAcceptedError):
    """A format of files needs a library that this server does not have."""

    code = "format-unavailable"


class OverloadedError(NotAcceptedError):
    """The server has more to do than it can take. Send again later; nothing of this was kept.

    ``retry_after`` is in seconds.
    """

    code = "overloaded"

    def __init__(self, message: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConflictError(NotAcceptedError):
    """It cannot be done as things are."""

    code = "conflict"


class HeldBackError(NotAcceptedError):
    """It is held back, since it might do harm as things are."""

    code = "held-back"


class NotFoundError(MadsciError):
    """There is nothing of that name."""

    code = "not-found"


class AlertNotFoundError(NotFoundError):
    """There is no alert with that id."""

    code = "alert-not-found"

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"There is no alert with the id {alert_id!r:.100}. GET /alerts lists them.")


class EventNotFoundError(NotFoundError):
    """There is no event with that id."""

    code = "event-not-found"

    def __init__(self, event_id: str) -> None:
        super().__init__(f"Event with ID {event_id} not found")


class QueryTimeoutError(MadsciError):
    """The question takes longer than it may. Narrow it."""

    code = "query-timeout"


class AbandonedError(MadsciError):
    """Whoever asked has gone, and so the question was ended."""

    code = "abandoned"


class StoreError(MadsciError):
    """The event store cannot do what it was asked."""

    code = "store-error"


class StoreUnavailableError(StoreError):
    """The event store cannot be reached or written for now. Send again later."""

    code = "store-unavailable"


class StoreInUseError(StoreError):
    """Another Event Manager has this store open."""

    code = "store-in-use"


class StoreDamagedError(StoreError):
    """The content of the store is not what was written to it."""

    code = "store-damaged"


class SchemaVersionError(StoreError):
    """The store was written by another version of the Event Manager."""

    code = "schema-version"


class DeliveryError(MadsciError):
    """The alert could not be handed over.

    ``is_final`` says that it is no use to try again: it will be refused again.
    """

    code = "not-delivered"

    def __init__(self, message: str | None = None, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class EventServerError(MadsciError):
    """The Event Manager could not be asked."""

    code = "event-server"


class ServerUnreachableError(EventServerError):
    """The Event Manager does not answer."""

    code = "server-unreachable"


class ServerRefusedError(EventServerError):
    """The Event Manager answered with an error.

    ``status`` is the HTTP status, ``problem`` the decoded body where it was JSON, and
    ``retry_after`` the seconds that the server asked to wait, if it did.
    """

    code = "server-refused"

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int,
        problem: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem or {}
        self.retry_after = retry_after
