from __future__ import annotations

import pytest

from madsci.event_manager.model.stored_event import StoredEvent, encode_json

EMPTY = {}
NOON = 1_795_449_327_002_393


@pytest.fixture
def make_event():
    """Make a stored event with these data; further members by name."""

    def make(data=EMPTY, event_id="e1", **members):
        defaults = {"source": {}, "event_timestamp": NOON, "received_at": NOON + 1_000}
        return StoredEvent(
            event_id=event_id,
            event_type="log",
            log_level=20,
            alert=False,
            event_data=encode_json(data),
            **{**defaults, **members},
        )

    return make


@pytest.fixture
def select(make_event):
    """Make a selection, two events a page, of events with these data; ids e0, e1, ..."""

    def make(*listed, **members):
        events = [make_event(data, f"e{place}", **members) for place, data in enumerate(listed)]
        return lambda: (events[start : start + 2] for start in range(0, len(events), 2))

    return make


@pytest.fixture
def changing(make_event):
    """Make a selection that is one thing at the first pass and another at the second."""

    def make(*passes):
        remaining = [
            [make_event(data, f"e{place}") for place, data in enumerate(one)] for one in passes
        ]
        return lambda: [remaining.pop(0)]

    return make
