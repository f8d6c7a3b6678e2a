"""What is no word of events at all, and which one may be meant."""

from __future__ import annotations

import pytest

from madsci.common.types.members import NAMES
from madsci.event_manager.model.right_words import (
    forgotten_sign,
    is_member,
    member_value,
    no_member,
)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (("plate",), "event_data.plate"), (("plate", "a.b"), 'event_data.plate["a.b"]'),
        (("soruce", "node_id"), "source.node_id"), (("workflow_id",), "source.workflow_id"),
        (("timestamp",), "event_timestamp"), (("level",), "log_level"), (("type",), "event_type"),
        (("message",), "event_data.message"),
    ],
)  # fmt: skip
def test_a_path_that_leads_nowhere_is_said_with_one_that_may_be_meant(path, meant):
    assert not is_member(path)
    assert f"Did you mean {meant}?" in no_member(path)


@pytest.mark.parametrize("member", sorted(NAMES))
def test_every_member_begins_a_path(member):
    assert is_member((member,))
    assert is_member((member, "x"))


@pytest.mark.parametrize(
    ("member", "value", "kept"),
    [("log_level", "crit", 50), ("log_level", 35, 35), ("event_type", "NODE_ERROR", "node_error"),
     ("alert", True, True), ("alert", None, None), ("trace_id", "loud", "loud"), ("_id", 5, 5)],
)  # fmt: skip
def test_a_value_is_read_as_its_member_keeps_it(member, value, kept):
    assert member_value((member,), value) == kept
    assert member_value((member, "below"), value) == value


def test_a_sign_is_forgotten_where_a_member_is_no_object():
    assert forgotten_sign(("log_level",), ["gte"], ["$gte"]) == "$gte"
    assert forgotten_sign(("event_data",), ["gte"], ["$gte"]) is None
    assert forgotten_sign(("event_data", "a"), ["gte"], ["$gte"]) is None
    assert forgotten_sign(("log_level",), ["x"], ["$gte"]) is None
