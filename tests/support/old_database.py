"""A database as releases 0.3 to 0.8.1 wrote it, built from the description of their wire format."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection

MANAGER = "01M84HX35TQK31S9TKPTJ9VS1M"
ZONE = "America/Chicago"
"""The zone of times without an offset; six hours behind UTC in winter."""
OBJECT_ID = ObjectId("65f000000000000000000001")
LONG_ID = "x" * 300


def _event(event_id: Any, **members: Any) -> dict[str, Any]:
    return {
        "_id": event_id,
        "event_type": "log_info",
        "log_level": 20,
        "alert": False,
        "event_timestamp": "2025-01-15T09:30:00.123456",
        "source": {"manager_id": MANAGER},
        "event_data": {"message": f"event {event_id}"},
        "trace_id": None,
        "span_id": None,
        "archived": False,
        "archived_at": None,
        **members,
    }


def _old(event_id: str, **members: Any) -> dict[str, Any]:
    """An event of release 0.6 or before, which ends after its data."""
    event = _event(event_id, **members)
    return {name: event[name] for name in list(event)[:7]}


NAIVE = "2025-01-15T15:30:00.123456Z"
"""What the naive time of most of these events is in UTC."""

ARCHIVED = datetime(2025, 6, 1, 12, 0, 0, 22_000, timezone.utc)

DOCUMENTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    # What is stored, and what of it the API shows differently.
    (_event("01JHNAIVE"), {}),
    (_event("01JHNOFRACTION", event_timestamp="2025-01-15T09:30:00"),
     {"event_timestamp": "2025-01-15T15:30:00.000000Z"}),
    (_event("01JHZULU", event_timestamp="2025-01-01T00:00:00Z"),
     {"event_timestamp": "2025-01-01T00:00:00.000000Z"}),
    (_event("01JHOFFSET", event_timestamp="2025-01-01T00:00:00-06:00"),
     {"event_timestamp": "2025-01-01T06:00:00.000000Z"}),
    (_event("01JHDATE", event_timestamp=datetime(2025, 1, 15, 15, 30, tzinfo=timezone.utc)),
     {"event_timestamp": "2025-01-15T15:30:00.000000Z"}),
    (_event(OBJECT_ID), {}),
    (_event(42), {}),
    (_event("42"), {}),
    (_old("01JHOLD"), {}),
    (_old("01JHSTOP", event_type="experiment_stop"), {"event_type": "experiment_cancelled"}),
    (_event("01JHTEXT", event_data="raw text"), {}),
    (_event("01JHLIST", event_data=[1, {"a": 2}, "three"]), {}),
    (_event("01JHNUMBER", event_data=3.5), {}),
    (_event("01JHBIG", event_data=2**40), {}),
    (_event("01JHNULL", event_data=None), {}),
    (_event("01JHARCHIVED", archived=True, archived_at=ARCHIVED),
     {"archived_at": "2025-06-01T12:00:00.022000Z"}),
    (_event("01JHARCHIVEDTEXT", archived=True, archived_at="2025-07-01T12:00:00Z"),
     {"archived_at": "2025-07-01T12:00:00.000000Z"}),
    (_event("01JHMORE", operator={"name": "ann"}, run=7),
     {"extra": {"operator": {"name": "ann"}, "run": 7}}),
    (_event("01JHTRACED", trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331"), {}),
    (_event("01JHWORD", event_type="calibration"),
     {"event_type": "unknown", "extra": {"event_type": "calibration"}}),
    (_event("01JHWHEN", event_timestamp="yesterday"),
     {"event_timestamp": "1970-01-01T00:00:00.000000Z", "extra": {"event_timestamp": "yesterday"}}),
    (_event("01JHLEVEL", log_level="WARNING"), {"log_level": 30}),
    ({"_id": "01JHEMPTY"}, {
        "event_type": "unknown", "log_level": 20, "alert": False, "source": {}, "event_data": {},
        "event_timestamp": "1970-01-01T00:00:00.000000Z",
    }),
]  # fmt: skip


def expected_events() -> dict[str, dict[str, Any]]:
    """What the API shows of each event after a migration, by id; ``received_at`` left out."""
    shown: dict[str, dict[str, Any]] = {}
    for document, differences in DOCUMENTS:
        event_id = str(document["_id"])
        if event_id in shown:
            event_id += "~"  # two events had ids that are one as text; both are there
        base = {"trace_id": None, "span_id": None, "archived": False, "archived_at": None}
        kept = {
            name: value for name, value in document.items() if name not in differences.get("extra", {})
        }
        if "event_timestamp" in kept:
            kept["event_timestamp"] = NAIVE
        shown[event_id] = {**base, **kept, **differences, "_id": event_id, "event_id": event_id}
    return shown


def write_old_database(events: Collection[dict[str, Any]], number: int = 0) -> None:
    """Write all kinds of documents, one that cannot be an event, and so many more."""
    events.insert_many([document for document, _ in DOCUMENTS])
    events.insert_one({"_id": LONG_ID, "event_data": "its id is longer than an id may be"})
    start = datetime(2025, 2, 1)  # noqa: DTZ001 - as those releases wrote it
    more = [
        _event(f"M{place:06}", event_timestamp=(start + timedelta(seconds=place)).isoformat())
        for place in range(number)
    ]
    if more:
        events.insert_many(more)
    for name in ("event_timestamp", "log_level", "archived"):
        events.create_index([(name, 1)], name=f"{name}_1")
    events.create_index([("archived", 1), ("archived_at", 1)], name="archived_1_archived_at_1")
