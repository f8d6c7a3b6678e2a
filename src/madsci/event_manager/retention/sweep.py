"""Going through events, oldest first, and changing them batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from madsci.event_manager.model.query import Place, Query
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.sorting import OLDEST_FIRST
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import EventReader


@dataclass
class Swept:
    """What a sweep did: events that were changed, and found under each name; whether that was all."""

    changed: int = 0
    batches: int = 0
    complete: bool = True
    named: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Pace:
    """How fast to go: events at once, batches at most (0 for any number), whether to go on.

    ``go_on`` is asked before each batch but the first, and may take its time.
    """

    batch: int
    batches: int
    go_on: Callable[[], bool]


def sweep(
    events: EventReader,
    selector: Selector,
    change: Callable[[Sequence[str]], int],
    pace: Pace,
    name_of: Callable[[StoredEvent], str] | None = None,
) -> Swept:
    """Change all events that match, as far as the pace allows; ``change`` returns how many it did.

    Each batch goes on behind the last one, so that none is looked at twice and the cost of a batch is
    the same however many came before.
    """
    swept = Swept()
    after: Place | None = None
    while True:
        page = events.find(Query(selector, pace.batch, after=after, sort=OLDEST_FIRST))
        if page.events:
            swept.batches += 1
            swept.changed += change([event.event_id for event in page.events])
            if name_of is not None:
                swept.named.update(map(name_of, page.events))
        after = page.next_place
        if after is None:
            return swept
        if swept.batches == pace.batches or not pace.go_on():
            swept.complete = False
            return swept


def sweep_ids(ids: Sequence[str], change: Callable[[Sequence[str]], int], pace: Pace) -> Swept:
    """Change the events with these ids, all of them."""
    swept = Swept()
    for start in range(0, len(ids), pace.batch):
        if start and not pace.go_on():
            swept.complete = False
            break
        swept.batches += 1
        swept.changed += change(ids[start : start + pace.batch])
    return swept
