"""The driver's errors in the words of the store contract."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from bson.errors import BSONError
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

DUPLICATE_KEY: Final = 11000
_TEMPORARY_CODES: Final = frozenset({
    6, 7, 16, 24, 37, 39, 46, 64, 89, 91, 100, 112, 133, 134, 175, 189, 202, 262, 290, 317, 365, 402,
    9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436,
})  # fmt: skip
"""Host or network away, no primary, interrupted, write conflict, locked, out of cache. See
https://www.mongodb.com/docs/manual/reference/error-codes/."""
_DISK_FULL: Final = 14031
_DISK: Final = re.compile(
    r"no space left|dis[ck] is full|(out of|not enough) disk space|space quota|disk quota|i/o error"
    r"|input/output error|read-?only (file ?system|database)|readonly database|too many open files",
    re.IGNORECASE,
)
"""What servers say about their disks, most of them under a code of everything else."""
_DENIED: Final = frozenset({13, 18, 8000})
_TEMPORARY_LABELS: Final = ("RetryableWriteError", "TransientTransactionError")
_OTHER_PROTOCOL: Final = ("Got response id", "Message length", "Got opcode")
_URL: Final = "the URL (EVENT_DB_URL, or --db-url of the migration tool)"


@contextmanager
def translated(location: str) -> Iterator[None]:
    """Turn the driver's errors into ours, with the database and what to do about it."""
    try:
        yield
    except PyMongoError as error:
        raise _translation(error, location) from error
    except BSONError as error:
        raise StoreError(
            f"The event store {location} holds or got a document that is no BSON: {error}."
        ) from error


def _translation(error: PyMongoError, location: str) -> StoreError | QueryTimeoutError:
    if isinstance(error, ExecutionTimeout):
        return QueryTimeoutError("The question was stopped: it took longer than questions may.")
    if isinstance(error, InvalidOperation):
        return StoreError("The store is closed.")
    said = _brief(error)
    if isinstance(error, ServerSelectionTimeoutError):
        return StoreUnavailableError(
            f"No MongoDB server answers for {location}: {_why_silent(said, location)}. Start it, or"
            f" correct {_URL}."
        )
    if _is_about_disks(error):
        return StoreUnavailableError(
            f"The MongoDB server of {location} cannot write to its disk: {said}. Free space there, or"
            " mend it; nothing else is wrong with the events. Try again then."
        )
    if isinstance(error, OperationFailure) and error.code in _DENIED:
        return StoreUnavailableError(
            f"MongoDB does not let us work with {location}: {said}. Correct user and password in"
            f" {_URL}, or give that user the role readWrite."
        )
    if is_temporary(error):
        return StoreUnavailableError(
            f"The event store {location} cannot be used now: {said}. Try again later."
        )
    if isinstance(error, ConfigurationError):
        return StoreError(f"The event store {location} cannot be used: {said}. Correct {_URL}.")
    return StoreError(f"The event store {location} refused: {said}.")


def is_temporary(error: PyMongoError) -> bool:
    """Tell whether the same call may succeed later."""
    if isinstance(error, (ConnectionFailure, WTimeoutError, WriteConcernError)):
        return True
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        if details.get("writeConcernErrors"):
            return True
        if any(is_temporary_refusal(one) for one in details.get("writeErrors", ())):
            return True
    if any(error.has_error_label(label) for label in _TEMPORARY_LABELS):
        return True
    if not isinstance(error, OperationFailure):
        return False
    return error.code in _TEMPORARY_CODES or _is_about_disks(error)


def refusals(error: BulkWriteError) -> dict[int, int]:
    """Return the code of each write that was refused for good, by its place.

    Raises the error itself where the same writes may be taken later.
    """
    if is_temporary(error):
        raise error
    details: Any = error.details or {}
    return {int(one["index"]): int(one["code"]) for one in details["writeErrors"]}


def is_temporary_refusal(refusal: Mapping[str, Any]) -> bool:
    """Tell whether a document may be taken later that a server refused among others."""
    return refusal.get("code") in (*_TEMPORARY_CODES, _DISK_FULL) or _says_disk(refusal)


def _says_disk(refusal: Mapping[str, Any]) -> bool:
    return _DISK.search(str(refusal.get("errmsg"))) is not None


def _is_about_disks(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        refused = (error.details or {}).get("writeErrors", ())
        return any(one.get("code") == _DISK_FULL or _says_disk(one) for one in refused)
    if not isinstance(error, OperationFailure):
        return False
    return error.code == _DISK_FULL or _DISK.search(str(error)) is not None


def _why_silent(said: str, location: str) -> str:
    """Return in plain words why no server was found."""
    if any(words in said for words in _OTHER_PROTOCOL):
        return "what answers there is no MongoDB server"
    if "No servers found yet" in said or "timed out" in said:
        has_tls = "tls=true" in location or "ssl=true" in location
        return "nothing came back" + (
            ", and the URL asks for TLS, which that server may not have" if has_tls else ""
        )
    return said


def _brief(error: PyMongoError) -> str:
    if isinstance(error, BulkWriteError):
        refused = (error.details or {}).get("writeErrors") or [{}]
        return str(refused[0].get("errmsg") or error)[:300].rstrip(". ")
    # Behind the first sentence the driver lists the topology, which is long and says the same again;
    # before it some servers say where in their program they were.
    text = re.sub(r"^(\[[^\]]*\] )+", "", str(error).strip().partition("\n")[0])
    for rest in (", Timeout:", ", full error:", " (configured timeouts:"):
        text = text.split(rest)[0]
    return text[:300].rstrip(". ")
