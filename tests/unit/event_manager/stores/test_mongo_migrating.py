"""Documents of others become ours in place, whatever they look like, and none is lost."""

from __future__ import annotations

import itertools
from contextlib import closing
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import bson
import pytest
from bson import Binary, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from madsci.common.clock import iso
from madsci.common.errors import StoreError
from madsci.event_manager.stores.mongo.codec import to_bson, to_event
from madsci.event_manager.stores.mongo.connection import connect, is_mongodb
from madsci.event_manager.stores.mongo.migrating import Migration
from madsci.event_manager.stores.mongo.normalising import RENAMED, Normalisation
from madsci.event_manager.stores.mongo.schema import UNREADABLE, Schema
from madsci.event_manager.stores.mongo.versions import read_version, record_version
from support.drivers import driver_has

CHICAGO = ZoneInfo("America/Chicago")
OBJECT_ID = ObjectId("65f000000000000000000001")
NOON = "2025-01-15T12:00:00"
NOON_IN_UTC = "2025-01-15T18:00:00.000000Z"


def unseen(what: str, done: int, of: int | None) -> None:
    pass


def old(key, **members) -> dict:
    return {
        "_id": key, "event_type": "log", "log_level": 20, "alert": False,
        "event_timestamp": NOON, "source": {}, "event_data": {}, **members,
    }  # fmt: skip


class Old:
    """A collection of old documents, and what a migration makes of it."""

    def __init__(self, database) -> None:
        self.database = database
        self.events = database["events"]
        is_real = is_mongodb(database.client)
        self.migration = Migration(database, "events", Schema.own(), CHICAGO, decimals=is_real)
        self.steps = {step.name: step for step in self.migration.steps()}

    def write(self, *documents: dict) -> None:
        self.events.insert_many([RawBSONDocument(bson.encode(one)) for one in documents])

    def migrate(self) -> dict[str, int]:
        return {name: step.run(unseen) for name, step in self.steps.items()}

    def pending(self) -> dict[str, int]:
        return {name: step.pending(unseen) for name, step in self.steps.items()}

    def found(self) -> dict[str, dict]:
        return {one["_id"]: one for one in self.events.find()}


@pytest.fixture
def collection(mongo_url, mongo_database):
    with closing(connect(mongo_url)) as client:
        yield Old(client[mongo_database])


def test_what_is_pending_is_what_is_changed_and_then_nothing_is(collection):
    collection.write(old("a"), old(OBJECT_ID), old("x" * 300))
    pending = collection.pending()
    assert pending["normalise events"] == 3
    assert collection.migrate() == pending
    assert set(collection.pending().values()) == {0}
    assert set(collection.migrate().values()) == {0}


def test_times_without_an_offset_are_of_the_zone_and_arrival_is_told_by_the_object_id(collection):
    collection.write(old("a"), old(OBJECT_ID))
    collection.migrate()
    found = collection.found()
    assert found["a"]["event_timestamp"] == found["a"]["received_at"] == NOON_IN_UTC
    made = iso(int(OBJECT_ID.generation_time.timestamp()) * 1_000_000)
    assert found[str(OBJECT_ID)]["received_at"] == made


