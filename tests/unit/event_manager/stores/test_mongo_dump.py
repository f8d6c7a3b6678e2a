"""Dumps of a database on a MongoDB server, and putting them in the place of what is there."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import threading
from contextlib import closing

import bson
import pymongo
import pytest
from bson.datetime_ms import DatetimeMS

from madsci.common.errors import StoreDamagedError, StoreInUseError
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import Step, put
from madsci.event_manager.stores.facts import facts_about_the_lab, remember
from madsci.event_manager.stores.mongo import restoring, turns
from madsci.event_manager.stores.mongo.bson_files import check_dump, collections, file_stem
from madsci.event_manager.stores.mongo.dump import dump_as_of_now, dump_database
from madsci.event_manager.stores.mongo.restoring import (
    finish_interrupted_restore,
    restore_database,
)
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.tasks.turn import last_done, note_done
from support.server import wait_until


def unseen(what, done, of):
    """Show no progress."""


@pytest.fixture
def client(mongo_url):
    with contextlib.closing(pymongo.MongoClient(mongo_url, tz_aware=True)) as opened:
        yield opened


@pytest.fixture
def database(client, mongo_database):
    return client[mongo_database]


def fill(database, what: str, number: int = 5) -> None:
    """Fill three collections; ``what`` stands in each of their documents."""
    for name in ("events", "facts", "odd/name"):
        database[name].drop()
        database[name].insert_many(
            [{"_id": f"{what}{index}", "what": what, "n": index} for index in range(number)]
        )
    database["events"].create_index([("what", 1), ("n", -1)], name="by_what")


def content(database) -> dict[str, list[dict]]:
    """Everything in the database but leases, and what a restore left aside."""
    return {
        name: sorted(database[name].find(), key=lambda one: str(one["_id"]))
        for name in sorted(database.list_collection_names())
        if name != "turns" and not name.endswith("__restoring")
    }


@pytest.mark.slow
def test_a_dump_restored_elsewhere_is_the_same(client, database, tmp_path):
    fill(database, "a", 2_500)
    told = dump_as_of_now(database, tmp_path / "dump", unseen)
    assert (told.collections, told.events) == (3, 5_000)
    assert check_dump(tmp_path / "dump", unseen) == 5_000
    other = client[f"{database.name}_other"]
    try:
        assert restore_database(client, other.name, tmp_path / "dump", unseen) == 5_000
        assert content(other) == content(database)
        assert other["events"].index_information()["by_what"]["key"] == [("what", 1), ("n", -1)]
    finally:
        client.drop_database(other.name)


def test_a_dump_has_the_files_that_mongorestore_reads(database, tmp_path):
    fill(database, "a")
    dump_database(database, tmp_path / "dump", unseen)
    names = {path.name for path in (tmp_path / "dump").iterdir()}
    assert names == {
        f"{stem}{ending}"
        for stem in ("events", "facts", "odd%2Fname")
        for ending in (".bson", ".metadata.json")
    }
    said = json.loads((tmp_path / "dump" / "events.metadata.json").read_text())
    assert said["collectionName"] == "events"
    (index,) = [one for one in said["indexes"] if one["name"] == "by_what"]
    assert list(index["key"]) == ["what", "n"]
    raw = (tmp_path / "dump" / "events.bson").read_bytes()
    assert bson.decode_all(raw) == sorted(database["events"].find(), key=lambda one: one["_id"])


def test_what_was_there_before_a_dump_began_is_in_it_whatever_is_written_meanwhile(database, tmp_path):
    database["events"].insert_many([{"_id": index, "pad": "x" * 200} for index in range(4_000)])
    stopping = threading.Event()

    def write():
        number = 0
        while not stopping.is_set():
            database["events"].insert_one({"_id": f"new{number}"})
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        dump_as_of_now(database, tmp_path / "dump", unseen)
    finally:
        stopping.set()
        writer.join()
    raw = (tmp_path / "dump" / "events.bson").read_bytes()
    found = [one["_id"] for one in bson.decode_all(raw)]
    assert [one for one in found if isinstance(one, int)] == list(range(4_000))
    assert len(found) == len(set(found))


def test_collections_made_after_the_backup_do_not_stay_but_leases_do(client, database, tmp_path):
    fill(database, "a")
    dump_database(database, tmp_path / "dump", unseen)
    before = content(database)
    fill(database, "b")
    database["later"].insert_one({"_id": 1})
    database["turns"].insert_one({"_id": "lease", "holder": "me", "until": DatetimeMS(2**52)})
    restore_database(client, database.name, tmp_path / "dump", unseen)
    assert content(database) == before
    assert database["turns"].count_documents({"_id": "lease"}) == 1


def test_compressed_dumps_of_other_tools_are_read(client, database, tmp_path):
    """As ``mongodump --gzip`` writes them, with a prelude and collections of the server itself."""
    fill(database, "a")
    dump_database(database, tmp_path / "dump", unseen)
    before = content(database)
    for path in list((tmp_path / "dump").iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    (tmp_path / "dump" / "prelude.json.gz").write_bytes(gzip.compress(b"{}"))
    (tmp_path / "dump" / "system.views.bson.gz").write_bytes(gzip.compress(b""))
    fill(database, "b")
    assert restore_database(client, database.name, tmp_path / "dump", unseen) == 10
    assert content(database) == before


def test_documents_that_only_other_languages_write_are_kept_as_they_are(tmp_path):
    """The form of a dump is checked, not whether Python likes the values."""
    far = bson.encode({"_id": "far", "when": DatetimeMS(2**60)})
    broken = bson.encode({"_id": "text", "text": "xyz"}).replace(b"xyz", b"\xff\xfez")
    (tmp_path / "events.bson").write_bytes(far + broken)
    assert check_dump(tmp_path, unseen) == 2


@pytest.mark.parametrize("what", ["cut", "changed", "compressed", "said", "nothing", "twice"])
def test_a_damaged_dump_is_refused_and_changes_nothing(client, database, tmp_path, what):
    fill(database, "a")
    dump = tmp_path / "dump"
    dump_database(database, dump, unseen)
    before = content(database)
    events = dump / "events.bson"
    raw = events.read_bytes()
    if what == "cut":
        events.write_bytes(raw[:-7])
    elif what == "changed":
        events.write_bytes(raw[:40] + b"\xff" * 8 + raw[48:])
    elif what == "compressed":
        events.unlink()
        (dump / "events.bson.gz").write_bytes(gzip.compress(raw)[:-12])
    elif what == "said":
        (dump / "events.metadata.json").write_text('{"indexes": 5}')
    elif what == "nothing":
        for path in dump.glob("*.bson"):
            path.unlink()
    else:
        events.write_bytes(raw + raw)
    with pytest.raises((StoreDamagedError, pymongo.errors.BulkWriteError)):
        restore_database(client, database.name, dump, unseen)
    assert content(database) == before


def test_whoever_lost_the_hold_does_not_swap(client, database, tmp_path):
    fill(database, "a")
    dump_database(database, tmp_path / "dump", unseen)
    fill(database, "b")

    def lost():
        raise StoreInUseError("The hold was lost.")

    with pytest.raises(StoreInUseError):
        restore_database(client, database.name, tmp_path / "dump", unseen, confirm=lost)
    assert {one["what"] for one in database["events"].find()} == {"b"}


def test_only_one_of_two_that_open_the_database_swaps(client, database, tmp_path, monkeypatch):
    """The other one waits until it is done, and then finds nothing left to do."""
    fill(database, "a")
    database["events__restoring"].insert_one({"_id": "new"})
    journal = {"_id": "restore", "state": "swapping", "names": ["events"], "stale": ["facts"]}
    database["restore_journal"].insert_one(journal)
    told: list[bool] = []
    threads = [
        threading.Thread(target=lambda: told.append(finish_interrupted_restore(database)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False, False, False, True]
    assert content(database)["events"] == [{"_id": "new"}]
    assert "facts" not in content(database)


def test_a_collection_with_a_very_long_name_has_a_file():
    assert len(file_stem("ä" * 100)) < 240
    assert file_stem("ä" * 100) != file_stem("ä" * 101)


def test_names_come_back_from_files_without_metadata(tmp_path):
    (tmp_path / "odd%2Fname.bson").write_bytes(bson.encode({"_id": 1}))
    assert [one.name for one in collections(tmp_path)] == ["odd/name"]


RESTORE = """
import os, sys
from pathlib import Path
import pymongo
from pymongo import monitoring
from madsci.event_manager.stores.mongo import restoring

