"""Copying an event file as it is at one moment, while it is written to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from madsci.common.durability import sync_file

_PAGES: Final = 2_000
"""Pages copied between two looks at the progress: 8 MB, some milliseconds."""


def copy_file(
    source: apsw.Connection, target: Path, on_pages: Callable[[int, int], None] = lambda _, __: None
) -> None:
    """Copy what a connection sees into a new file, durably; no log of changes belongs to it.

    The connection must be in a transaction that has read: this is what makes the copy one moment's, and
    keeps it from starting anew whenever somebody writes (https://www.sqlite.org/c3ref/backup_finish.html).
    Other threads run while pages are copied.
    """
    with closing(apsw.Connection(str(target))) as copy:
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_PAGES)
                on_pages(backup.page_count - backup.remaining, backup.page_count)
        copy.pragma("journal_mode", "DELETE")
    sync_file(target)
