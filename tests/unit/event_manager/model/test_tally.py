"""Counting: spans of time, the order of counts, and what a document is counted under."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.event_manager.model.tally import (
    GROUPINGS,
    MAX_GROUPS,
    Buckets,
    Count,
    group_value,
    ordered,
    too_many_groups,
)


@pytest.mark.parametrize(
    ("first", "last", "width", "starts"),
    [
        (0, 0, 10, [0]),
        (0, 9, 10, [0]),
        (0, 10, 10, [0, 10]),
        (5, 25, 10, [5, 15, 25]),
        (-15, 4, 10, [-15, -5]),
        (0, 3, 1, [0, 1, 2, 3]),
    ],
)
def test_spans_follow_each_other_from_the_first_to_the_last(first, last, width, starts):
    buckets = Buckets(first, last, width)
    assert list(buckets.starts()) == starts
    assert buckets.number == len(starts)


@given(st.integers(-(10**18), 10**18), st.integers(0, 10**6), st.integers(1, 10**6))
def test_the_last_span_holds_the_last_moment(first, length, width):
    buckets = Buckets(first, first + length, width)
    start = buckets.start + (buckets.number - 1) * width
    assert start <= buckets.last < start + width


def test_the_greatest_counts_come_first_equal_ones_by_value_and_no_value_last():
    counts = [Count(1, "a"), Count(9, None), Count(3, "c"), Count(3, "b"), Count(5, "z")]
    assert ordered(counts, 10) == [
        Count(5, "z"),
        Count(3, "b"),
        Count(3, "c"),
        Count(1, "a"),
        Count(9, None),
    ]


def test_events_without_a_value_do_not_take_a_place_among_the_greatest():
    counts = [Count(1, "a"), Count(9, None), Count(3, "c")]
    assert ordered(counts, 1) == [Count(3, "c"), Count(9, None)]
    assert ordered(counts, 0) == [Count(9, None)]
    assert ordered([], 5) == []


@pytest.mark.parametrize(
    ("name", "document", "value"),
    [
        ("type", {"event_type": "log"}, "log"),
        ("level", {"log_level": 20}, 20),
        ("node", {"source": {"node_id": "n1"}}, "n1"),
        ("node", {"source": {}}, None),
        ("node", {"source": {"node_id": None}, "event_data": {"node_id": "n2"}}, None),
        ("workflow", {"source": {"workflow_id": "w"}, "event_data": {"workflow_id": "other"}}, "w"),
        ("workflow", {"source": {}, "event_data": {"workflow_id": "w"}}, "w"),
        ("workflow", {"source": {"workflow_id": None}, "event_data": {"workflow_id": "w"}}, "w"),
        ("workflow", {"source": {"workflow_id": ""}, "event_data": {"workflow_id": "w"}}, ""),
        ("workflow", {"source": {}, "event_data": {"workflow_id": ["w", 1]}}, '["w",1]'),
        ("workflow", {"source": {}, "event_data": {"workflow_id": 7}}, "7"),
        ("workflow", {"source": {}, "event_data": {"workflow_id": False}}, "false"),
        ("workflow", {"source": {}, "event_data": [{"workflow_id": "w"}]}, None),
        ("workflow", {"source": {}, "event_data": "text"}, None),
        ("user", {"source": {}, "event_data": {}}, None),
    ],
)
def test_the_first_path_with_a_value_decides(name, document, value):
    assert group_value(document, GROUPINGS[name]) == value


def test_too_many_counts_are_told_with_a_way_out():
    error = too_many_groups()
    assert f"{MAX_GROUPS:,}" in error.message
    assert "interval" in error.message
    assert "selector" in error.message
