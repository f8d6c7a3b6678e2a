"""What the contract does not say about the store on MongoDB: several servers, faults, leases."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from madsci.common.clock import iso
from madsci.common.errors import (
    SchemaVersionError,
    StoreDamagedError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.base import Disposition
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import connect, is_mongodb
from madsci.event_manager.stores.mongo.exclusive import Hold
from madsci.event_manager.stores.mongo.lease import LIFETIME, RENEWAL
from madsci.event_manager.stores.mongo.presence import EXCLUSIVE, SERVERS, Presence
from madsci.event_manager.stores.mongo.store import MongoStore
from support.server import free_port


def event(event_id: object, moment: int = 0, **members) -> StoredEvent:
    plain = {
        "event_type": "log", "log_level": 20, "alert": False, "received_at": 1, "source": {},
        "event_data": "{}",
    }  # fmt: skip
    return StoredEvent(**{**plain, "event_id": str(event_id), "event_timestamp": moment, **members})


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def database(mongo_url, mongo_database):
    with closing(connect(mongo_url)) as client:
        yield client[mongo_database]


class TestSeveralServers:
    def test_what_one_stored_is_a_duplicate_to_the_other(self, open_store):
        one, other = open_store(), open_store()
        assert one.append([event("a", 1)])[0].disposition is Disposition.STORED
        outcome = other.append([event("a", 2)])[0]
        assert (outcome.disposition, outcome.event.event_timestamp) == (Disposition.DUPLICATE, 1)
        assert other.get("a") == one.get("a")

    def test_an_alert_is_raised_by_one_of_them(self, open_store, database):
        servers = [open_store() for _ in range(4)]
        servers[0].append([event("a")])
        raised: list[Disposition] = []

        def send(server: MongoStore) -> None:
            raised.append(server.append([event("a", alert=True)])[0].disposition)

        senders = [threading.Thread(target=send, args=(server,)) for server in servers]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(30)
        assert len(raised) == len(servers)
        times = raised.count(Disposition.ALERT_RAISED)
        # Servers that imitate MongoDB may change a document for two at once.
        assert times == 1 if is_mongodb(database.client) else times >= 1
        assert servers[0].append([event("a", alert=True)])[0].disposition is Disposition.DUPLICATE

    def test_one_of_many_gets_a_lease(self, open_store):
        servers = [open_store() for _ in range(4)]
        for _ in range(5):
            got: list[MongoStore] = []

            def take(server: MongoStore, got: list[MongoStore] = got) -> None:
                if server.hold("retention", str(id(server)), 60):
                    got.append(server)

            takers = [threading.Thread(target=take, args=(server,)) for server in servers]
            for taker in takers:
                taker.start()
            for taker in takers:
                taker.join(30)
            (holder,) = got
            holder.let_go("retention", str(id(holder)))

    def test_each_event_is_stored_once_however_many_send_it(self, open_store):
        servers = [open_store() for _ in range(3)]
        batch = [event(number, number) for number in range(400)]
        stored = []

        def send(server: MongoStore, part: list[StoredEvent]) -> None:
            stored.extend(
                outcome.event.event_id
                for outcome in server.append(part)
                if outcome.disposition is Disposition.STORED
            )

        senders = [threading.Thread(target=send, args=(server, batch)) for server in servers]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)
        assert sorted(stored) == sorted(one.event_id for one in batch)
        assert servers[0].count() == len(batch)

    def test_a_lease_is_one_servers_until_it_ends_by_itself(self, open_store):
        one, other = open_store(), open_store()
        assert one.hold("backup", "one", 0.3)
        deadline = time.monotonic() + 10
        while not other.hold("backup", "other", 60):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        one.let_go("backup", "one")  # it woke up again, and has lost the lease
        assert not one.hold("backup", "one", 60)

    def test_leases_of_others_are_none_of_the_servers_at_work(self, open_store, database):
        store = open_store()
        before = turns.holders(database, SERVERS)
        assert store.hold(f"{SERVERS}x", "me", 60)
        assert store.hold(EXCLUSIVE, "me", 60)
        assert turns.holders(database, SERVERS) == before
        assert open_store().append([event("a")])[0].disposition is Disposition.STORED

    def test_they_agree_about_facts(self, open_store):
        one, other = open_store(), open_store()
        assert remember(one, "id", "first") == "first"
        assert remember(other, "id", "second") == "first"


class TestPresence:
    def test_a_server_is_seen_while_it_is_there(self, open_store, database):
        assert turns.holders(database, SERVERS) == []
        store = open_store()
        assert len(turns.holders(database, SERVERS)) == 1
        store.close()
        assert turns.holders(database, SERVERS) == []

    def test_a_database_that_is_being_migrated_is_left_alone(self, open_store, database):
        assert turns.hold(database, EXCLUSIVE, "migration", 60)
        with pytest.raises(StoreInUseError, match="migrated or restored"):
            open_store()
        assert turns.holders(database, SERVERS) == []
        turns.let_go(database, EXCLUSIVE, "migration")
        assert open_store().count() == 0


class TestAnOutage:
    """A server that could not reach the database for so long that others took it for gone."""

    @pytest.fixture
    def server(self, database):
        """A place of a server, the seconds that passed for it, and what it did when it came back."""
        passed, returns = [1000.0], []
        problems: list[StoreError] = []

        def on_return():
            returns.append(passed[0])
            if problems:
                raise problems[0]

        presence = Presence(database, "here", f"{SERVERS}one", on_return, lambda: passed[0])
        presence.start()
        yield SimpleNamespace(presence=presence, passed=passed, returns=returns, problems=problems)
        presence.close()

    def test_the_database_is_asked_only_after_an_outage(self, server, database):
        database[turns.TURNS].drop()
        server.passed[0] += LIFETIME - RENEWAL - 1
        server.presence.confirm()
        assert turns.holders(database, SERVERS) == []
        server.passed[0] += 2
        server.presence.confirm()
        assert turns.holders(database, SERVERS) == [f"{SERVERS}one"]
        assert len(server.returns) == 1

    def test_who_has_the_database_for_himself_is_looked_for_before_the_next_write(
        self, server, database, caplog
    ):
        server.passed[0] += LIFETIME
        assert turns.hold(database, EXCLUSIVE, "migration", 60)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="is being migrated or restored"):
                server.presence.confirm()
        assert "migrated or restored" in server.presence.trouble()
        assert server.returns == []
        assert turns.holders(database, SERVERS) == []  # and is in nobody's way meanwhile
        turns.let_go(database, EXCLUSIVE, "migration")
        server.presence.confirm()
        assert server.presence.trouble() is None
        assert len(server.returns) == 1
        assert len(caplog.records) == 2

    def test_nobody_writes_while_it_is_looked_who_has_the_database(self, server, monkeypatch):
        """The place is taken before that look, and is nothing to rely on until it is over."""
        server.passed[0] += LIFETIME
        certain = []

        def seen(found):
            def look(*arguments):
                certain.append(server.presence._lease.is_certain)
                return found(*arguments)

            return look

        monkeypatch.setattr(turns, "holders", seen(turns.holders))
        monkeypatch.setattr(server.presence, "_on_return", seen(server.presence._on_return))
        server.presence.confirm()
        assert certain == [False, False]
        assert server.presence._lease.is_certain

    @pytest.mark.parametrize(
        ("problem", "said"),
        [
            (SchemaVersionError("SERVER STARTUP ABORTED!"), "another version since somebody"),
            (StoreInUseError("Another program restores."), "Another program restores."),
        ],
    )
    def test_a_database_that_changed_its_version_meanwhile_is_not_written_to(
        self, server, database, problem, said
    ):
        server.passed[0] += LIFETIME
        server.problems.append(problem)
        with pytest.raises(StoreUnavailableError, match=said) as caught:
            server.presence.confirm()
        assert "ABORTED" not in caught.value.message
        assert turns.holders(database, SERVERS) == []


class TestBeingAlone:
    def test_a_server_that_came_in_during_an_outage_of_the_tool_ends_its_work(self, database):
        passed = [1000.0]
        hold = Hold(database, "here", lambda: passed[0])
        hold.start()
        try:
            hold.confirm()
            database[turns.TURNS].drop()  # as a minute later
            assert turns.hold(database, f"{SERVERS}one", "one", 60)
            hold.confirm()  # it is certain for a while, and the server would have looked
            passed[0] += LIFETIME
            with pytest.raises(StoreInUseError, match="1 Event Manager works with"):
                hold.confirm()
            assert turns.hold(database, EXCLUSIVE, "another", 60) is False
        finally:
            hold.close()

    def test_another_tool_that_came_in_ends_its_work_too(self, database):
        passed = [1000.0]
        hold = Hold(database, "here", lambda: passed[0])
        hold.start()
        try:
            database[turns.TURNS].drop()
            assert turns.hold(database, EXCLUSIVE, "another", 60)
            passed[0] += LIFETIME
            with pytest.raises(StoreInUseError, match="lost to another program"):
                hold.confirm()
        finally:
            hold.close()
        assert turns.holders(database, EXCLUSIVE) == [EXCLUSIVE]


class TestDocumentsThatAreNoEvents:
    """Such as an older server may write after the migration."""

    @pytest.mark.parametrize("sort", [("event_timestamp",), ("event_data.n",)])
    def test_they_are_passed_over_and_named_and_every_page_is_whole(
        self, store, database, caplog, sort
    ):
        odd = [{"_id": f"{number}" * 300, "event_timestamp": iso(5)} for number in range(3)]
        database["events"].insert_many(odd)
        store.append(
            [event(f"e{number}", number, event_data=f'{{"n":{number}}}') for number in range(9)]
        )
        found, place = [], None
        for _ in range(9):
            page = store.find(Query(limit=2, after=place, sort=parse_sort([*sort])))
            found += [one.event_id for one in page.events]
            place = page.next_place
            if place is None:
                break
        assert found == [f"e{number}" for number in range(9)]
        assert store.damaged_events == 3
        named = [record.getMessage() for record in caplog.records if "is no event" in record.message]
        assert len(named) == 3
        with pytest.raises(StoreDamagedError, match="characters"):
            store.get("0" * 300)


class TestFaults:
    def test_a_server_that_is_not_there_is_said_in_a_sentence(self):
        url = f"mongodb://user:secret@127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=200"
        with pytest.raises(StoreUnavailableError, match="No MongoDB server answers") as caught:
            MongoStore(url)
        assert "secret" not in caught.value.message

    def test_one_event_that_the_server_will_not_have_spares_its_neighbours(self, store):
        odd = event("odd", event_data='{"a":[[[]]],"b.c":1,"message":"kept"}')
        outcomes = store.append([event("a"), odd, event("b")])
        assert [one.disposition for one in outcomes] == [Disposition.STORED] * 3
        assert store.get("odd") == odd
        assert store.append([odd])[0].disposition is Disposition.DUPLICATE

    def test_questions_end_within_their_budget(self, store):
        store.append([event(number, event_data=encode_json({"n": number})) for number in range(500)])
        with pytest.raises(Exception, match="stopped"):
            store.find(Query(parse_selector({"event_data.n": {"$gt": 1}}), budget=Budget(0)))

    def test_a_closed_store_says_so(self, store):
        store.close()
        store.close()
        for call in (store.count, store.check, lambda: store.get("a"), lambda: store.append([])):
            with pytest.raises(StoreError, match="closed"):
                call()


def test_documents_of_earlier_releases_are_read(store, database):
    """Where such a document came after the migration, from an older server."""
    database["events"].insert_one(
        {"_id": "old", "event_type": "node_start", "event_timestamp": "2025-01-01T00:00:00Z"}
    )
    assert store.get("old").event_type == "node_start"
    assert [one.event_id for one in store.find(Query()).events] == ["old"]


def test_the_password_is_not_in_the_location(mongo_url, store):
    secret = mongo_url.rpartition("@")[0].rpartition(":")[2]
    assert " at mongodb" in store.location
    assert not secret or secret not in store.location
