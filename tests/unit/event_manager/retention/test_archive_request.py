"""Requests to archive are read, and refused where they could mean something else."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.selector import And, Compare, Equals
from madsci.event_manager.retention.request import ArchiveRequest, read_archive_request

ZONE = timezone(timedelta(hours=2))
DATE = Compare(("event_timestamp",), "$lt", 7_200_000_000)


def read(**members) -> ArchiveRequest:
    return read_archive_request(members, ZONE)


def test_ids_go_before_a_date():
    assert read(event_ids=["b", "a", "b"], before_date="2020-01-01") == ArchiveRequest(
        ["b", "a"], None, None, False
    )


def test_a_date_is_exclusive_and_in_the_zone_where_it_says_none():
    assert read(before_date="1970-01-01T04:00:00").selector == And((DATE,))
    assert read(before_date="1970-01-01T02:00:00Z", event_ids=[]).selector == And((DATE,))
    assert read(before_date=7_200, event_ids=None).selector == And((DATE,))


def test_a_date_and_a_selector_hold_both():
    wanted = read(before_date="1970-01-01T04:00:00", selector={"alert": True}, batch_size=5)
    assert wanted == ArchiveRequest(None, And((DATE, Equals(("alert",), True))), 5, False)


def test_no_batch_size_is_that_of_the_server():
    assert read(event_ids=["a"], batch_size=0, dry_run=True) == ArchiveRequest(["a"], None, None, True)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "JSON object"),
        ({}, "Either event_ids or before_date must be provided"),
        ({"event_ids": [], "before_date": None}, "Either event_ids or before_date must be provided"),
        ({"event_ids": "a"}, "event_ids: it is a list of texts"),
        ({"event_ids": ["a", 1]}, "event_ids: it is a list of texts"),
        ({"event_ids": ["a"], "selector": {}}, "ids or a selector, not both"),
        ({"before_date": "soon"}, "before_date: 'soon' is not a time"),
        ({"before_date": True}, "before_date"),
        ({"selector": []}, "selector is a JSON object"),
        ({"selector": {"event_data.a": {"$near": 1}}}, r"\$near"),
        ({"event_ids": ["a"], "batch_size": -1}, "batch_size"),
        ({"event_ids": ["a"], "batch_size": True}, "batch_size"),
        ({"event_ids": ["a"], "dry_run": "yes"}, "dry_run"),
        ({"event_ids": ["a"], "dryrun": True}, "dryrun: it is none of"),
    ],
)
def test_what_cannot_be_used_is_refused(document, words):
    with pytest.raises(InvalidInputError, match=words):
        read_archive_request(document, ZONE)
