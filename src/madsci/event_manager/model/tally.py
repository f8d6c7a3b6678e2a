"""Counting the events that match: all of them, by a member, by spans of time, or by both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.budget import UNLIMITED, Budget
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.selector import EVERYTHING, Path, Selector
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.model.values import MISSING

MAX_BUCKETS: Final = 5_000
"""Spans of one histogram: more than a screen has columns."""
MAX_GROUPS: Final = 100_000
"""Counts of one tally, about 20 MB: it is refused where there are more."""


@dataclass(frozen=True)
class Grouping:
    """What events are counted by: the first of the paths that has a value decides."""

    name: str
    paths: tuple[Path, ...]


GROUPINGS: Final = {
    grouping.name: grouping
    for grouping in (
        Grouping("type", (("event_type",),)),
        Grouping("level", (("log_level",),)),
        Grouping("node", (("source", "node_id"),)),
        Grouping("workcell", (("source", "workcell_id"), ("event_data", "workcell_id"))),
        Grouping("experiment", (("source", "experiment_id"), ("event_data", "experiment_id"))),
        Grouping("workflow", (("source", "workflow_id"), ("event_data", "workflow_id"))),
        Grouping("user", (("source", "user_id"), ("event_data", "user_id"))),
        Grouping("sender.name", (("sender", "name"),)),
        Grouping("sender.host", (("sender", "host"),)),
    )
}


@dataclass(frozen=True)
class Buckets:
    """Spans of ``width`` microseconds from ``start`` on, of which the last one holds ``last``."""

    start: int
    last: int
    width: int

    @property
    def number(self) -> int:
        """How many spans there are."""
        return (self.last - self.start) // self.width + 1

    def starts(self) -> range:
        """Return the beginning of every span."""
        return range(self.start, self.start + self.number * self.width, self.width)


@dataclass(frozen=True)
class Tally:
    """Count the events that match ``selector``; by ``grouping`` and in ``buckets``, where given.

    Events outside the buckets are not counted. Without buckets only the ``top`` values are listed,
    and the events without a value. A ``fence`` leaves out what ``Query.fence`` does.
    """

    selector: Selector = EVERYTHING
    grouping: Grouping | None = None
    buckets: Buckets | None = None
    top: int = MAX_GROUPS
    budget: Budget = field(default=UNLIMITED, compare=False)
    fence: Position | None = None


@dataclass(frozen=True)
class Count:
    """So many events of a bucket (its beginning) with a value; ``None`` where there is none."""

    count: int
    value: int | str | None = None
    bucket: int | None = None


def ordered(counts: list[Count], top: int) -> list[Count]:
    """Return the greatest counts, equal ones by value, then that of the events without a value."""
    absent = [one for one in counts if one.value is None]
    present = [one for one in counts if one.value is not None]
    present.sort(key=lambda one: (-one.count, one.value))
    return present[:top] + absent


def too_many_groups() -> InvalidInputError:
    """Return the error of a tally with more counts than ``MAX_GROUPS``."""
    return InvalidInputError(
        f"This would be more than {MAX_GROUPS:,} counts. Take a larger interval, or narrow the"
        " selector."
    )


def group_value(document: dict[str, Any], grouping: Grouping) -> int | str | None:
    """Return what a document is counted under: a level as a number, anything else as text."""
    for path in grouping.paths:
        value: Any = document
        for name in path:
            value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
        if value is MISSING or value is None:
            continue
        if isinstance(value, str) or path == ("log_level",):
            return value  # type: ignore[no-any-return]
        return encode_json(value)
    return None