@pytest.mark.parametrize(
    "event_id",
    [42, 4.5, OBJECT_ID, True, None, "", Binary(b"\0\1"), datetime(2025, 1, 1, tzinfo=timezone.utc),
     {"a": 1, "b": "c"}],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_an_id_of_any_kind_becomes_text_under_which_the_event_is_found(collection, event_id):
    collection.write(old(event_id, event_data={"n": 1}))
    collection.migrate()
    ((name, document),) = collection.found().items()
    assert isinstance(name, str)
    assert name
    assert document["event_data"] == {"n": 1}


def test_ids_that_are_one_as_text_keep_all_their_events(collection):
    collection.write(
        old(42, event_data="number"), old("42", event_data="text"), old("42~", event_data="tilde")
    )
    collection.migrate()
    found = {name: one["event_data"] for name, one in collection.found().items()}
    assert found == {"42": "text", "42~": "tilde", "42~~": "number"}


def test_events_that_differ_in_the_kind_of_their_id_only_are_two(collection):
    collection.write(old(42), old("42"))
    collection.migrate()
    assert set(collection.found()) == {"42", "42~"}


@pytest.mark.parametrize("blow", ["delete", "insert", "clean up"])
def test_a_change_of_id_that_was_killed_goes_on_and_makes_no_second_event(
    collection, monkeypatch, blow
):
    collection.write(old(42, event_data="number"), old("42", event_data="text"), old(OBJECT_ID))

    def killed(*_, **__):
        raise SystemExit

    owner, name = {
        "delete": (Collection, "bulk_write"),
        "insert": (Normalisation, "_insert"),
        "clean up": (Collection, "delete_many"),
    }[blow]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        with pytest.raises(SystemExit):
            collection.migrate()
    assert collection.pending()["normalise events"] > 0
    collection.migrate()
    found = {name: one["event_data"] for name, one in collection.found().items()}
    assert found == {"42": "text", "42~": "number", str(OBJECT_ID): {}}
    assert collection.database.list_collection_names(filter={"name": "events" + RENAMED}) == []


def test_the_event_id_beside_another_id_is_kept(collection):
    collection.write(old(OBJECT_ID, event_id="01JJOWN"), old("same", event_id="same"))
    collection.migrate()
    assert collection.found()[str(OBJECT_ID)]["extra"] == {"event_id": "01JJOWN"}
    assert "extra" not in collection.found()["same"]


def test_values_that_json_does_not_have_become_what_comes_nearest(collection):
    when = datetime(2025, 1, 1, tzinfo=timezone.utc)
    data = {"id": OBJECT_ID, "raw": Binary(b"ab"), "re": Regex("^x"), "when": when}
    collection.write(old("a", event_data=data))
    collection.migrate()
    assert collection.found()["a"]["event_data"] == {
        "id": str(OBJECT_ID), "raw": "YWI=", "re": "^x", "when": "2025-01-01T00:00:00.000000Z",
    }  # fmt: skip


def test_dates_that_no_calendar_has_stop_nothing(collection):
    collection.write(old("before"), old("far", event_timestamp=DatetimeMS(2**60)), old("z"))
    collection.migrate()
    found = collection.found()
    assert set(found) == {"before", "far", "z"}
    assert found["far"]["extra"] == {"event_timestamp": f"{2**60} ms since 1970"}


def test_text_that_is_not_utf8_stops_nothing(collection):
    if not is_mongodb(collection.database.client):
        pytest.skip("needs MongoDB itself: others keep documents as text")
    broken = bson.encode(old("broken", event_data="??????")).replace(b"??????", b"\xff\xfe\xfd???")
    collection.events.insert_one(RawBSONDocument(broken))
    collection.migrate()
    assert collection.found()["broken"]["event_data"] == "\ufffd\ufffd\ufffd???"


def test_what_cannot_be_an_event_is_kept_aside_as_it_was(collection):
    odd = old("x" * 300, when=datetime(2025, 1, 1, tzinfo=timezone.utc), n=7)
    collection.write(odd, old("a"))
    collection.migrate()
    assert set(collection.found()) == {"a"}
    assert list(collection.database[UNREADABLE].find()) == [odd]


def test_another_document_of_the_id_of_one_that_was_kept_aside_is_kept_too(collection):
    """An earlier release that goes on writing finds the id free, and takes it again."""
    for number in (1, 2, 2):
        collection.write(old("x" * 300, n=number))
        step = collection.steps["normalise events"]
        assert step.pending(unseen) == step.unreadable() == 1
        assert step.run(unseen) == step.unreadable() == 1
    kept = [one.get("document", one)["n"] for one in collection.database[UNREADABLE].find()]
    assert sorted(kept) == [1, 2, 2]


def test_what_an_earlier_release_writes_after_the_migration_is_noticed_and_mended(collection):
    collection.write(old("a"))
    collection.migrate()
    record_version(collection.database, Schema.own().schema_version, "", "events")
    assert not read_version(collection.database, "here", "events").has_older
    collection.write(old("late"))
    assert read_version(collection.database, "here", "events").has_older
    assert collection.pending()["normalise events"] == 1
    collection.migrate()
    assert not read_version(collection.database, "here", "events").has_older
    assert collection.found()["late"]["event_timestamp"] == NOON_IN_UTC


@pytest.mark.slow
def test_what_has_no_room_as_text_is_kept_aside_as_it_was(collection):
    odd = old("frame", event_data={"pixels": bytes(13_000_000)})
    collection.write(odd, old("a"))
    collection.migrate()
    assert set(collection.found()) == {"a"}
    assert collection.database[UNREADABLE].find_one({"_id": "frame"}) == odd


def test_an_event_that_is_ours_is_left_alone(collection):
    event = to_event(old("a", event_data={"n": 1}), CHICAGO)
    collection.events.insert_one(RawBSONDocument(to_bson(event)))
    assert collection.pending()["normalise events"] == 0
    collection.events.update_one({"_id": "a"}, {"$set": {"archived": True, "archived_at": iso(5)}})
    assert collection.pending()["normalise events"] == 0


def test_an_index_of_the_lab_for_what_one_of_ours_is_for_is_no_obstacle(collection):
    collection.write(old("a"))
    collection.events.create_index([("source.experiment_id", 1)], name="mine")
    collection.events.create_index([("received_at", 1), ("_id", 1)], name="arrival")
    collection.migrate()
    assert set(collection.pending().values()) == {0}
    assert {"mine", "arrival", "events_by_time"} <= collection.events.index_information().keys()


def test_an_index_that_has_the_name_of_one_of_ours_and_other_keys_is_replaced(collection):
    collection.write(old("a"))
    collection.events.create_index([("log_level", 1)], name="events_by_time")
    assert collection.pending()["replace indexes"] > 0
    collection.migrate()
    keys = collection.events.index_information()["events_by_time"]["key"]
    assert keys == [("event_timestamp", -1), ("_id", -1)]


def test_indexes_of_earlier_releases_go_and_those_of_the_lab_stay(collection):
    collection.write(old("a"))
    for keys in ([("log_level", 1)], [("archived", 1)], [("operator", 1)]):
        collection.events.create_index(keys)
    collection.migrate()
    there = collection.events.index_information().keys()
    assert "operator_1" in there
    assert not {"log_level_1", "archived_1"} & there


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
    | st.floats() | st.text(max_size=20)
    | st.binary(max_size=5) | st.just(OBJECT_ID)
    | st.builds(Timestamp, st.integers(0, 2**31), st.integers(0, 9))
    | st.builds(Regex, st.text("a^.", max_size=3), st.sampled_from(["", "i", "mx"]))
    | st.builds(Binary, st.binary(max_size=16), st.sampled_from([0, 3, 4, 5, 128])).filter(driver_has)
    | st.integers(-(2**63), 2**63 - 1).map(DatetimeMS)
    | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 - as drivers take it
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("abcdef_", min_size=1, max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = [
    "event_type", "log_level", "alert", "event_timestamp", "source", "event_data", "trace_id",
    "span_id", "archived", "archived_at", "received_at", "extra", "event_id", "exact", "note",
]  # fmt: skip


@pytest.mark.slow
@given(
    st.dictionaries(
        st.text("abc~\0", max_size=3) | st.integers(0, 50) | st.none() | st.just(OBJECT_ID),
        st.dictionaries(st.sampled_from(NAMES), values),
        min_size=1, max_size=5,
    )
)  # fmt: skip
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_a_collection_holds_every_document_is_an_event_afterwards_or_kept_aside(
    collection, documents
):
    collection.events.delete_many({})
    collection.database[UNREADABLE].delete_many({})
    for event_id, members in documents.items():
        try:
            collection.events.insert_one({"_id": event_id, **members})
        except (bson.errors.BSONError, PyMongoError):
            assume(False)  # no document at all, or one that FerretDB has no place for
    collection.migrate()
    aside = collection.database[UNREADABLE].count_documents({})
    assert collection.events.count_documents({}) + aside == len(documents)
    assert collection.pending()["normalise events"] == 0
    for document in collection.events.find():
        assert to_event(document).event_id == document["_id"]


def test_a_server_of_another_release_that_goes_on_writing_is_noticed(collection, monkeypatch):
    collection.write(old("a"))
    numbers = itertools.count()
    writing = Collection.bulk_write

    def somebody_writes(self, *arguments, **options):
        collection.events.insert_one(old(f"b{next(numbers)}"))
        return writing(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "bulk_write", somebody_writes)
        with pytest.raises(StoreError, match="another release works with the database"):
            collection.migrate()
    collection.migrate()
    assert collection.pending()["normalise events"] == 0


def test_facts_and_done_slots_of_version_2_0_0_become_documents_and_may_be_counted_before(collection):
    long_ago = datetime(2025, 1, 1, tzinfo=timezone.utc)
    collection.database["facts"].insert_many(
        [{"_id": "manager_id/lab", "value": "1"}, {"_id": "manager_id/ü", "value": ""}]
    )
    collection.database["turns"].insert_many(
        [
            {"_id": "backup@2025", "task": "backup", "slot": "2025", "done": True, "holder": "x",
             "until": long_ago},
            {"_id": "backup@2026", "task": "backup", "slot": "2026", "done": True, "holder": "x",
             "until": long_ago},
            {"_id": "retention@2026", "task": "retention", "slot": "2026", "done": False, "holder": "x",
             "until": long_ago},
        ]
    )  # fmt: skip
    assert collection.pending()["move facts"] == 3
    assert collection.migrate()["move facts"] == 3
    assert collection.pending()["move facts"] == 0
    assert "facts" not in collection.database.list_collection_names()
    assert facts(collection.database) == {
        "facts/manager_id/lab": '{"value":"1"}',
        "facts/manager_id/ü": '{"value":""}',
        "done/backup": '{"slot":"2026"}',
    }


def test_facts_that_were_moved_before_a_kill_stay_and_the_rest_is_moved(collection):
    collection.database["documents"].insert_one({"_id": "facts/a", "value": '{"value":"first"}'})
    collection.database["facts"].insert_many(
        [{"_id": "a", "value": "first"}, {"_id": "b", "value": "2"}]
    )
    assert collection.migrate()["move facts"] == 1
    assert facts(collection.database) == {"facts/a": '{"value":"first"}', "facts/b": '{"value":"2"}'}


def test_a_collection_of_others_with_the_name_of_facts_is_left_alone(collection):
    collection.database["facts"].insert_one({"_id": 1, "theirs": True})
    assert collection.migrate()["move facts"] == 0
    assert collection.database["facts"].find_one() == {"_id": 1, "theirs": True}


def facts(database) -> dict[str, str]:
    return {one["_id"]: one["value"] for one in database["documents"].find()}
