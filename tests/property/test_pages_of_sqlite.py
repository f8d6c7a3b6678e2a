"""Pages of any size, one behind the other, are the one answer: of each way into an event file."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace

import apsw
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import in_order, parse_sort, place
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.sqlite.asking import windows
from madsci.event_manager.stores.sqlite.store import SqliteStore

NUMBER = 2_500
DAMAGED = frozenset({17, 400, 401, 1_300, 2_499})
"""Numbers of events that are damaged in the file, each with terms like others."""


def event_of(number: int, chance: random.Random) -> StoredEvent:
    """One of many that came late, at one time, or all at once."""
    moment = chance.choice([number, number // 40, chance.randrange(NUMBER), 77])
    ids = {"workflow_id": "one" if 900 <= number < 1_700 else "two"} if number % 3 else {}
    message = " ".join(chance.sample(["plate", "moved", "well", "jammed", "arm"], 2))
    data = {"message": message, "n": number % 7, **ids}
    if chance.random() < 0.004:
        data["message"] = "rare"
    return StoredEvent(
        f"e{chance.randrange(10**9):09}{number}",
        chance.choice(["log_info", "log_info", "node_status_update"]),
        chance.choice([20, 20, 20, 30, 40, 50]),
        alert=False,
        event_timestamp=moment,
        received_at=number,
        source={"node_id": f"n{number % 3}"} if number % 5 else {},
        event_data=encode_json(data),
        archived=chance.random() < 0.2,
    )


CHANCE = random.Random(3)
EVENTS = [event_of(number, CHANCE) for number in range(NUMBER)]


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "damaged"])
def store(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "events.db"
    with closing(SqliteStore(path)) as opened:
        for start in range(0, NUMBER, 500):
            opened.append(EVENTS[start : start + 500])
    if request.param:
        with closing(apsw.Connection(str(path))) as connection:
            connection.executemany(
                "UPDATE events SET event_data = jsonb('{\"n\":null}') WHERE seq = ?",
                [(number + 1,) for number in DAMAGED],
            )
    with closing(SqliteStore(path, integrity_seconds=0)) as opened:
        yield opened, DAMAGED if request.param else frozenset()


@pytest.fixture(params=[3, 500], ids=["windows", "lists"], autouse=True)
def few(request, monkeypatch):
    """Up to how many listed events are looked up at once: both ways are taken in a small file."""
    monkeypatch.setattr(windows, "_FEW", request.param)


parts = st.sampled_from(
    [
        {"archived": False},
        {"archived": True},
        {"event_type": "log_info"},
        {"event_type": {"$in": ["log_info", "node_start"]}},
        {"event_type": {"$ne": "log_info"}},
        {"event_data.workflow_id": "one"},
        {"event_data.workflow_id": {"$in": ["one", "two"]}},
        {"$text": {"$search": "plate"}},
        {"$text": {"$search": "rare jammed"}},
        {"$text": {"$search": "plate -moved"}},
        {"$text": {"$search": '"arm plate"'}},
        {"$nor": [{"$text": {"$search": "moved"}}]},
        {"$or": [{"$text": {"$search": "rare"}}, {"log_level": 50}]},
        {"source.node_id": "n1"},
        {"log_level": {"$gte": 40}},
        {"log_level": 50},
        {"event_timestamp": {"$gte": 300, "$lt": 2_000}},
        {"event_timestamp": 77},
        {"event_data.n": {"$gte": 3}},
        {"event_data.message": {"$regex": "^plate"}},
    ]
)
sorts = st.sampled_from(
    ["-event_timestamp", "-event_timestamp", "event_timestamp", "_id", "-_id", "log_level",
     "-event_data.n", "archived_at", "committed", "-committed"]
)  # fmt: skip


@pytest.mark.slow
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(parts, max_size=3),
    sorts,
    st.integers(1, 40) | st.sampled_from([100, 700]),
    st.integers(0, 60),
    st.none() | st.integers(0, NUMBER),
)
def test_pages_of_any_size_are_the_one_answer(  # noqa: PLR0917 - what a question has
    store, listed, order, size, offset, fence
):
    opened, damaged = store
    assume(sum("$text" in str(part) for part in listed) <= 1)
    tree, sort = parse_selector({"$and": listed} if listed else {}), parse_sort(order)
    expected = [
        (place({**document, "committed": number}, sort), event.event_id)
        for number, event in enumerate(EVENTS)
        if number not in damaged and (fence is None or number < fence)
        and matches(tree, document := event.document())
    ]  # fmt: skip
    names = [name for _, name in in_order(expected, sort)]
    position = None if fence is None else Position.of([("lane", fence)])
    query = Query(tree, size, offset, sort=sort, fence=position)
    found: list[str] = []
    for number in range(12):
        page = opened.find(query)
        assert opened.find_json(query) == page.as_json()
        found += [one.event_id for one in page.events]
        if page.next_place is None:
            break
        assert len(page.events) == query.limit
        # From the tenth on in one piece: the way to the end is another one.
        query = replace(query, after=page.next_place, offset=0, limit=size if number < 9 else NUMBER)
    assert page.next_place is None
    assert found == names[offset:]
