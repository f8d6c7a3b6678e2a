"""What is found for an alert, also where the store is slow, away, or knows nothing."""

from __future__ import annotations

import time

import pytest

from madsci.common.errors import (
    QueryTimeoutError,
    StoreDamagedError,
    StoreError,
    StoreUnavailableError,
)
from madsci.event_manager.alerts.evidence import AROUND, Evidence, gather
from madsci.event_manager.alerts.notice import Notice, Occasion, Subject
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.stores.factory import StoreAddress, open_store
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.testing.samples import event

SECOND = 1_000_000


def notice(event_id: str | None = None, group: dict | None = None, made_at: int = 10**15) -> Notice:
    subject = Subject("a1", "errors", 40, "It failed", "An error.", group or {}, 5, event_id=event_id)
    return Notice("k1", Occasion.OPENED, "mail", "anna@x.org", subject, made_at)


def data(**members) -> str:
    return encode_json(members)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    url = "memory:" if request.param == "memory" else None
    opened = open_store(StoreAddress(url, tmp_path / "events.db"))
    yield opened
    opened.close()


def ids(evidence: Evidence) -> list[str]:
    return [one.event_id for one in evidence.around]


def test_the_events_of_the_same_workflow_lead_up_to_the_event(store):
    of_both = [
        event(f"s{n}", n * SECOND, source={"workflow_id": "w", "node_id": "n"}) for n in range(3)
    ]
    of_data = [event(f"d{n}", n * SECOND + 1, event_data=data(workflow_id="w")) for n in range(3)]
    others = [event(f"o{n}", n * SECOND, source={"node_id": "n"}) for n in range(9)]
    later = [event("z", 9 * SECOND, source={"workflow_id": "w"})]
    store.append([*of_both, *of_data, *others, *later])
    found = gather(store, notice("s2"))
    assert found.event == of_both[2]
    assert ids(found) == ["s0", "d0", "s1", "d1", "s2"]
    selector = parse_selector(found.query)
    assert all(matches(selector, one.document()) for one in found.around)
    assert not any(matches(selector, one.document()) for one in (*others, *later))


def test_a_workflow_may_be_named_in_the_data_alone(store):
    store.append([event(f"d{n}", n, event_data=data(workflow_id="w")) for n in range(3)])
    found = gather(store, notice("d1"))
    assert ids(found) == ["d0", "d1"]
    assert list(found.query) == ["event_data.workflow_id", "event_timestamp"]


def test_without_a_workflow_they_are_of_the_node_then_of_the_sender_then_of_the_group(store):
    store.append(
        [
            *(event(f"n{n}", n, source={"node_id": "n"}, sender='{"name":"p"}') for n in range(3)),
            *(event(f"p{n}", n + 10, sender='{"name":"p"}') for n in range(3)),
            *(event(f"e{n}", n + 20, event_type="node_error") for n in range(2)),
            event("e2", 22, log_level=50),
        ]
    )
    assert ids(gather(store, notice("n2"))) == ["n0", "n1", "n2"]
    assert ids(gather(store, notice("p1"))) == ["n0", "n1", "n2", "p0", "p1"]
    group = {"event_type": "node_error"}
    assert ids(gather(store, notice("e1", group))) == ["e0", "e1"]
    assert len(ids(gather(store, notice("e2")))) == 9  # all of the lab
    without_event = gather(store, notice(None, group))
    assert without_event.event is None
    assert ids(without_event) == ["e0", "e1"]
    assert ids(gather(store, notice(None, group, made_at=20))) == ["e0"]


def test_there_are_so_many_at_most_and_equal_times_are_in_the_order_of_the_store(store):
    store.append([event(f"n{n:02}", 7, source={"node_id": "n"}) for n in range(50)])
    found = gather(store, notice("n40"))
    assert ids(found) == [f"n{n:02}" for n in range(41 - AROUND, 41)]
    assert found.query["event_timestamp"] == {"$lte": "1970-01-01T00:00:00.000007Z"}


def test_what_is_about_nothing_shows_nothing(store):
    store.append([event("a")])
    assert gather(store, notice()) == Evidence()
    assert gather(store, notice("no such event")) == Evidence()


@pytest.mark.parametrize("group", [{"$where": 1}, {"severity": 4}, {"event_type": "nothing"}])
def test_a_group_that_no_selector_can_say_shows_the_event_alone(store, group):
    store.append([event("a"), event("b")])
    assert ids(gather(store, notice("b", group))) == ["b"]


