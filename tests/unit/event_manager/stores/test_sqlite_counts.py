"""Counts that the indexes hold: the same as those of the events, whatever is left out."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sender import text_of_known
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.model.tally import GROUPINGS, Tally
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.sqlite.asking import facets, postings
from madsci.event_manager.stores.sqlite.countable import is_countable
from madsci.event_manager.stores.sqlite.store import SqliteStore

LIVE = {"archived": False}
SELECTORS = [
    {}, LIVE, {"archived": {"$ne": True}}, {"archived": True}, {"$text": {"$search": "jam"}},
    {"$text": {"$search": "jam plate -arm"}, **LIVE}, {"event_type": "log"}, {"alert": True},
    {"event_type": {"$in": ["log", "node_start"]}, "$text": {"$search": "JÄM"}, **LIVE},
    {"alert": True, **LIVE},
    {"event_type": "log", "alert": {"$in": [True]}}, {"trace_id": "t1"},
    {"sender.name": "w1"}, {"sender": {"name": "w1", "host": "w 2"}, **LIVE}, {"sender.name": "x" * 49},
    {"sender.host": {"$in": ["w1", "W1"]}, "alert": True}, {"sender.name": "a\0b"},
    {"trace_id": "T1", **LIVE}, {"trace_id": ""}, {"event_type": "log", "log_level": 20},
]  # fmt: skip


def event(event_id: str, **members) -> StoredEvent:
    plain = {"event_type": "log", "log_level": 20, "alert": False, "event_timestamp": 0, "source": {}}
    return StoredEvent(event_id=event_id, received_at=0, **{**plain, "event_data": "{}", **members})


values = st.sampled_from(
    ["w1", "W1", "w 2", "7_", "wW", "é", "", "a\0b", "🧪" * 20, "x" * 48, "x" * 49, None, 0, 1.5,
     True, [], {}, ["w1"], ["w1", "w2", 3], {"a": "w1"}, [["w1"]]]
)  # fmt: skip
ids = st.dictionaries(st.sampled_from(["workflow_id", "workcell_id", "user_id"]), values, max_size=2)
nodes = st.dictionaries(st.just("node_id"), st.sampled_from(["n1", "N1", "", "é"]), max_size=1)
texts = values.filter(lambda value: isinstance(value, str) and value)
senders = st.dictionaries(st.sampled_from(["name", "host"]), texts)
messages = st.sampled_from(["jam", "JÄM plate", "arm jam", "a\0jam", "x" * 40_000, 5, None, ["jam"]])
data = st.builds(lambda one, text: {**one, "message": text}, ids, messages) | st.sampled_from(
    ["jam", 5, None, [{"workflow_id": "w1"}], ["jam"], {}]
)
events = st.lists(
    st.builds(
        lambda source, node, inner, kind, alert, trace, sender: event(
            "", source={**source, **node}, event_data=encode_json(inner), event_type=kind,
            alert=alert, trace_id=trace, sender=text_of_known(sender),
        ),
        ids, nodes, data, st.sampled_from(["log", "log_info", "node_start"]), st.booleans(),
        st.sampled_from([None, "", "t1", "T1"]), senders,
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


def assert_agree(store: SqliteStore, reference: MemoryStore) -> None:
    trees = [parse_selector(selector) for selector in SELECTORS]
    tallies = [Tally(tree) for tree in trees]
    tallies += [
        Tally(tree, grouping, top=top)
        for tree in trees[:4]
        for grouping in GROUPINGS.values()
        for top in (2, 100)
    ]
    for tally, one, other in zip(tallies, store.tally(tallies), reference.tally(tallies), strict=True):
        assert one == other, tally
    for tree in trees:
        assert store.find(Query(tree)).events == reference.find(Query(tree)).events, tree


@pytest.mark.slow
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(events, st.data())
def test_facets_and_counts_are_those_of_the_events_through_all_changes(listed, draw):
    named = [msgspec.structs.replace(one, event_id=f"e{number}") for number, one in enumerate(listed)]
    some = st.lists(st.sampled_from([one.event_id for one in named]), unique=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "events.db")) as store,
        closing(MemoryStore()) as reference,
    ):
        for one in (store, reference):
            one.append(named)
        assert_agree(store, reference)
        raised = [event(name, alert=True) for name in draw.draw(some)]
        archived, deleted = draw.draw(some), draw.draw(some)
        for one in (store, reference):
            one.append(raised)
            one.archive(archived, 5)
            one.delete(deleted)
        assert_agree(store, reference)
        assert store._reader.verify(None, Tally().budget) is None
        assert store.troubles() == []  # the index of terms lists what it should


@pytest.fixture
def store(tmp_path):
    opened = SqliteStore(tmp_path / "events.db")
    yield opened
    opened.close()


def held(store: SqliteStore, count, tally: Tally) -> bool:
    """Whether the indexes answer without the events."""
    with store._reader.readers.connection() as reader:
        return count(reader, tally, None) is not None


@pytest.mark.parametrize("name", sorted(GROUPINGS.keys() - {"level"}))
def test_facets_of_everything_are_held_by_the_indexes(store, name):
    store.append([event("a", source={"node_id": "n", "workflow_id": "w"})])
    for selector in ({}, LIVE):
        tally = Tally(parse_selector(selector), GROUPINGS[name])
        assert held(store, facets.count_everything, tally)
    assert not held(
        store, facets.count_everything, replace(tally, selector=parse_selector({"event_data.a": 1}))
    )


def test_counts_of_words_types_alerts_and_senders_are_held_by_the_index_of_terms(store):
    of_sender = {"sender": {"name": "arm", "host": "pc-1"}}
    for selector in ({"$text": {"$search": "jam"}}, {"event_type": "log"}, {"alert": True}, of_sender):
        assert held(store, postings.count_postings, Tally(parse_selector({**selector, **LIVE})))
    for selector in (
        {"$text": {"$search": '"a jam"'}},
        {"trace_id": "t"},
        {"alert": True, "log_level": 1},
    ):
        assert not held(store, postings.count_postings, Tally(parse_selector(selector)))


def test_what_lies_behind_a_fence_is_not_counted(store):
    one = {"source": {"node_id": "n", "workflow_id": "w"}, "event_data": '{"message":"jam"}'}
    store.append([event("a", **one)])
    fence = store.fence()
    store.append([event("b", **one)])
    store.archive(["b"], 5)
    for selector in ({}, LIVE, {"$text": {"$search": "jam"}, **LIVE}):
        for grouping in (None, GROUPINGS["node"], GROUPINGS["workflow"]):
            found = store.tally([Tally(parse_selector(selector), grouping, fence=fence)])[0]
            assert sum(count.count for count in found) == 1, selector


def test_a_damaged_event_is_not_counted_nor_twice_when_it_came_again(store, tmp_path):
    one = {"source": {"node_id": "n", "workflow_id": "w"}, "event_data": '{"message":"jam"}'}
    store.append([event("a", **one), event("b", **one)])
    with closing(apsw.Connection(str(tmp_path / "events.db"))) as other:
        other.execute("UPDATE events SET received_at = 7 WHERE event_id = 'a'")
    tallies = [
        Tally(parse_selector(selector), None if name is None else GROUPINGS[name])
        for selector, name in (({"$text": {"$search": "jam"}}, None), ({}, "workflow"), ({}, "node"))
    ]

    def numbers() -> list[int]:
        return [sum(count.count for count in counted) for counted in store.tally(tallies)]

    assert len(store.find(Query()).events) == 1  # which meets the damage
    assert numbers() == [1, 1, 1]
    store.append([event("a", **one)])
    assert numbers() == [2, 2, 2]


def test_only_short_texts_are_countable():
    assert [is_countable(value) for value in ("a", "é" * 24, "é" * 25, "", "a\0", 5, ["a"], None)] == [
        True, True, False, False, False, False, False, False,
    ]  # fmt: skip
