"""The inverted index: it lists every event that may match, and is the way in where that is shorter."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.common.types.ownership_ids import OWNERSHIP_IDS
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query, latest
from madsci.event_manager.model.selector import And
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import OLDEST_FIRST, parse_sort
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.sqlite.asking.finding import statements
from madsci.event_manager.stores.sqlite.store import SqliteStore
from madsci.event_manager.stores.sqlite.terms import TABLE, insert, narrowing, terms_of
from support.questions import events, searches, selectors, values


def event(event_id: str = "e", data: object = None, **members) -> StoredEvent:
    plain = {"event_type": "log", "log_level": 20, "alert": False, "event_timestamp": 0, "source": {}}
    return StoredEvent(
        event_id=event_id, event_data=encode_json(data), received_at=0, **{**plain, **members}
    )


def listed(kept: list[StoredEvent], match: str) -> set[int]:
    """The places of the events that a full-text expression finds by their terms alone."""
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(TABLE)
        insert(connection, 0, [terms_of(one) for one in kept])
        rows = connection.execute("SELECT rowid FROM event_terms WHERE event_terms MATCH ?", (match,))
        return {place for (place,) in rows}


def lists(selector: dict, one: StoredEvent) -> bool:
    match = narrowing(parse_selector(selector))
    assert match is not None
    return listed([one], match) == {0}


# Ids of every kind, where ids are looked for.

ids = st.sampled_from(["w1", "W1", "w 2", "é", "", '"', "a\0", "🧪", "w1 w2"])
odd_ids = ids | st.lists(ids | values, max_size=3) | values
members = st.sampled_from(OWNERSHIP_IDS)
other_members = st.sampled_from([name for name in OWNERSHIP_IDS if name != "node_id"])
sources = st.dictionaries(other_members, odd_ids, max_size=3)  # that of a node is a text always
data = (
    st.dictionaries(members | st.just("message"), odd_ids, max_size=3)
    | st.lists(st.dictionaries(members, odd_ids, max_size=2) | ids, max_size=3)
    | ids
    | values
)
events_with_ids = st.builds(
    lambda one, source, inner: StoredEvent(
        *[getattr(one, name) for name in one.__struct_fields__[:6]],
        source,
        encode_json(inner),
    ),
    events,
    sources,
    data,
)
id_paths = st.builds(
    lambda top, name: f"{top}.{name}", st.sampled_from(["source", "event_data"]), members
)
plain = (ids | values).filter(lambda value: not isinstance(value, dict))
id_operands = (
    ids
    | plain
    | st.lists(plain, max_size=3).flatmap(lambda listed: st.sampled_from([listed, {"$in": listed}]))
)
types = st.sampled_from(["log", "node_start", None, {"$in": ["log", "test"]}, {"$in": []}])
by_ids = st.dictionaries(id_paths, id_operands, min_size=1, max_size=2)
id_selectors = (
    by_ids
    | st.builds(lambda rest, kind: {**rest, "event_type": kind}, st.just({}) | by_ids, types)
    | st.builds(
        lambda text, path, value: {"$text": {"$search": text}, path: value}, searches, id_paths, ids
    )
)


@pytest.mark.slow
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(events_with_ids | events, min_size=1, max_size=5),
    st.lists(id_selectors | selectors, min_size=1, max_size=8),
)
def test_the_index_lists_every_event_that_matches(kept, questions):
    for question in questions:
        tree = parse_selector(question)
        match = narrowing(tree)
        if match is not None:
            found = {place for place, one in enumerate(kept) if matches(tree, one.document())}
            assert found <= listed(kept, match), question


@pytest.mark.slow
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(events_with_ids, min_size=1, max_size=6),
    st.lists(id_selectors, min_size=1, max_size=8),
)
def test_a_store_finds_by_ids_what_the_matcher_finds(kept, questions):
    named = [
        StoredEvent(f"e{place}", *[getattr(one, name) for name in one.__struct_fields__[1:]])
        for place, one in enumerate(kept)
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "events.db")) as store,
    ):
        store.append(named)
        for question in questions:
            tree = parse_selector(question)
            expected = {one.event_id for one in named if matches(tree, one.document())}
            assert {one.event_id for one in store.find(Query(tree)).events} == expected, question


def test_events_are_listed_by_type_ids_and_words():
    one = event(
        source={"workflow_id": "w1", "node_id": "n1"},
        data={"experiment_id": "x1", "user_id": ["u1", "u2"], "message": "The Café is jammed"},
    )
    for selector in (
        {"event_type": "log"},
        {"source.workflow_id": "w1"},
        {"source": {"workflow_id": "w1"}},
        {"event_data.experiment_id": "x1"},
        {"event_data.user_id": "u2"},
        {"event_data.user_id": {"$in": ["u9", "u1"]}},
        {"$text": {"$search": "cafe"}},
        {"$text": {"$search": "CAFÉ other"}},
        {"$text": {"$search": '"is jammed" plate'}},
        {"event_type": "log", "$text": {"$search": "jammed"}},
    ):
        assert lists(selector, one), selector


def test_events_with_other_ids_types_and_words_are_not_listed():
    one = event(source={"workflow_id": "w1"}, data={"experiment_id": "x1", "message": "jam"})
    for selector in (
        {"event_type": "node_start"},
        {"source.workflow_id": "W1"},
        {"source.workflow_id": "x1"},
        {"event_data.workflow_id": "w1"},
        {"source.experiment_id": "x1"},
        {"$text": {"$search": "jams"}},
        {"$text": {"$search": "w1"}},
        {"$text": {"$search": "other -jam"}},
        {"$text": {"$search": "jam -jam"}},
        {"event_type": "log", "source.workflow_id": "w2"},
    ):
        assert not lists(selector, one), selector


def test_a_word_of_a_message_is_no_id_and_an_id_is_no_word():
    hashed = terms_of(event(source={"workflow_id": "w1"})).split()[1]
    assert not lists({"source.workflow_id": "w1"}, event(data=hashed.replace("¤", "")))
    assert not lists({"$text": {"$search": hashed}}, event(source={"workflow_id": "w1"}))


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"log_level": 20},
        {"source.node_id": "n1"},
        {"source.workflow_id": None},
        {"source.workflow_id": 5},
        {"source.workflow_id": ["w1"]},
        {"source.workflow_id": ""},
        {"source.workflow_id": {"$in": []}},
        {"source.workflow_id": {"$in": ["w1", None]}},
        {"source.workflow_id": {"$in": ["w1", ["w1"]]}},
        {"source.workflow_id": {"$ne": "w1"}},
        {"source.workflow_id": {"$not": {"$eq": "w1"}}},
        {"source.workflow_id": {"$nin": ["w1"]}},
        {"source.workflow_id": {"$regex": "^w"}},
        {"source.workflow_id": {"$gte": "w1"}},
        {"source.workflow_id.a": "w1"},
        {"source.workflow_id": {"$exists": True}},
        {"event_data": {"workflow_id": "w1"}},
        {"event_data.message": "jam"},
        {"event_data.workflow_id": {"$elemMatch": {"$eq": "w1"}}},
        {"extra.workflow_id": "w1"},
        {"$or": [{"source.workflow_id": "w1"}, {"log_level": 20}]},
        {"$nor": [{"source.workflow_id": "w1"}]},
        {"$nor": [{"$text": {"$search": "jam"}}]},
        {"$text": {"$search": ""}},
        {"$text": {"$search": "-jam"}},
        {"$text": {"$search": "!?"}},
    ],
)
def test_what_the_index_cannot_tell_is_not_narrowed(selector):
    assert narrowing(parse_selector(selector)) is None


def test_strange_words_are_no_syntax_of_the_index():
    for text in (
        'a" OR "b',
        "a*",
        "NEAR(a b)",
        "a AND b",
        "NOT a",
        "^a",
        "terms:a",
        "a + b",
        "{a b}",
        "-",
        "¤",
    ):
        match = narrowing(parse_selector({"$text": {"$search": text}}))
        if match is not None:
            assert listed([event(data="a b")], match) <= {0}


def test_accents_alone_are_searched_for_without_harm(tmp_path):
    with closing(SqliteStore(tmp_path / "events.db")) as store:
        store.append([event(data="\ufc5e a")])
        for flag in ("$diacriticSensitive", "$caseSensitive"):
            tree = parse_selector({"$text": {"$search": "\ufc5e", flag: True}})
            assert store.find(Query(tree)).events == []


# Which way into the table.


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of some thousand events: one with a rare word, a tenth of one workflow."""
    opened = SqliteStore(tmp_path_factory.mktemp("plans") / "events.db")
    opened.append(
        [
            event(
                f"e{number:05}",
                {"message": "common rare" if number == 77 else "common"},
                event_timestamp=number,
                source={
                    "workflow_id": "many" if number % 10 == 0 else "few" if number % 500 == 1 else "w"
                },
            )
            for number in range(8_000)
        ]
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def plan(store):
    """Tells the steps in which SQLite answers a question."""

    def steps(query: Query) -> str:
        with store._reader.readers.connection() as reader:
            sql, parameters = next(statements(reader, query))
            rows = reader.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        return "; ".join(row[3] for row in rows)

    return steps


def is_driven_by_terms(steps: str) -> bool:
    """Whether the inverted index comes first and the events are looked up by what it lists."""
    return steps.startswith("CO-ROUTINE") and steps.index("SCAN event_terms") < steps.index(
        "SEARCH events"
    )


def walks_in_order(steps: str) -> bool:
    return "USING INDEX events_by_time" in steps and "TEMP B-TREE" not in steps


@pytest.mark.parametrize(
    "selector",
    [
        {"$text": {"$search": "rare"}},
        {"$text": {"$search": "none"}},
        {"source.workflow_id": "few"},
        {"source.workflow_id": {"$in": ["few", "none"]}},
        {"$text": {"$search": "rare"}, "log_level": {"$gte": 10}},
        {"source.workflow_id": "few", "$or": [{"log_level": 20}, {"log_level": 50}]},
    ],
)
def test_what_is_rare_is_looked_up_in_the_inverted_index(plan, selector):
    for query in (Query(parse_selector(selector)), Query(parse_selector(selector), sort=OLDEST_FIRST)):
        assert is_driven_by_terms(plan(query)), plan(query)


@pytest.mark.parametrize(
    "selector",
    [
        {"$text": {"$search": "common"}},
        {"event_type": "log"},
        {"$text": {"$search": "common"}, "source.workflow_id": "w"},
    ],
)
def test_what_is_common_is_met_walking_from_the_newest(plan, selector):
    assert walks_in_order(plan(Query(parse_selector(selector))))


def test_what_cannot_be_narrowed_walks_in_order(plan):
    for selector in (
        {"$nor": [{"$text": {"$search": "rare"}}]},
        {"source.workflow_id": {"$ne": "few"}},
    ):
        assert walks_in_order(plan(Query(parse_selector(selector))))


def test_of_what_is_frequent_only_that_of_a_window_is_looked_up(plan):
    many = parse_selector({"source.workflow_id": "many"})
    for query in (
        Query(many),
        Query(many, after=(4_000, "e04000")),
        Query(many, sort=OLDEST_FIRST),
        Query(And((many, latest(end_time=2_000)))),
    ):
        steps = plan(query)
        assert is_driven_by_terms(steps)
        assert "><" in steps  # between two numbers


def test_where_the_order_has_no_index_all_that_is_listed_is_looked_up(plan):
    steps = plan(Query(parse_selector({"source.workflow_id": "many"}), sort=parse_sort("log_level")))
    assert is_driven_by_terms(steps)
    assert "><" not in steps


@pytest.mark.parametrize("selector", [{"$text": {"$search": "rare"}}, {"source.workflow_id": "many"}])
@pytest.mark.parametrize("sort", [Query().sort, OLDEST_FIRST, parse_sort("event_data.message")])
def test_both_ways_find_the_same_pages(store, selector, sort):
    query = Query(parse_selector(selector), 300, sort=sort)
    found = []
    while True:
        page = store.find(query)
        found.extend(one.event_id for one in page.events)
        if page.next_place is None:
            break
        query = replace(query, after=page.next_place)
    everything = store.find(Query(limit=10_000, sort=sort)).events
    tree = parse_selector(selector)
    assert found == [one.event_id for one in everything if matches(tree, one.document())]
