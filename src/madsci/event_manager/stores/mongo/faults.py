"""The driver's errors in the words of the store contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from madsci.common.errors import QueryTimeoutError, StoreError, StoreUnavailableError

TEMPORARY_CODES: Final = frozenset({
    6, 7, 64, 89, 91, 100, 112, 133, 134, 175, 189, 202, 262, 290, 317, 402, 9001, 10058, 10107, 11600,
    11602, 13388, 13435, 13436, 14031,
})  # fmt: skip
"""Host or network away, no primary, interrupted, write conflict, disk full. See
https://www.mongodb.com/docs/manual/reference/error-codes/."""
_DENIED: Final = frozenset({13, 18, 8000})
_TEMPORARY_LABELS: Final = ("RetryableWriteError", "TransientTransactionError")


@contextmanager
def translated(location: str) -> Iterator[None]:
    """Turn the driver's errors into ours, with the database and what to do about it."""
    try:
        yield
    except PyMongoError as error:
        raise _translation(error, location) from error


def _translation(error: PyMongoError, location: str) -> StoreError | QueryTimeoutError:
    if isinstance(error, ExecutionTimeout):
        return QueryTimeoutError("The question was stopped: it took longer than questions may.")
    if isinstance(error, InvalidOperation):
        return StoreError("The store is closed.")
    if isinstance(error, ServerSelectionTimeoutError):
        return StoreUnavailableError(
            f"No MongoDB server answers for {location}. Start it, or correct EVENT_DB_URL; the server"
            f" goes on trying. ({_brief(error)})"
        )
    if isinstance(error, OperationFailure) and error.code in _DENIED:
        return StoreUnavailableError(
            f"MongoDB does not let us work with {location}: {_brief(error)}. Correct user and password"
            " in EVENT_DB_URL, or give that user the role readWrite."
        )
    if is_temporary(error):
        return StoreUnavailableError(
            f"The event store {location} cannot be used now: {_brief(error)}. The server goes on"
            " trying."
        )
    if isinstance(error, ConfigurationError):
        return StoreError(f"The event store {location} cannot be used: {_brief(error)}")
    return StoreError(f"The event store {location} refused: {_brief(error)}")


def is_temporary(error: PyMongoError) -> bool:
    """Tell whether the same call may succeed later."""
    if isinstance(error, (ConnectionFailure, WTimeoutError, WriteConcernError)):
        return True
    if isinstance(error, BulkWriteError) and (error.details or {}).get("writeConcernErrors"):
        return True
    if any(error.has_error_label(label) for label in _TEMPORARY_LABELS):
        return True
    return isinstance(error, OperationFailure) and error.code in TEMPORARY_CODES


def _brief(error: PyMongoError) -> str:
    # Behind the first sentence the driver lists the topology, which is long and says the same again.
    return str(error).split(", Timeout:")[0].split(", full error:")[0][:300]
