"""The migration tool on event files, on other names, and copying from one store to another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from madsci.event_manager.model.query import Query
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.mongo.connection import connect
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.server import ServerProcess, running_server, wait_until


class Tool:
    """The tool in a folder of its own; ``environment`` is what it sees beside the system's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backups = folder / ".madsci" / "mongodb" / "backups"
        (folder / ".madsci").mkdir(exist_ok=True)
        ours = ("EVENT_", "MADSCI_", "MONGO", "DOCUMENT_DB", "DATABASE_URL", "DB_URL", "SCHEMA_FILE")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "madsci.common.mongodb_migration_tool", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=100)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: object) -> dict:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def tool(tmp_path):
    return Tool(tmp_path)


def some_events(number: int) -> list[StoredEvent]:
    return [
        StoredEvent(
            f"e{place:05}", "node_error", 40 if place % 3 else 20, place % 7 == 0, place // 20, place,
            {"node_id": f"n{place % 4}"}, encode_json({"n": place, "$big": 10**30, "text": "é" * 20}),
            archived=place % 5 == 0, archived_at=9 if place % 5 == 0 else None,
        )
        for place in range(number)
    ]  # fmt: skip


def content(store) -> list[StoredEvent]:
    return store.find(Query(limit=100_000)).events


class TestEventFiles:
    @pytest.mark.slow
    def test_a_file_is_checked_backed_up_and_restored_like_a_database(self, tool):
        path = tool.folder / "lab.db"
        url = f"sqlite:///{path}"
        with closing(SqliteStore(path)) as store:
            store.append(some_events(50))
            kept = content(store)
        assert tool.run("--db-url", url, "--check-version").returncode == 0
        assert tool.run("--db-url", url, "--validate-schema").returncode == 0
        assert "no migration is needed" in tool.run("--db-url", url).stdout
        assert not tool.backups.exists()
        backup = tool.json("--db-url", url, "--backup-only")["backup"]
        assert Path(backup).parent == tool.backups
        with closing(SqliteStore(path)) as store:
            store.append([StoredEvent("new", "log", 20, False, 0, 0, {}, "1")])
        assert tool.json("--db-url", url, "--restore-from", backup)["events"] == 50
        with closing(SqliteStore(path)) as store:
            restored = {event.event_type: event for event in content(store) if event not in kept}
            assert [event for event in content(store) if event in kept] == kept
        assert set(restored) == {"backup_restore"}

    @pytest.mark.slow
    def test_a_file_that_is_served_can_be_backed_up_and_not_restored(self, tool):
        with running_server(tool.folder) as server:
            server.post("event", {"_id": "one"})
            url = f"sqlite:///{server.database}"
            backup = tool.json("--db-url", url, "--backup-only")["backup"]
            refused = tool.run("--db-url", url, "--restore-from", backup)
            assert refused.returncode == 1
            assert "open in another Event Manager" in refused.stderr
            assert server.get("event/one")["_id"] == "one"

    def test_a_file_that_is_not_there_is_not_made(self, tool):
        done = tool.run("--db-url", "sqlite:///none.db", "--check-version")
        assert done.returncode == 0
        assert "is empty" in done.stdout
        assert not (tool.folder / "none.db").exists()


class TestNames:
    def test_a_database_of_nobody_is_refused_with_the_names_that_are_known(self, tool):
        done = tool.run("--database", "lab7", "--db-url", "mongodb://127.0.0.1:1/")
        assert done.returncode == 2
        assert "madsci_events" in done.stderr
        assert "--schema-file" in done.stderr

    def test_the_schema_of_another_manager_or_release_is_refused(self, tool):
        others = {"database": "madsci_data", "schema_version": "1.0.0", "collections": {"data": {}}}
        older = {**others, "database": "madsci_events", "collections": {"events": {}}}
        for schema, said in ((others, "no collection 'events'"), (older, "version 1.0.0")):
            (tool.folder / "schema.json").write_text(json.dumps(schema))
            done = tool.run("--database", "madsci_events", "--schema-file", "schema.json")
            assert done.returncode == 2
            assert said in done.stderr

    def test_the_schema_of_another_manager_is_not_found_here(self, tool):
        done = tool.run("--database", "madsci_resources")
        assert done.returncode == 2
        assert "resource manager" in done.stderr

    def test_another_target_version_is_refused(self, tool, mongo_url, mongo_database):
        schema = Path(__file__).parents[2] / "src" / "madsci" / "event_manager" / "schema.json"
        done = tool.run(
            "--db-url", mongo_url, "--database", mongo_database, "--schema-file", schema,
            "--target-version", "1.0.0",
        )  # fmt: skip
        assert done.returncode == 2
        assert "--target-version" in done.stderr

    def test_passwords_are_not_shown(self, tool):
        url = "mongodb://ann:secret77@127.0.0.1:1/?serverSelectionTimeoutMS=200"
        for arguments in (["--database", "madsci_events"], ["--database", "x"], ["--nonsense"]):
            done = tool.run("--db-url", url, *arguments)
            assert done.returncode in (1, 2)
            assert "secret77" not in done.stdout + done.stderr

    @pytest.mark.slow
    def test_a_server_that_does_not_answer_is_an_error_and_no_migration(self, tool):
        url = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"
        for action in ("--check-version", "--backup-only", "--validate-schema", "--dry-run"):
            done = tool.run("--db-url", url, "--database", "madsci_events", action)
            assert done.returncode == 1, action
            assert "No MongoDB server answers" in done.stderr

    @pytest.mark.slow
    def test_a_collection_that_has_another_name_is_migrated_when_it_is_named(self, tool, mongo_server):
        with closing(connect(mongo_server.url)) as client:
            client["madsci_events"]["madsci_events"].insert_one(
                {"_id": "old", "event_type": "log", "event_timestamp": "2025-01-01T00:00:00"}
            )
        names = {"EVENT_DB_URL": mongo_server.url, "EVENT_COLLECTION_NAME": "madsci_events"}
        tool.environment["MONGODB_URL"] = mongo_server.url
        # As the documentation prints it, which names no collection.
        assert tool.run("--database", "madsci_events").returncode == 0
        refused = ServerProcess(tool.folder, **names)
        assert refused.launch().wait(60) == 1
        assert "--collection-name 'madsci_events'" in refused.log.read_text()
        more = ["--collection-name", "madsci_events"]
        assert tool.json("--database", "madsci_events", *more)["needed"] is True
        with running_server(tool.folder, **names) as server:
            assert server.get("event/old")["event_type"] == "log"


