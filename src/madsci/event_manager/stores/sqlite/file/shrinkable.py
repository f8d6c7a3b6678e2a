"""Files from which room can be given back page by page, and making one of an older file."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path
from typing import Final

import apsw

_logger = logging.getLogger(__name__)

_INCREMENTAL: Final = 2
_TIMES: Final = 2.2
"""Writing a file anew takes as much room for the new one, once more for its log, and a little."""


def is_shrinkable(connection: apsw.Connection) -> bool:
    """Tell whether ``PRAGMA incremental_vacuum`` does anything for the file."""
    return bool(connection.pragma("auto_vacuum") == _INCREMENTAL)


def make_shrinkable(connection: apsw.Connection, path: str) -> None:
    """Write a file of an older version anew, so that deleting gives disk back; in one transaction.

    Where the disk has no room for that, the file stays as it is, and the log says so: what is deleted
    then makes room for new events only.
    """
    if is_shrinkable(connection):
        return
    size = int(connection.pragma("page_count")) * int(connection.pragma("page_size"))
    free = shutil.disk_usage(Path(path).absolute().parent).free
    if free < _TIMES * size:
        _logger.warning(
            "%s cannot give disk back when events are deleted: writing it anew takes %.0f MB, and"
            " %.0f MB are free. What is deleted makes room for new events.",
            path, _TIMES * size / 1e6, free / 1e6,
        )  # fmt: skip
        return
    connection.pragma("auto_vacuum", "INCREMENTAL")
    try:
        connection.execute("VACUUM")
        with contextlib.suppress(apsw.BusyError):  # somebody reads; a later checkpoint does it
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.FullError, apsw.IOError) as error:  # of the folder for temporary files, too
        _logger.warning(
            "%s cannot give disk back when events are deleted: it could not be written anew (%s)",
            path, error,
        )  # fmt: skip
