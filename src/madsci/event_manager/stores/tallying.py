"""Counting for engines that cannot count by themselves: one event after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import (
    MAX_GROUPS,
    Count,
    Tally,
    group_value,
    ordered,
    too_many_groups,
)


def tallied(matching: Iterable[tuple[StoredEvent, dict[str, Any]]], tally: Tally) -> list[Count]:
    """Count events, each with its document, that match the tally's selector.

    Raises:
        InvalidInputError: there are more counts than ``MAX_GROUPS``.
    """
    groups: Counter[tuple[int | str | None, int | None]] = Counter()
    buckets, grouping = tally.buckets, tally.grouping
    for event, document in matching:
        bucket = None
        if buckets is not None:
            number = (event.event_timestamp - buckets.start) // buckets.width
            if not 0 <= number < buckets.number:
                continue
            bucket = buckets.start + number * buckets.width
        groups[group_value(document, grouping) if grouping else None, bucket] += 1
        if buckets is not None and len(groups) > MAX_GROUPS:
            raise too_many_groups()
    counts = [Count(number, value, bucket) for (value, bucket), number in groups.items()]
    return counts if buckets else ordered(counts, tally.top)
