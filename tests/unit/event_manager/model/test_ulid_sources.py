"""What clients of releases 0.7 and 0.8 can read: nothing but ULIDs in source, and nothing lost."""

from __future__ import annotations

import json
import pickle

import pytest

from madsci.event_manager.model.stored_event import StoredEvent, encode_event
from madsci.event_manager.model.ulid_sources import AS_STORED, ULIDS_ONLY, with_ulid_sources

ULID = "01JJ4S0WNGEF5FQAZG5KDGJRBV"


def event(source, extra=None):
    return StoredEvent("e1", "log", 20, False, 0, 0, source, '"x"', extra=extra)


@pytest.mark.parametrize(
    ("source", "extra", "shown", "beside"),
    [
        ({}, None, {}, None),
        ({"node_id": ULID}, {"a": 1}, {"node_id": ULID}, {"a": 1}),
        ({"node_id": "arm"}, None, {}, {"source": {"node_id": "arm"}}),
        (
            {"node_id": "arm", "lab_id": ULID, "user_id": ULID.lower()}, {"a": 1}, {"lab_id": ULID},
            {"a": 1, "source": {"node_id": "arm", "user_id": ULID.lower()}},
        ),
        ({"node_id": "arm"}, {"source": "odd"}, {}, {"source": "odd", "source_": {"node_id": "arm"}}),
        ({"rack": 5, "none": None}, {}, {}, {"source": {"rack": 5, "none": None}}),
    ],
)  # fmt: skip
def test_ids_that_are_no_ulids_stand_beside(source, extra, shown, beside):
    stored = event(source, extra)
    seen = with_ulid_sources(stored)
    assert (seen.source, seen.extra) == (shown, beside)
    assert (stored.source, stored.extra) == (source, extra)


def test_without_the_setting_events_are_shown_as_they_are():
    assert AS_STORED.one is encode_event
    assert json.loads(AS_STORED.one(event({"node_id": "arm"})))["source"] == {"node_id": "arm"}


def test_pages_are_encoded_in_other_processes_too():
    by_id = pickle.loads(pickle.dumps(ULIDS_ONLY)).by_id
    assert json.loads(by_id([event({"node_id": "arm"})]))["e1"]["source"] == {}
