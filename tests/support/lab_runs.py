"""What is kept of the life of a lab, to be compared, thrown away and made at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from madsci.demo.disturbances import Delivery
from madsci.event_manager.analytics.fold import Fold, in_order
from madsci.event_manager.analytics.follower import NAME
from madsci.event_manager.analytics.marking import mark_of
from madsci.event_manager.analytics.marks import Mark, Thing
from madsci.event_manager.analytics.picture import picture
from madsci.event_manager.analytics.runs import Run, State
from madsci.event_manager.analytics.shelves import MARKS, RUNS, STATES
from madsci.event_manager.analytics.signs import minute_of
from madsci.event_manager.analytics.spans import HOUR, Span
from madsci.event_manager.feed.course import Course
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.model.tables import FOLLOWERS, delete
from madsci.event_manager.stores.base import Tables

TABLES = (MARKS, RUNS, STATES)
_PAGE = 200


def stored(delivery: Delivery) -> StoredEvent:
    """A delivery as a server keeps it that had it at once."""
    what = delivery.happening
    return StoredEvent(
        what.event_id,
        what.event_type.value,
        what.level,
        False,
        what.at,
        delivery.arrives,
        dict(what.source),
        encode_json(what.data),
    )


def plain(runs: Iterable[Run]) -> list[bytes]:
    """Runs in an order that does not depend on where they were kept."""
    return sorted(msgspec.json.encode(one, order="sorted") for one in runs)


def runs_in(kept: Kept, window: Span) -> list[bytes]:
    """What is known of a window."""
    found = picture(kept, window)
    return plain(run for thing in Thing for run in found.runs(thing))


def runs_at_once(events: Iterable[StoredEvent]) -> list[bytes]:
    """What is concluded of events that are all there, hour by hour."""
    marks: defaultdict[int, list[Mark]] = defaultdict(list)
    signs: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for event in events:
        hour = event.event_timestamp // HOUR
        if (mark := mark_of(event, {})) is not None:
            marks[hour].append(mark)
        if (node := event.source.get("node_id")) is not None:
            signs[hour][node] = signs[hour].get(node, 0) | minute_of(event.event_timestamp)
    state, runs = State(), []
    for hour in sorted({*marks, *signs}):
        fold = Fold(state, hour * HOUR, signs[hour])
        for one in in_order(marks[hour]):
            fold.take(one)
        state = fold.ended((hour + 1) * HOUR)
        runs += fold.runs
    return plain([*runs, *state.unfinished()])


def go_on(course: Course) -> None:
    """Go on until nothing is left to do, also where another server has gone on in the meantime."""
    while course.advance() or course.lag != 0 or course.rest() == 0:
        assert course.failure is None


def documents(kept: Kept) -> dict[tuple[str, str], str]:
    """All that is kept of the life of the lab, and the place up to which it is made."""
    found = {(table, key): value for table in TABLES for key, value in _all_of(kept, table)}
    place = kept.read(FOLLOWERS, NAME)
    return found if place is None else {**found, (FOLLOWERS, NAME): place}


def _all_of(kept: Kept, table: str) -> Iterator[tuple[str, str]]:
    after: str | None = None
    while page := kept.scan(table, "", after, _PAGE):
        yield from page
        after = page[-1][0]


def throw_away(store: Tables) -> None:
    """Have nothing be known of the life of the lab."""
    for table, key in documents(store):
        assert store.apply([delete(table, key)])
