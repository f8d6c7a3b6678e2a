"""SQLite's errors in the words of the store contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from madsci.common.errors import StoreDamagedError, StoreError, StoreUnavailableError

_TEMPORARY = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.PermissionsError,
    apsw.NoMemError,
)
_REMEDIES = {
    apsw.FullError: "Free space on that disk.",
    apsw.ReadOnlyError: "Give the server's user write permission.",
    apsw.CantOpenError: "Check that the folder exists and the server's user may write there.",
    apsw.PermissionsError: "Give the server's user write permission.",
}


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file and what to do about it."""
    try:
        yield
    except _TEMPORARY as error:
        remedy = _REMEDIES.get(type(error), "The server goes on trying.")
        raise StoreUnavailableError(
            f"The event store {path} cannot be used now: {error}. {remedy}"
        ) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreDamagedError(
            f"The event store {path} is damaged: {error}. Stop the server and restore a backup."
        ) from error
    except apsw.Error as error:
        raise StoreError(f"The event store {path} refused: {error}") from error
