"""Counting by MongoDB itself: the pipeline of a tally, and what its answer means."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from madsci.common.clock import FIRST_US, LAST_US, iso
from madsci.event_manager.model.selector import Path
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.model.tally import MAX_GROUPS, Buckets, Count, Tally, ordered, too_many_groups
from madsci.event_manager.stores.mongo.compile import Filter
from madsci.event_manager.stores.mongo.connection import Document
from madsci.event_manager.stores.mongo.foreign import json_value

_MILLISECONDS: Final = 23
"""Characters of an instant up to its milliseconds; three digits of microseconds follow."""


def pipeline(condition: Filter, tally: Tally) -> list[Document]:
    """Return the stages that count what matches, by value and by bucket."""
    buckets = tally.buckets
    if buckets is not None:
        last = min(buckets.start + buckets.number * buckets.width - 1, LAST_US)
        span = {"event_timestamp": {"$gte": iso(max(buckets.start, FIRST_US)), "$lte": iso(last)}}
        condition = {"$and": [condition, span]}
    group = {
        "value": _first([_member(path) for path in tally.grouping.paths]) if tally.grouping else None,
        "bucket": _bucket(buckets) if buckets else None,
    }
    stages: list[Document] = [
        {"$match": condition},
        {"$group": {"_id": group, "count": {"$sum": 1}}},
    ]
    return [*stages, {"$limit": MAX_GROUPS + 1}] if buckets else stages


def _member(path: Path) -> Document | str:
    """Return the expression of what stands at a path of objects; arrays are not looked into."""
    whole = "$" + ".".join(path)
    if len(path) == 1:
        return whole
    is_object = {"$eq": [{"$type": f"${path[0]}"}, "object"]}
    return {"$cond": [is_object, {"$ifNull": [whole, None]}, None]}


def _first(members: list[Document | str]) -> Document:
    value: Any = None
    for member in reversed(members):
        value = {"$ifNull": [member, value]}
    return dict(value)


def _bucket(buckets: Buckets) -> Document:
    """Return the expression of the beginning of an event's bucket, in whole microseconds."""
    text = "$event_timestamp"
    milliseconds = {"$toLong": {"$toDate": {"$concat": [
        {"$substrBytes": [text, 0, _MILLISECONDS]}, "Z"]}}}  # fmt: skip
    rest = {"$toInt": {"$substrBytes": [text, _MILLISECONDS, 3]}}
    moment = {"$add": [{"$multiply": [milliseconds, 1000]}, rest]}
    return {"$subtract": [moment, {"$mod": [{"$subtract": [moment, buckets.start]}, buckets.width]}]}


def counts(groups: list[Document], tally: Tally) -> list[Count]:
    """Return the counts of the groups that the pipeline answered.

    Raises:
        InvalidInputError: there are more than ``MAX_GROUPS`` in buckets.
    """
    if tally.buckets is not None and len(groups) > MAX_GROUPS:
        raise too_many_groups()
    summed: Counter[tuple[int | str | None, int | None]] = Counter()
    for group in groups:
        key = group["_id"]
        bucket = None if key.get("bucket") is None else int(key["bucket"])
        summed[_value(key.get("value"), tally), bucket] += int(group["count"])
    found = [Count(number, value, bucket) for (value, bucket), number in summed.items()]
    return found if tally.buckets else ordered(found, tally.top)


def _value(value: Any, tally: Tally) -> int | str | None:
    if value is None or isinstance(value, str):
        return value
    if tally.grouping is not None and tally.grouping.paths == (("log_level",),):
        return int(value)
    return encode_json(json_value(value))
