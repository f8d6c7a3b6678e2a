"""What is checked when an event file is opened, before it is served.

First the newest events, which a fall of the machine damages most likely, each by its checksum; then the
structure of a small file and its indexes, by the engine
(https://www.sqlite.org/pragma.html#pragma_integrity_check). Damaged events are listed, wrong indexes
made anew from the events, a damaged structure is refused. What would keep events waiting for long is
checked beside the server afterwards (``search.verification``).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import apsw

from madsci.common.errors import StoreDamagedError, StoreUnavailableError
from madsci.event_manager.stores.base import Damage, DamageOf
from madsci.event_manager.stores.sqlite.damage import quarantine
from madsci.event_manager.stores.sqlite.damage.index_check import find_wrong_terms
from madsci.event_manager.stores.sqlite.damage.indexes import make_anew
from madsci.event_manager.stores.sqlite.damage.rows import read_row, span, verify
from madsci.event_manager.stores.sqlite.facts import WRONG_INDEXES, fact
from madsci.event_manager.stores.sqlite.faults import advice
from madsci.event_manager.stores.sqlite.transaction import transaction

_logger = logging.getLogger(__name__)

_SECONDS_OF_EVENTS: Final = 0.05
"""For the newest events, and again for the index of their terms: one or two thousand."""
_AT_ONCE: Final = 10
"""Events between two looks at the clock: they may have megabytes each."""
_BYTES_BEFORE_SERVING: Final = 16 * 1024 * 1024
"""Of a file up to this size the structure is checked before it is served, which takes 50 ms."""
_STEPS: Final = 10_000
"""Steps of the engine between two looks at the clock: a few milliseconds."""
_MOST_FAULTS: Final = 100

_OF_EVENT: Final = re.compile(r"\S+ value in events\.|CHECK constraint failed in events")
"""A value of a wrong type, in a row that is not named: its checksum tells which."""
_OF_INDEX: Final = re.compile(
    r"row (?P<seq>\d+) missing from index|row (?P<other>\d+) values differ from index"
    r"|wrong # of entries in index|non-unique entry in index|rowid not at end-of-record for row"
    r"|malformed inverted index|unable to validate the inverted index|fts5: corruption"
)
_UNREADABLE: Final = re.compile(r"error code=(\d+)|disk I/O error")
_INTERRUPTED: Final = re.compile("interrupt")
_OF_LAYOUT: Final = re.compile(r"Freelist:|2nd reference to page|ptr ?map|pointer map")
"""A page that is in use may be taken for a free one."""


@dataclass(frozen=True)
class Checked:
    """What came of a check at start."""

    damaged: list[Damage]
    """Damaged events that were not listed yet."""
    is_complete: bool
    """Whether all was looked at that was asked for; else that is to be done beside the server."""


def check_at_start(connection: apsw.Connection, path: str, seconds: float) -> Checked:
    """Check what can be checked in no time, and of a small file all, for about so many seconds.

    Where indexes are known to be wrong, the structure is checked whatever the size of the file, since
    they are made anew, which takes the time that it takes.

    Raises:
        StoreDamagedError: the structure of the file is damaged. Nothing was changed.
        StoreUnavailableError: the file cannot be read now.
    """
    deadline = time.monotonic() + seconds
    found, error, is_all = _newest(connection, _soon(deadline))
    faults: list[str] = []
    is_complete = False
    if fact(connection, WRONG_INDEXES) is not None or _size(connection) <= _BYTES_BEFORE_SERVING:
        faults, is_complete = find_faults(connection, "integrity_check", deadline)
    structure = [one for one in faults if not _OF_EVENT.match(one) and not _OF_INDEX.match(one)]
    if error is not None and not structure:
        structure = [str(error)]
    if structure:
        raise _refusal(path, structure)
    if any(_OF_EVENT.match(one) for one in faults):
        found = [one for batch in verify(connection, *span(connection)) for one in batch]
    fresh = _list(connection, found)
    wrong = _wrong_indexes(connection, faults) or _wrong_terms(connection, deadline)
    if wrong is not None:
        _logger.error("An index of %s is damaged (%s). Its indexes are made anew", path, wrong)
        make_anew(connection, path)
    return Checked(fresh, is_complete=(is_complete and is_all) or not seconds)


def _soon(deadline: float) -> float:
    return min(deadline, time.monotonic() + _SECONDS_OF_EVENTS)


def _size(connection: apsw.Connection) -> int:
    return int(connection.pragma("page_count")) * int(connection.pragma("page_size"))


def _newest(
    connection: apsw.Connection, deadline: float
) -> tuple[list[Damage], apsw.CorruptError | None, bool]:
    """Look at the newest events until the deadline.

    Return what was found, what ended it early, and whether these were all events.
    """
    found: list[Damage] = []
    try:
        for batch in verify(connection, *span(connection), _AT_ONCE):
            found.extend(batch)
            if time.monotonic() > deadline:
                return found, None, False
    except apsw.CorruptError as error:
        return found, error, False
    return found, None, True


def find_structural_damage(connection: apsw.Connection, seconds: float) -> list[Damage]:
    """Return what is wrong with the structure of the file, as far as it can be told in that time.

    The file is held as it was when that began. Events are not looked at.

    Raises:
        apsw.IOError: the disk cannot be read.
    """
    faults, _ = find_faults(connection, "quick_check", time.monotonic() + seconds)
    if is_of_the_disk(faults):
        raise apsw.IOError("; ".join(_lines(faults)))
    faults = [one for one in faults if not _OF_EVENT.match(one)]
    found = []
    for of in (DamageOf.LAYOUT, DamageOf.STORE, DamageOf.INDEX):
        of_this = [one for one in faults if _kind(one) is of]
        if of_this:
            found.append(Damage(0, None, "; ".join(_lines(of_this)), of))
    return found


def _kind(fault: str) -> DamageOf:
    if _OF_LAYOUT.search(fault):
        return DamageOf.LAYOUT
    return DamageOf.INDEX if _OF_INDEX.match(fault) else DamageOf.STORE


def find_faults(connection: apsw.Connection, check: str, deadline: float) -> tuple[list[str], bool]:
    """Return what one of the engine's checks finds, and whether it came to its end."""
    if time.monotonic() >= deadline:
        return [], False
    # The handler is called every so many virtual-machine steps.
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS, id=check)
    faults: list[str] = []
    try:
        for (line,) in connection.execute(f"PRAGMA {check}({_MOST_FAULTS})"):
            faults.append(str(line))
    except apsw.InterruptError:
        return faults, False
    except apsw.CorruptError as error:
        faults.append(str(error))
    finally:
        connection.set_progress_handler(None, id=check)
    is_complete = not any(_INTERRUPTED.search(one) for one in faults)
    return [one for one in faults if one != "ok" and not _INTERRUPTED.search(one)], is_complete


