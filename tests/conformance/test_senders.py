"""Who sent an event is found, counted, sorted by and shown, on every engine."""

from __future__ import annotations

import pytest

from madsci.event_manager.model.query import Query, decode_cursor
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sender import text_of_known
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import GROUPINGS, Count, Tally

SENDERS = {
    "arm": {"name": "arm", "host": "robot-3", "process": 4711},
    "again": {"name": "arm", "host": "robot-4", "process": 9},
    "odd": {"name": "Größe 'of' \"$x.y\" " + "z" * 200},
    "host": {"host": "robot-3"},
    "process": {"process": 0},
    "nobody": {},
}
LONG = SENDERS["odd"]["name"]


@pytest.fixture
def filled(store):
    store.append(
        [
            StoredEvent(name, "log", 20, False, place, 1, {}, "{}", sender=text_of_known(sender))
            for place, (name, sender) in enumerate(SENDERS.items())
        ]
    )
    return store


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ({"sender.name": "arm"}, {"arm", "again"}),
        ({"sender": {"name": "arm", "host": "robot-4"}}, {"again"}),
        ({"sender": {"$eq": SENDERS["arm"]}}, {"arm"}),
        ({"sender": {"$eq": {"name": "arm"}}}, set()),
        ({"sender.name": LONG}, {"odd"}),
        ({"sender.name": {"$regex": "^GRÖSSE|^größe", "$options": "i"}}, {"odd"}),
        ({"sender.host": "robot-3"}, {"arm", "host"}),
        ({"sender.host": {"$in": ["robot-4", "elsewhere"]}}, {"again"}),
        ({"sender.name": {"$ne": "arm"}}, {"odd", "host", "process", "nobody"}),
        ({"sender.process": {"$gt": 9}}, {"arm"}),
        ({"sender.process": 0}, {"process"}),
        ({"sender.name": None}, {"host", "process", "nobody"}),
        ({"sender": None}, {"nobody"}),
        ({"sender": {"$exists": False}}, {"nobody"}),
        ({"sender.process": {"$exists": True}}, {"arm", "again", "process"}),
        ({"sender.name.first": "arm"}, set()),
        ({"sender.thread": "main"}, set()),
        ({"$or": [{"sender.name": "arm"}, {"sender.process": 0}]}, {"arm", "again", "process"}),
    ],
)
def test_events_are_found_by_their_sender(filled, selector, found):
    tree = parse_selector(selector)
    assert {one.event_id for one in filled.find(Query(tree)).events} == found
    (counts,) = filled.tally([Tally(tree)])
    assert sum(one.count for one in counts) == len(found)


def test_facets_count_names_and_hosts_and_those_without(filled):
    names, hosts = filled.tally(
        [Tally(grouping=GROUPINGS[f"sender.{one}"]) for one in ("name", "host")]
    )
    assert names == [Count(2, "arm"), Count(1, LONG), Count(3)]
    assert hosts == [Count(2, "robot-3"), Count(1, "robot-4"), Count(3)]


@pytest.mark.parametrize("path", ["sender.name", "sender.host", "sender.process"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_in_the_order_of_a_member_of_the_sender_are_all_events_once(filled, path, sign):
    sort = parse_sort(f"{sign}{path}")
    member = path.partition(".")[2]
    kinds = {str: 2, int: 1, type(None): 0}
    expected = sorted(
        SENDERS,
        key=lambda name: (
            (kinds[type(value := SENDERS[name].get(member))], value or 0, name)
            if not isinstance(SENDERS[name].get(member), str)
            else (2, SENDERS[name][member], name)
        ),
        reverse=bool(sign),
    )
    found, query = [], Query(limit=2, sort=sort)
    while query is not None:
        page = filled.find(query)
        found += [one.event_id for one in page.events]
        cursor = page.next_cursor
        query = None if cursor is None else Query(limit=2, sort=sort, after=decode_cursor(cursor, sort))
    assert found == expected


def test_a_duplicate_with_another_sender_changes_nothing(filled):
    filled.append([StoredEvent("arm", "log", 20, True, 0, 1, {}, "{}", sender='{"name":"thief"}')])
    kept = filled.get("arm")
    assert (kept.alert, kept.sender) == (True, text_of_known(SENDERS["arm"]))
