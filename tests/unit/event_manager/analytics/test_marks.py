"""What events say of the life of a lab, in the words of every release and of labs themselves."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from madsci.common.types.event_type import EventType
from madsci.event_manager.analytics.marking import Abouts, mark_of
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing, id_of_word
from madsci.event_manager.model.stored_event import StoredEvent, encode_json

AT = 1_767_708_000_000_000


def event(kind: str, data: object = None, **source: str) -> StoredEvent:
    return StoredEvent("e", kind, 20, False, AT, AT, source, encode_json(data))


def read(kind: str, data: object = None, **source: str) -> tuple[object, ...] | None:
    mark = mark_of(event(kind, data, **source), {})
    return None if mark is None else (mark.thing, mark.phase, mark.id, mark.outcome)


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("action_status_change", {"action_id": "a", "status": "running"}, (Phase.BEGIN, "a", None)),
        ("action_status_change", {"action": "a", "status": "started"}, (Phase.BEGIN, "a", None)),
        ("action_status_change", {"task_id": "a", "status": "in_progress"}, (Phase.BEGIN, "a", None)),
        (
            "action_status_change",
            {"_id": "a", "status": "Finished"},
            (Phase.END, "a", Outcome.COMPLETED),
        ),
        ("action_status_change", {"id": 7, "status": "failed"}, (Phase.END, "7", Outcome.FAILED)),
        (
            "action_status_change",
            {"id": "a", "status": "cancelled"},
            (Phase.END, "a", Outcome.CANCELLED),
        ),
        ("action_start", {"action_id": "a", "id": "b"}, (Phase.BEGIN, "a", None)),
        ("action_complete", {"action_id": "a"}, (Phase.END, "a", Outcome.COMPLETED)),
        ("action_failed", {"action_id": "a"}, (Phase.END, "a", Outcome.FAILED)),
    ],
)
def test_actions_begin_and_end_by_old_and_new_types(kind, data, expected):
    assert read(kind, data) == (Thing.ACTION, *expected)


@pytest.mark.parametrize(
    ("kind", "data", "source", "expected"),
    [
        ("workcell_start", {"workcell_id": "d"}, {"workcell_id": "w", "manager_id": "m"}, "w"),
        ("lab_start", {"workcell_id": "d"}, {"manager_id": "m"}, "m"),
        ("workcell_start", {"workcell_id": "d"}, {"manager_id": "m"}, "d"),
        ("workcell_stop", {}, {"manager_id": "m"}, "m"),
        ("lab_stop", {"workcell_id": "d"}, {}, "d"),
        ("lab_start", None, {}, f"system_{AT // 1_000_000}"),
        ("experiment_start", {"experiment": {"_id": "x"}}, {}, "x"),
        ("experiment_stop", {"experiment_id": "x"}, {"experiment_id": "own"}, "own"),
        ("node_stop", {"node_name": "arm"}, {"workcell_id": "w"}, "arm"),
        ("workflow_abort", {}, {"workflow_id": "f"}, "f"),
        ("workflow_step_failed", {"step_id": "s"}, {}, "s"),
    ],
)
def test_ids_are_found_where_labs_write_them(kind, data, source, expected):
    found = read(kind, data, **source)
    assert found is not None
    assert found[2] == expected


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("log_info", {"message": "x"}),
        ("log_info", "the event_type is workflow_start"),
        ("log_info", {"event_type": "no_such", "workflow_id": "f"}),
        ("log_info", {"event_type": ["workflow_start"], "workflow_id": "f"}),
        ("workflow_start", "text"),
        ("workflow_start", None),
        ("workflow_start", {"workflow_id": True}),
        ("action_status_change", {"action_id": "a", "status": "thinking"}),
        ("action_status_change", {"action_id": "a", "status": {"running": True}}),
        ("action_status_change", {"status": "running"}),
        ("resource_update", {"id": "r"}),
    ],
)
def test_what_says_nothing_of_it_is_no_mark(kind, data):
    assert mark_of(event(kind, data), {}) is None


def test_a_type_that_is_hidden_in_the_data_of_a_log_line_counts_and_in_others_does_not():
    hidden = {"message": "done", "event_type": "workflow_complete", "workflow_id": "f"}
    assert read("log_info", hidden) == (Thing.WORKFLOW, Phase.END, "f", Outcome.COMPLETED)
    assert read("unknown", hidden) == (Thing.WORKFLOW, Phase.END, "f", Outcome.COMPLETED)
    assert read("workflow_start", hidden) == (Thing.WORKFLOW, Phase.BEGIN, "f", None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Outcome.COMPLETED),
        ("completed", Outcome.COMPLETED),
        ("Failed", Outcome.FAILED),
        ("something else", Outcome.UNKNOWN),
        ({"completed": False, "failed": True}, Outcome.FAILED),
        ({"running": True, "description": "was cancelled"}, Outcome.UNKNOWN),
        ({"completed": False, "description": "Cancelled by Ann"}, Outcome.CANCELLED),
        ({}, Outcome.COMPLETED),
    ],
)
def test_how_a_workflow_ended_is_a_word_or_an_object(status, expected):
    found = read("workflow_complete", {"workflow_id": "f", "status": status})
    assert found == (Thing.WORKFLOW, Phase.END, "f", expected)


def test_names_authors_and_places_are_found():
    data = {
        "workflow_id": "f", "name": " Flow ", "definition_metadata": {"author": "Ann"}, "node": "arm",
        "experiment": {"experiment_id": "x"}, "duration_seconds": 2.5,
    }  # fmt: skip
    mark = mark_of(event("workflow_complete", data, workcell_id="w", user_id="u", campaign_id="c"), {})
    assert mark == Mark(
        AT, Thing.WORKFLOW, Phase.END, "f",
        {
            "name": "Flow", "author": "Ann", "node": "arm", "experiment": "x", "workflow": "f",
            "workcell": "w", "user": "u", "campaign": "c",
        },
        Outcome.COMPLETED, 2.5,
    )  # fmt: skip
    blank = mark_of(event("workflow_start", {"workflow_id": "f", "name": " ", "author": "  "}), {})
    assert blank is not None
    assert blank.about == {"workflow": "f"}


@pytest.mark.parametrize("seconds", [-1, True, "5", None, float("inf")])
def test_a_duration_that_is_none_is_left_out(seconds):
    data = {"workflow_id": "f", "duration_seconds": seconds if seconds != float("inf") else 1e400}
    mark = mark_of(event("workflow_complete", data), {})
    assert mark is not None
    assert mark.seconds is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["event_type", "status", "node", "workflow_id", "id", "name", "author"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@given(st.sampled_from(EventType), json_values, st.dictionaries(st.just("node_id"), st.text()))
def test_whatever_is_sent_is_a_mark_or_none_and_a_mark_survives_json(kind, data, source):
    mark = mark_of(event(kind.value, data, **source), {})
    if mark is not None:
        assert mark.at == AT
        assert msgspec.json.decode(msgspec.json.encode(mark), type=Mark) == mark


def test_a_fault_says_what_kind_it_is():
    mark = mark_of(event("node_error", {"error": "the lid is stuck", "message": "no"}, node_id="n"), {})
    assert mark is not None
    assert mark.about == {"node": "n", "kind": "the lid is stuck"}


def test_what_is_known_is_shared_by_what_shares_a_source_and_a_name():
    abouts: Abouts = {}
    begun = event("action_start", {"action_id": "1", "action_name": "mix"}, node_id="n", user_id="1")
    ended = replace(begun, event_type="action_complete")
    other = replace(begun, event_data='{"action_id":"2","action_name":"shake"}')
    like_it = replace(begun, source={"node_id": "n", "user_id": True})
    marks = [mark_of(one, abouts) for one in (begun, ended, other, like_it)]
    abouts_of = [one.about for one in marks if one is not None]
    assert abouts_of[0] is abouts_of[1]
    assert abouts_of[0] == {"node": "n", "user": "1", "name": "mix"}
    assert abouts_of[2:] == [{"node": "n", "user": "1", "name": "shake"}, {"node": "n", "name": "mix"}]


@pytest.mark.parametrize("data", [[], "action_id", None, 7, [{"action_id": "1"}]])
def test_data_that_are_no_object_say_nothing(data):
    assert mark_of(event("action_start", data), {}) is None
    node = mark_of(event("node_start", data, node_id="n"), {})
    assert node is not None
    assert node.id == "n"


def test_a_word_is_the_id_of_an_action_on_its_node_only():
    assert read("action_start", {"action": "transfer"}, node_id="n")[2] == id_of_word("transfer", "n")
    assert read("action_start", {"action": "transfer"})[2] == "transfer"
    assert read("action_start", {"action_id": "a", "action": "transfer"}, node_id="n")[2] == "a"
    assert read("action_start", {"task_id": "a"}, node_id="n")[2] == "a"


@pytest.mark.parametrize("data", [{"state": "failed"}, {"status": None, "state": "failed"}])
@pytest.mark.parametrize("kind", ["action_status_change", "workflow_complete"])
def test_a_state_is_read_where_there_is_no_status(kind, data):
    found = read(kind, {"id": "a", **data}, workflow_id="w")
    assert (found[1], found[3]) == (Phase.END, Outcome.FAILED)


def test_labs_without_a_source_are_told_apart_by_their_own_ids():
    assert [read("lab_start", {"lab_id": one}, manager_id="m")[2] for one in "ab"] == ["a", "b"]
