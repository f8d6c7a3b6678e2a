"""The lock of an event file: one process at a time writes to it, or replaces it."""

from __future__ import annotations

import os
from pathlib import Path

from madsci.common.errors import StoreInUseError, StoreUnavailableError
from madsci.common.file_lock import try_lock


def lock(path: Path) -> int:
    """Return an open file whose lock the system gives back when the process ends in any way.

    Raises:
        StoreInUseError: another process has it.
        StoreUnavailableError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        is_ours = try_lock(descriptor)
    except OSError as error:
        raise StoreUnavailableError(
            f"The event store {path} cannot be made: {error}. Choose a folder that the server's user"
            " may write to with EVENT_DB_URL=sqlite:///path/to/events.db."
        ) from error
    if not is_ours:
        os.close(descriptor)
        raise StoreInUseError(
            f"The event store {path} is open in another Event Manager. Stop that one, or give this one"
            " a file of its own with EVENT_DB_URL=sqlite:///path/to/events.db."
        )
    return descriptor
