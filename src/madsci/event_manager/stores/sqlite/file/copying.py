"""Copying an event file as it is at one moment, while it is written to.

The moment is held by a transaction, and as long as that lasts the log of changes cannot start again.
The copy goes to the disk in small parts: a file system may let the sync of a commit wait for what was
written into new blocks of other files, as ext4 does, and for all of a large copy that takes seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from madsci.common.durability import sync_file

_PAGES: Final = 250
"""Pages copied between two syncs and two looks at the progress: 1 MB, a few milliseconds."""


def copy_file(
    source: apsw.Connection,
    target: Path,
    on_pages: Callable[[int, int], None] = lambda _, __: None,
    *,
    rest: float = 0.0,
) -> None:
    """Copy what a connection sees into a new file, durably; no log of changes belongs to it.

    The connection must be in a transaction that has read: this is what makes the copy one moment's, and
    keeps it from starting anew whenever somebody writes (https://www.sqlite.org/c3ref/backup_finish.html).
    Other threads run while pages are copied; after each part it rests as long as that took, at most for
    ``rest`` seconds.
    """
    with closing(apsw.Connection(str(target))) as copy:
        copy.pragma("journal_mode", "OFF")  # half of it is of no use to anybody
        copy.pragma("synchronous", "OFF")  # it is synced here
        descriptor = os.open(target, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            with copy.backup("main", source, "main") as backup:
                while not backup.done:
                    began = time.monotonic()
                    backup.step(_PAGES)
                    os.fsync(descriptor)
                    time.sleep(min(rest, time.monotonic() - began))
                    on_pages(backup.page_count - backup.remaining, backup.page_count)
            copy.pragma("journal_mode", "DELETE")
        finally:
            os.close(descriptor)  # not before: that would end the engine's locks on the file
    sync_file(target)