url, name, folder, limit = sys.argv[1:]

class Killer(monitoring.CommandListener):
    left = int(limit)
    def started(self, event):
        if event.command_name in {"insert", "create", "createIndexes", "drop", "renameCollection",
                                  "update", "delete"}:
            if Killer.left == 0:
                os._exit(9)
            Killer.left -= 1
    def succeeded(self, event): pass
    def failed(self, event): pass

restoring._LEASE = 0.2
client = pymongo.MongoClient(url, event_listeners=[Killer()])
restoring.restore_database(client, name, Path(folder), lambda *_: None)
print("done")
"""


@pytest.mark.slow
def test_a_restore_killed_before_any_of_its_commands_leaves_all_old_or_all_new(
    client, database, mongo_url, tmp_path, monkeypatch
):
    monkeypatch.setattr(restoring, "_LEASE", 0.2)
    fill(database, "new")
    dump_database(database, tmp_path / "dump", unseen)
    new = content(database)
    outcomes: list[str] = []
    for limit in range(60):
        fill(database, "old")
        database["later"].replace_one({"_id": 1}, {}, upsert=True)
        old = content(database)
        ended = subprocess.run(
            [sys.executable, "-c", RESTORE, mongo_url, database.name, tmp_path / "dump", str(limit)],
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert ended.returncode in (0, 9), ended.stderr
        wait_until(lambda: not turns.holders(database, ""))  # what it held when it was killed
        finish_interrupted_restore(database)  # as the next server does
        found = content(database)
        assert found in (old, new), f"neither old nor new after {limit} commands: {sorted(found)}"
        outcomes.append("old" if found == old else "new")
        if ended.returncode == 0:
            break
    assert ended.returncode == 0, "there were more commands than thought"
    assert outcomes == sorted(outcomes, reverse=True)
    assert outcomes[0] == "old"
    assert outcomes.count("new") > 3
    left = set(database.list_collection_names())
    assert left == {"events", "facts", "odd/name", "turns"}


def test_facts_and_documents_come_back_and_are_no_events(mongo_url, mongo_database, client, tmp_path):
    places = [Position.of([("lane", number)]) for number in range(1, 4)]
    with closing(MongoStore(mongo_url, database=mongo_database)) as store:
        store.append([StoredEvent("a", "log", 20, False, 1, 1, {}, "{}")])
        remember(store, "manager_id/lab", "1")
        note_done(store, "backup", "2026")
        assert store.apply([put("t", "k", "1")], Step("f", START, places[0]))
        assert store.hold("task", "me", 60)
    told = dump_as_of_now(client[mongo_database], tmp_path / "dump", unseen)
    assert told.events == check_dump(tmp_path / "dump", unseen) == 1
    with closing(MongoStore(mongo_url, database=mongo_database)) as store:
        assert store.apply([put("t", "k", "2")], Step("f", *places[:2]))
        note_done(store, "backup", "2027")
        assert store.apply([put("t", "k", "3")], Step("f", *places[1:]))
    assert restore_database(client, mongo_database, tmp_path / "dump", unseen) == 1
    with closing(MongoStore(mongo_url, database=mongo_database)) as store:
        assert facts_about_the_lab(store) == {"manager_id/lab": "1"}
        assert last_done(store, "backup") == "2026"
        assert store.read("t", "k") == "1"
        assert store.apply([put("t", "k", "4")], Step("f", *places[:2]))
        assert store.read("t", "k") == "4"
