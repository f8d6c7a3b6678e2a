"""Which databases a server may work with, and what it says about the others."""

from __future__ import annotations

import re
import shlex
import threading
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from madsci.common.errors import SchemaVersionError
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.mongo.connection import connect, masked
from madsci.event_manager.stores.mongo.schema import Schema
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.mongo.upkeep import MongoUpkeep
from madsci.event_manager.stores.mongo.versions import (
    VERSIONS,
    check_version,
    read_version,
    record_version,
)
from madsci.event_manager.stores.upkeep import DatabaseState, DatabaseVersion

OURS = Schema.own().schema_version
UNTRACKED = DatabaseVersion(DatabaseState.UNTRACKED)
THREE_LINES = (
    "DATABASE INITIALIZATION REQUIRED! SERVER STARTUP ABORTED!\n"
    "The database exists but needs version tracking setup.\n"
    "To resolve this issue, run the migration tool and restart the server.\n"
)


@pytest.fixture
def database(mongo_url, mongo_database):
    with closing(connect(mongo_url)) as client:
        yield client[mongo_database]


def refusal(database, url="mongodb://host", events="events") -> str:
    before = content(database)
    with pytest.raises(SchemaVersionError) as caught:
        check_version(database, "here", url, events)
    assert content(database) == before
    return caught.value.message


def content(database) -> dict[str, list]:
    return {name: list(database[name].find()) for name in sorted(database.list_collection_names())}


def say(database, version, **members) -> None:
    entry = {"version": version, "applied_at": datetime.now(timezone.utc), **members}
    database[VERSIONS].insert_one(entry)


class TestFreshDatabases:
    def test_nothing_and_collections_without_documents_are_fresh_and_made_ready(self, database):
        for name in ("events", VERSIONS):
            database.create_collection(name)
        assert read_version(database, "here", "events").state is DatabaseState.FRESH
        check_version(database, "here", "", "events")
        assert read_version(database, "here", "events").version == OURS
        assert "events_by_time" in database["events"].index_information()
        (record,) = database[VERSIONS].find()
        assert record["migration_notes"] == f"Auto-initialized schema version {OURS}"
        assert abs(record["applied_at"] - datetime.now(timezone.utc)) < timedelta(minutes=1)

    def test_servers_that_start_at_once_all_start(self, mongo_url, mongo_database):
        failures: list[BaseException] = []
        together = threading.Barrier(5)

        def start() -> None:
            together.wait()
            try:
                with closing(MongoStore(mongo_url, database=mongo_database)) as store:
                    remember(store, "who", "me")
            except BaseException as error:  # noqa: BLE001 - shown below
                failures.append(error)

        threads = [threading.Thread(target=start) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with closing(connect(mongo_url)) as client:
            assert client[mongo_database][VERSIONS].count_documents({}) == 1


class TestDatabasesThatAreRefused:
    def test_events_without_a_version_in_the_words_of_the_documentation(self, database):
        database["events"].insert_one({"_id": "a"})
        said = refusal(database)
        assert said.startswith(THREE_LINES)
        assert "python -m madsci.common.mongodb_migration_tool --db-url 'mongodb://host'" in said
        assert "docker-compose run --rm event-manager python -m" in said

    def test_any_document_without_a_version(self, database):
        database["someones"].insert_one({})
        database.create_collection(VERSIONS)
        assert refusal(database).startswith(THREE_LINES)

    @pytest.mark.parametrize(
        "version", ["1.0.0", "1.99.0", f"{OURS[:-1]}{int(OURS[-1]) + 1}", "10.0.0"]
    )
    def test_another_version_whether_older_or_newer(self, database, version):
        say(database, version)
        said = refusal(database)
        assert "DATABASE VERSION MISMATCH DETECTED! SERVER STARTUP ABORTED!\n" in said
        assert f"\nExpected: {OURS}\nCurrent: {version}\n" in said
        is_older = version.startswith("1.")
        assert said.startswith(THREE_LINES) is is_older
        assert ("run the migration tool" in said) is is_older
        assert ("A newer Event Manager" in said) is not is_older

    @pytest.mark.parametrize("version", [None, 2, "2.0", "latest", "2.0.0\n", ["2.0.0"]])
    def test_a_version_that_cannot_be_read(self, database, version):
        say(database, version)
        assert "cannot be read" in refusal(database)

    def test_the_newest_record_counts(self, database):
        say(database, OURS, applied_at=datetime(2024, 1, 1, tzinfo=timezone.utc))
        say(database, "1.0.0", applied_at=datetime(2025, 1, 1, tzinfo=timezone.utc))
        assert "Current: 1.0.0" in refusal(database)


class TestCommands:
    def test_the_password_is_not_in_them_and_they_say_what_to_write_for_it(self, database):
        database["events"].insert_one({"_id": "a"})
        said = refusal(database, masked("mongodb://ann:p%40ss@host/?authSource=admin"))
        assert "p%40ss" not in said
        assert "ann" not in said
        assert "authSource=admin" in said
        assert "with user and password in the place of" in said
        assert "password" not in refusal(database)

    def test_they_name_what_the_tool_cannot_find_by_itself(self, database):
        database["lab_events"].insert_one({"_id": "a"})
        said = refusal(database, events="lab_events")
        (command,) = re.findall(r"^  (python .*)$", said, re.MULTILINE)
        words = shlex.split(command)
        given = dict(zip(words[3::2], words[4::2], strict=True))
        assert given["--collection-name"] == "lab_events"
        assert given["--database"] == database.name
        assert Schema.of_events(Path(given["--schema-file"])) == Schema.own()


class TestRecords:
    def test_a_record_made_by_a_clock_that_is_ahead_does_not_hide_a_newer_one(self, database):
        ahead = datetime.now(timezone.utc) + timedelta(days=3)
        say(database, "1.0.0", applied_at=ahead)
        record_version(database, OURS, "migrated", "events")
        assert read_version(database, "here", "events").version == OURS
        check_version(database, "here", "", "events")

    def test_a_record_without_collections_is_about_all_of_them(self, database):
        say(database, OURS)
        database["lab_events"].insert_one({"_id": "a"})
        check_version(database, "here", "", "lab_events")

    def test_events_in_a_collection_that_was_not_migrated_are_refused_until_they_are(
        self, database, mongo_url
    ):
        record_version(database, OURS, "migrated", "events")
        database["lab_events"].insert_one({"_id": "a"})
        check_version(database, "here", "", "events")
        assert "--collection-name 'lab_events'" in refusal(database, events="lab_events")
        with closing(MongoUpkeep(mongo_url, database=database.name, collection="lab_events")) as upkeep:
            assert upkeep.version() == UNTRACKED
            upkeep.record_version("migrated, too")
        check_version(database, "here", "", "lab_events")
        check_version(database, "here", "", "events")

    def test_a_new_collection_beside_others_is_made_ready(self, database):
        record_version(database, OURS, "migrated", "events")
        check_version(database, "here", "", "others")
        assert "events_by_time" in database["others"].index_information()
        database["others"].insert_one({"_id": "a"})
        check_version(database, "here", "", "others")

    def test_asking_for_the_version_makes_nothing(self, mongo_url, mongo_database):
        with (
            closing(MongoUpkeep(mongo_url, database=mongo_database)) as upkeep,
            closing(connect(mongo_url)) as client,
        ):
            assert upkeep.version().state is DatabaseState.FRESH
            assert mongo_database not in client.list_database_names()
