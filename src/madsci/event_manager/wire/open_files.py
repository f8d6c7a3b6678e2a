"""How many connections the system lets this process have."""

from __future__ import annotations

import sys
from typing import Final

from madsci.event_manager.wire.bounds import ACCEPTED_AT_ONCE, GUESTS

_OURS: Final = 64
"""Files for everything else: the store with its readers, the processes for questions and their pipes,
backups, logs. Some 25 are open in a server that is asked all kinds of things at once."""
_RESERVE: Final = _OURS + GUESTS + 2 * ACCEPTED_AT_ONCE
"""Besides, a connection that is closed keeps its file until the loop's next pass."""
_FEWEST: Final = 8
"""Connections that are tried for in any case; with less than this nobody can use a server."""


def connections_that_fit(wanted: int) -> int:
    """Return how many connections there can be, at most ``wanted``, after asking for more open files.

    Windows has no such bound.
    """
    if sys.platform == "win32":
        return wanted
    return max(_FEWEST, min(wanted, _open_files(wanted + _RESERVE) - _RESERVE))


def _open_files(needed: int) -> int:
    """Return how many files may be open, after raising the bound as far as needed and allowed."""
    if sys.platform == "win32":
        return needed
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    goal = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    if goal == soft:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
    except (OSError, ValueError):  # some systems have a lower bound of their own
        return soft
    return goal