def test_help_lists_the_flags_and_does_nothing(tool):
    for words in (["--help"], ["copy", "-h"], ["--database", "madsci_events", "--help"]):
        done = tool.run(*words)
        assert done.returncode == 0
        for flag in ("--db-url", "--backup-only", "--dry-run", "copy --from URL --to URL"):
            assert flag in done.stdout


class TestCopying:
    @pytest.mark.slow
    def test_there_and_back_by_the_command_every_event_is_the_same(
        self, tool, mongo_url, mongo_database
    ):
        with closing(SqliteStore(tool.folder / "one.db")) as store:
            store.append(some_events(300))
            kept = content(store)
        there = tool.json(
            "copy", "--from", "sqlite:///one.db", "--to", mongo_url, "--to-database", mongo_database
        )
        back = tool.json(
            "copy", "--from", mongo_url, "--from-database", mongo_database, "--to", "sqlite:///back.db"
        )
        assert there["checksum"] == back["checksum"]
        assert there["events"] == back["stored"] == 300
        with closing(SqliteStore(tool.folder / "back.db")) as store:
            assert content(store) == kept
        again = tool.json("copy", "--from", "sqlite:///one.db", "--to", "sqlite:///back.db")
        assert (again["stored"], again["there_before"]) == (0, 300)

    def test_a_store_that_is_served_is_not_copied(self, tool):
        with running_server(tool.folder) as server:
            done = tool.run("copy", "--from", f"sqlite:///{server.database}", "--to", "sqlite:///o.db")
            assert done.returncode == 1
            assert "open in another Event Manager" in done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--from", "sqlite:///a.db"],
            ["--to", "sqlite:///a.db"],
            ["--from", "sqlite:///a.db", "--to", "sqlite:///a.db"],
            ["--from", "sqlite:///a.db", "--to", "sqlite:///b.db", "--database"],
            ["--from", "sqlite:///a.db", "--to", "sqlite:///b.db", "--sort", "time"],
            ["--from", "oracle://host", "--to", "sqlite:///b.db"],
        ],
    )
    def test_a_wrong_command_makes_nothing(self, tool, arguments):
        before = sorted(tool.folder.rglob("*"))
        done = tool.run("copy", *arguments)
        assert done.returncode == 2
        assert sorted(tool.folder.rglob("*")) == before

    @pytest.mark.slow
    def test_a_copy_that_was_killed_goes_on(self, tool, mongo_server):
        with closing(SqliteStore(tool.folder / "one.db")) as store:
            store.append(some_events(8_000))
            kept = content(store)
        command = ["copy", "--from", "sqlite:///one.db", "--to", mongo_server.url]
        process = tool.start(*command)
        with closing(connect(mongo_server.url)) as client:
            wait_until(
                lambda: (
                    client["madsci_events"]["events"].estimated_document_count() > 2_500
                    or process.poll() is not None
                ),
                "a part of the copy",
            )
            process.kill()
            process.communicate()
            assert process.returncode == -9
            client["madsci_events"]["turns"].drop()  # as a minute later
        report = tool.json(*command)
        assert report["there_before"] >= 1_000
        assert report["events"] == 8_000
        with closing(MongoStore(mongo_server.url)) as store:
            assert content(store) == kept
