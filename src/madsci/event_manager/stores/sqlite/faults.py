"""SQLite's errors in the words of the store contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from madsci.common.errors import StoreDamagedError, StoreError, StoreUnavailableError

FOR_NOW: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.PermissionsError,
    apsw.NoMemError,
)
"""Errors of what the file lies on, which may be whole."""
_REMEDIES = {
    apsw.FullError: "Free space on that disk.",
    apsw.IOError: "The disk has a fault that the system's log tells of; the file itself may be whole.",
    apsw.ReadOnlyError: "Give the server's user write permission.",
    apsw.CantOpenError: "Check that the folder exists and the server's user may write there.",
    apsw.PermissionsError: "Give the server's user write permission.",
}


_DAMAGED_INDEX: Final = ("vtable constructor failed", "invalid fts5 file format")
"""What the engine says where the index of terms has lost what says how it is kept."""


def is_of_index(error: apsw.Error) -> bool:
    """Tell whether an error says that an index is damaged, which can be made anew from the events."""
    return getattr(error, "extendedresult", 0) in (
        apsw.SQLITE_CORRUPT_INDEX,
        apsw.SQLITE_CORRUPT_VTAB,
    )


def _is_damage(error: apsw.Error) -> bool:
    return isinstance(error, (apsw.CorruptError, apsw.NotADBError)) or any(
        words in str(error) for words in _DAMAGED_INDEX
    )


def advice(path: str, error: apsw.Error | None = None) -> str:
    """Return what to do about damage, which changes nothing by itself."""
    if error is not None and is_of_index(error):
        return "Only an index is. Restart the server: it makes its indexes anew from the events."
    return (
        "Stop the server, and restore the last backup or save what can be read with"
        f" `{recover_command(path)}`."
    )


def is_full(error: StoreError) -> bool:
    """Tell whether a translated error says that there is no room on the disk."""
    cause = error.__cause__
    return isinstance(cause, apsw.FullError) or _is_of_log_index(cause)


def _is_of_log_index(error: BaseException | None) -> bool:
    """Tell whether the index of the log, which is a file beside it, could not be made larger."""
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, with the file and what to do about it."""
    try:
        yield
    except FOR_NOW as error:
        raise unavailable(path, error) from error
    except apsw.Error as error:
        if not _is_damage(error):
            raise StoreError(f"The event store {path} refused: {error}") from error
        raise StoreDamagedError(
            f"The event store {path} is damaged: {error}. {advice(path, error)}"
        ) from error


def unavailable(path: str, error: apsw.Error) -> StoreUnavailableError:
    """Return the error of a file that cannot be used for now, and what to do about it."""
    told, remedy = str(error), _REMEDIES.get(type(error), "The server goes on trying.")
    if _is_of_log_index(error):
        told, remedy = "its disk has no room for the index of its log", _REMEDIES[apsw.FullError]
    return StoreUnavailableError(f"The event store {path} cannot be used now: {told}. {remedy}")


def recover_command(path: str) -> str:
    """Return the command that saves what can be read of a damaged file."""
    return (
        "python -m madsci.common.mongodb_migration_tool recover --db-url"
        f" 'sqlite:///{Path(path).absolute()}'"
    )
