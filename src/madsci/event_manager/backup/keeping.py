"""Which backups are kept, and which go when another one was made: pure, from what is told of each.

Backups are in the order in which they were made, whatever the clock said. Days, weeks and months are
those in which there are backups, as in restic
(https://restic.readthedocs.io/en/stable/060_forget.html): a clock that is ahead makes none of them old.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from madsci.event_manager.backup.layout import Backup, Origin

SAFETY: Final = (Origin.PRE_MIGRATION, Origin.PRE_RESTORE, Origin.PRE_PURGE)
"""Made before something that may go wrong."""
SAFETY_DAYS: Final = 30
"""So long those stay, whatever else is made: what went wrong is not always noticed at once."""
SAFETY_COUNT: Final = 3
"""How many of those of one kind stay that are not the first of their day."""
LATER_DAYS: Final = 7
"""On so many later days there have to be backups before a safety one goes, since a clock that is ahead
makes it old at once; and before a store that shrank is taken for what it is from now on."""


@dataclass(frozen=True)
class Keeping:
    """How many backups stay. What several numbers keep is kept once; 0 keeps none.

    ``max_count`` is of each of those that were asked for, and that were made by a schedule; the others
    are of the last ones of a day, a week, a month.
    """

    max_count: int = 10
    daily: int = 7
    weekly: int = 4
    monthly: int = 6


def to_go(backups: Sequence[Backup], now: datetime, keeping: Keeping) -> list[Backup]:
    """Return which of the whole backups of one database are no longer kept, the last made first.

    Those that shrank count for themselves, so that they take no other one's place. Of the safety ones,
    those of ``SAFETY_DAYS`` stay: of each day and kind the first, and the last few.
    """
    ordered = in_order(backups)
    kept: set[int] = set()
    for has_shrunk in (False, True):
        group = [one for one in ordered if one.origin not in SAFETY and one.shrank is has_shrunk]
        for origin in (Origin.REQUEST, Origin.SCHEDULE):
            kept.update(_ids([one for one in group if one.origin is origin][: keeping.max_count]))
        kept.update(_ids(_last_of_each(group, _day, keeping.daily)))
        kept.update(_ids(_last_of_each(group, _week, keeping.weekly)))
        kept.update(_ids(_last_of_each(group, _month, keeping.monthly)))
    for origin in SAFETY:
        young = [one for one in ordered if one.origin is origin and _is_young(one, ordered, now)]
        kept.update(_ids(young[:SAFETY_COUNT]))
        kept.update(_ids({_day(one): one for one in young}.values()))  # the first replaces the others
    return [one for one in ordered if id(one) not in kept]


def in_order(backups: Iterable[Backup]) -> list[Backup]:
    """Return backups in the order in which they were made, the last one first.

    Those of earlier releases have no number: they come last, by their time.
    """
    return sorted(backups, key=lambda one: (one.number, one.created_at), reverse=True)


def has_shrunk(events: int, backups: Iterable[Backup]) -> bool:
    """Tell whether a store holds less than half of what its last backup holds that did not shrink.

    Once that was so on ``LATER_DAYS`` days, it is no longer: the store is smaller from now on.
    """
    days: set[Hashable] = set()
    for one in in_order(backups):
        if one.shrank:
            days.add(_day(one))
        elif one.events is not None:
            return len(days) < LATER_DAYS and 2 * events < one.events
    return False


def _is_young(backup: Backup, ordered: Sequence[Backup], now: datetime) -> bool:
    age = now - backup.created_at
    is_old = age > timedelta(days=SAFETY_DAYS) or age < timedelta(0)  # made by a clock that was ahead
    later = {_day(one) for one in ordered[: ordered.index(backup)]} - {_day(backup)}
    return not is_old or len(later) < LATER_DAYS


def _last_of_each(
    ordered: Sequence[Backup], period: Callable[[Backup], Hashable], number: int
) -> Iterable[Backup]:
    last: dict[Hashable, Backup] = {}
    for one in ordered:
        last.setdefault(period(one), one)
    return list(last.values())[:number]


def _day(backup: Backup) -> Hashable:
    return backup.created_at.date()


def _week(backup: Backup) -> Hashable:
    return backup.created_at.isocalendar()[:2]


def _month(backup: Backup) -> Hashable:
    return backup.created_at.year, backup.created_at.month


def _ids(backups: Iterable[Backup]) -> Iterable[int]:
    return [id(one) for one in backups]