def _list(connection: apsw.Connection, found: list[Damage]) -> list[Damage]:
    """Bring the list of damaged events up to date; return those that are new in it."""
    whole = [
        seq
        for seq in quarantine.listed(connection)
        if not isinstance(read_row(connection, seq), Damage)
    ]
    if not found and not whole:
        return []
    with transaction(connection):
        quarantine.forget(connection, whole)
        return quarantine.note(connection, found)


def _wrong_indexes(connection: apsw.Connection, faults: list[str]) -> str | None:
    """Return why the indexes are to be made anew, if they are.

    Of a damaged event the indexes say something else than its row: they are right, and the row is not.
    """
    damaged = set(quarantine.listed(connection))
    for fault in faults:
        match = _OF_INDEX.match(fault)
        if match is None:
            continue
        seq = match["seq"] or match["other"]
        if seq is None or int(seq) not in damaged:
            return fault
    return fact(connection, WRONG_INDEXES)


def _wrong_terms(connection: apsw.Connection, deadline: float) -> str | None:
    """Ask the index of terms for the newest events, in the time that is left."""
    first, last = span(connection)
    deadline = _soon(deadline)
    while last >= first and time.monotonic() < deadline:
        beginning = max(first, last - _AT_ONCE + 1)
        wrong = find_wrong_terms(connection, beginning, last)
        if wrong is not None:
            return f"event {wrong.seq}: {wrong.reason}"
        last = beginning - 1
    return None


def is_of_the_disk(faults: list[str]) -> bool:
    """Tell whether what the engine finds are errors of the disk: then the file itself may be whole."""
    codes = [match[1] for one in faults if (match := _UNREADABLE.search(one))]
    return any(code is None or int(code) & 0xFF == apsw.SQLITE_IOERR for code in codes)


def _refusal(path: str, structure: list[str]) -> StoreDamagedError | StoreUnavailableError:
    listed = "; ".join(_lines(structure))
    if is_of_the_disk(structure):
        return StoreUnavailableError(
            f"The event store {path} cannot be read now: {listed}. Nothing was changed. Look after the"
            " disk, then start again."
        )
    return StoreDamagedError(f"{path} is damaged: {listed}. Nothing was changed. {advice(path)}")


def _lines(structure: list[str]) -> Iterator[str]:
    for number, one in enumerate(structure):
        if number == 3:  # noqa: PLR2004 - enough to see what it is
            yield "and so on"
            return
        yield " ".join(one.split())