def test_what_no_index_lists_is_looked_for_in_the_last_hour_only(store):
    hour = 3600 * SECOND
    store.append([event(f"e{n}", n * hour // 2, event_data=data(rack="r")) for n in range(5)])
    found = gather(store, notice("e4", {"event_data.rack": "r"}))
    assert ids(found) == ["e2", "e3", "e4"]
    selector = parse_selector(found.query)
    assert all(matches(selector, one.document()) for one in found.around)


def test_names_are_told_by_the_newest_event_that_begins_it(store):
    source = {"node_id": "n", "workflow_id": "w", "experiment_id": "x", "lab_id": "l", "user_id": "u"}
    store.append(
        [
            *(event(f"{n}", n, event_type="node_start", source={"node_id": "n"}, event_data=told)
              for n, told in enumerate([data(name="Old"), data(name="Arm"), data(a=1)])),
            event("4", 4, event_type="workflow_start", event_data=data(workflow_id="w", name="PCR")),
            event("5", 5, event_type="experiment_start", source={"experiment_id": "x"},
                  event_data=data(experiment={"experiment_name": "Run 7"})),
            event("6", 6, event_type="lab_start", source={"lab_id": "l"}, event_data=data(name=" ")),
            event("9", 9, source=source),
        ]
    )  # fmt: skip
    assert gather(store, notice("9")).names == {"n": "Arm", "w": "PCR", "x": "Run 7"}


def test_names_are_told_by_the_events_around_it_too(store):
    store.append(
        [
            event("1", 1, source={"workflow_id": "w"}, event_data=data(node_id="m", node_name="Oven")),
            event("2", 2, source={"workflow_id": "w", "node_id": "n"},
                  event_data=data(node_name="Arm", node_id="k", name="no name")),
            event("3", 3, source={"workflow_id": "w", "node_id": "n"}),
        ]
    )  # fmt: skip
    assert gather(store, notice("3")).names == {"m": "Oven", "k": "Arm"}


class Broken(MemoryStore):
    """A store that fails from a question on, and counts them."""

    def __init__(self, error: Exception, first: int) -> None:
        super().__init__()
        self.error, self.first, self.asked = error, first, 0

    def find(self, query: Query):
        self.asked += 1
        if self.asked > self.first:
            raise self.error
        return super().find(query)


@pytest.mark.parametrize("error", [StoreError(), StoreUnavailableError(), StoreDamagedError()])
@pytest.mark.parametrize("first", range(4))
def test_a_store_that_goes_away_is_asked_no_more_and_what_was_found_is_kept(error, first):
    store = Broken(error, first)
    store.append([event(f"n{n}", n, source={"node_id": "n"}) for n in range(3)])
    found = gather(store, notice("n2"))
    assert store.asked <= first + 1
    assert (found.event is None) is (first == 0)
    assert ids(found) == [[], ["n2"], ["n0", "n1", "n2"], ["n0", "n1", "n2"]][first]


@pytest.mark.parametrize("first", range(4))
def test_a_question_that_takes_too_long_makes_the_evidence_smaller(first):
    store = Broken(QueryTimeoutError(), first)
    store.append([event(f"n{n}", n, source={"node_id": "n"}) for n in range(3)])
    found = gather(store, notice("n2"))
    assert (found.event is None) is (first == 0)
    assert found.names == {}


def test_a_slow_store_is_not_waited_for():
    class Slow(MemoryStore):
        def find(self, query: Query):
            while True:
                query.budget.check()
                time.sleep(0.01)

    store = Slow()
    source = {"node_id": "n", "workflow_id": "w", "experiment_id": "x"}
    store.append([event("a", source=source)])
    began = time.monotonic()
    assert gather(store, notice("a", {"source.node_id": "n"}), 0.1) == Evidence(
        query={"source.node_id": "n", "event_timestamp": {"$lte": "2001-09-09T01:46:40.000000Z"}}
    )
    assert time.monotonic() - began < 2


def test_data_of_any_form_is_no_trouble(store):
    odd = ["1", '"text"', "[1]", "null", '{"workflow_id":7,"name":{}}', '{"workflow":{"name":1}}']
    store.append(
        [
            event(f"e{n}", n, event_data=one, event_type="workflow_start", sender='{"process":1}')
            for n, one in enumerate(odd)
        ]
    )
    for n in range(len(odd)):
        found = gather(store, notice(f"e{n}", {"source.workflow_id": ["w"], "a": None}))
        assert found.event is not None
        assert found.names == {}
