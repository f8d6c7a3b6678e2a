"""The migration tool and the refusal of the server, as an operator of an older lab meets them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from madsci.event_manager.migration.schema_files import own_schema_file
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import connect
from support.old_database import LONG_ID, NAIVE, ZONE, expected_events, write_old_database
from support.server import ServerProcess, wait_until

MISSION = Path(__file__).resolve().parents[3] / "shared" / "mission" / "event-manager-readme.txt"
TOOL = "python -m madsci.common.mongodb_migration_tool"
IN_DOCKER = "docker-compose run --rm event-manager "
DOCKER = (
    f"{IN_DOCKER}{TOOL} --db-url 'mongodb://mongodb:27017' --database 'madsci_events'"
    " --schema-file '/app/madsci/event_manager/schema.json'"
)
COMMANDS = {
    "migrate": f"{TOOL} --database madsci_events",
    "with a URL": f"{TOOL} --db-url mongodb://localhost:27017 --database madsci_events",
    "with a schema": f"{TOOL} --database madsci_events --schema-file /path/to/schema.json",
    "back up": f"{TOOL} --database madsci_events --backup-only",
    "restore": f"{TOOL} --database madsci_events --restore-from /path/to/backup",
    "check": f"{TOOL} --database madsci_events --check-version",
    "migrate in Docker": DOCKER,
    "back up in Docker": f"{DOCKER} --backup-only",
    "check in Docker": f"{DOCKER} --check-version",
}
"""The commands as the mission's document prints them."""
REFUSAL = (
    "DATABASE INITIALIZATION REQUIRED! SERVER STARTUP ABORTED!\n"
    "The database exists but needs version tracking setup.\n"
    "To resolve this issue, run the migration tool and restart the server.\n"
)


class Lab:
    """A folder, a MongoDB server of its own, and the old database on it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.client = connect(url)
        self.database = self.client["madsci_events"]
        self.backups = folder / ".madsci" / "mongodb" / "backups"
        self.backups.parent.mkdir(parents=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("EVENT_", "MADSCI_", "MONGO"))}
        self.environment = {**kept, "MONGODB_URL": url, "MONGODB_MIGRATION_NAIVE_TIMEZONE": ZONE}

    def run(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the document with the server, the schema and the backup that are there."""
        words = shlex.split(command.removeprefix(IN_DOCKER))
        words = [sys.executable if word == "python" else word for word in words]
        there = {
            "mongodb://localhost:27017": self.url,
            "mongodb://mongodb:27017": self.url,
            "/path/to/schema.json": str(shutil.copy(own_schema_file(), self.folder / "mine.json")),
            "/app/madsci/event_manager/schema.json": str(own_schema_file()),
            "/path/to/backup": str(next(iter(self.made_backups()), "")),
        }
        return subprocess.run(
            [*(there.get(word, word) for word in words), *more],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def made_backups(self) -> list[Path]:
        found = self.backups.glob("madsci_events_backup_*") if self.backups.is_dir() else ()
        return sorted(found)

    def server(self) -> ServerProcess:
        folder = self.folder / "server"
        folder.mkdir(exist_ok=True)
        return ServerProcess(folder, EVENT_DB_URL=self.url, EVENT_NAIVE_TIMEZONE=ZONE)

    def content(self) -> dict[str, dict[str, dict]]:
        """Every document of every collection but the leases."""
        return {
            name: {repr(one["_id"]): one for one in self.database[name].find()}
            for name in self.database.list_collection_names()
            if name != turns.TURNS
        }


def without_lanes(events: dict[str, dict]) -> list[dict]:
    """The events with their numbers in the feed: the name of a lane is new each time."""
    return [{**event, "lane": None} for event in events.values()]


@pytest.fixture
def empty_lab(tmp_path, mongo_server):
    lab = Lab(tmp_path, mongo_server.url)
    with closing(lab.client):
        yield lab


@pytest.fixture
def lab(empty_lab):
    write_old_database(empty_lab.database["events"])
    return empty_lab


@pytest.mark.mission
def test_the_commands_and_the_refusal_are_those_of_the_document():
    if not MISSION.exists():
        pytest.skip(f"needs the mission's document at {MISSION}")
    lines = [line.strip() for line in MISSION.read_text(encoding="utf-8").splitlines()]
    tool_lines = [line for line in lines if TOOL in line]
    assert tool_lines == list(COMMANDS.values())
    assert all(line in lines for line in REFUSAL.splitlines())


@pytest.mark.slow
def test_an_old_database_is_refused_migrated_and_served(lab):
    refused = lab.server()
    assert refused.launch().wait(60) == 1
    said = refused.log.read_text()
    assert REFUSAL in said
    assert "Traceback" not in said
    printed = next(line.strip() for line in said.splitlines() if line.strip().startswith("python -m"))

    before = lab.content()
    assert lab.run(COMMANDS["check"]).returncode == 1
    assert lab.content() == before
    assert not lab.backups.exists()

    done = lab.run(printed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "was migrated from unversioned to 2.1.0" in done.stdout
    assert lab.run(COMMANDS["check"]).returncode == 0

    server = lab.server().start()
    try:
        expected = expected_events()
        listed = server.get(f"events?number={len(expected) + 5}&include_archived=true")
        found = {event["_id"]: event for event in server.query({})}
        for event_id, event in expected.items():
            alone = server.get(f"event/{event_id}")
            assert {k: v for k, v in alone.items() if k != "received_at"} == event, event_id
            assert listed[event_id] == found[event_id] == alone
        own = {one for one in found if found[one]["source"].get("manager_id") not in (None, MANAGER_ID)}
        assert set(found) - own == set(expected)
    finally:
        server.stop()
    assert [one["_id"] for one in lab.database["unreadable_events"].find()] == [LONG_ID]
    assert set(lab.database["events"].index_information()) & {"log_level_1", "archived_1"} == set()
    kept = json.loads((lab.made_backups()[0] / "backup_metadata.json").read_text())
    assert kept["events"] == len(before["events"])


MANAGER_ID = "01M84HX35TQK31S9TKPTJ9VS1M"


@pytest.mark.slow
def test_every_command_of_the_document_does_what_it_says(lab):
    before = lab.content()
    assert lab.run(COMMANDS["check in Docker"]).returncode == 1

    made = lab.run(COMMANDS["back up"])
    assert made.returncode == 0, made.stderr
    (backup,) = lab.made_backups()
    assert str(backup) in made.stdout
    assert (backup / "madsci_events" / "events.bson").stat().st_size > 1000
    assert lab.content() == before

    assert lab.run(COMMANDS["back up in Docker"]).returncode == 0
    assert len(lab.made_backups()) == 2

    migrated = lab.run(COMMANDS["with a schema"])
    assert migrated.returncode == 0, migrated.stderr
    for again in ("migrate", "with a URL", "migrate in Docker"):
        done = lab.run(COMMANDS[again])
        assert done.returncode == 0
        assert "no migration is needed" in done.stdout
    assert len(lab.made_backups()) == 3
    after = lab.content()
    assert after["events"] != before["events"]

    restored = lab.run(COMMANDS["restore"])
    assert restored.returncode == 0, restored.stderr
    assert lab.content() == before
    assert lab.run(COMMANDS["check"]).returncode == 1

    assert lab.run(COMMANDS["with a URL"]).returncode == 0
    assert without_lanes(lab.content()["events"]) == without_lanes(after["events"])
    assert lab.run(COMMANDS["check"]).returncode == 0


@pytest.mark.slow
def test_a_wrong_flag_never_touches_the_database(lab):
    before = lab.content()
    for wrong in ("--check-versions", "--dryrun", "--backup-only=perhaps", "restore"):
        done = lab.run(COMMANDS["migrate"], wrong)
        assert done.returncode == 2, wrong
        assert "usage:" in done.stderr
    assert lab.run(TOOL).returncode == 2
    assert lab.content() == before
    assert lab.made_backups() == []


@pytest.mark.slow
def test_underscores_and_values_are_taken_as_earlier_releases_did(lab):
    command = f"{TOOL} --db_url {lab.url} --database madsci_events"
    assert lab.run(command, "--check_version", "true").returncode == 1
    assert lab.run(command, "--dry_run", "true", "--json").returncode == 0
    assert lab.run(command, "--validate_schema").returncode == 1
    assert lab.made_backups() == []
    assert lab.run(command, "--backup_only", "true", f"--backup_dir={lab.backups}").returncode == 0
    assert len(lab.made_backups()) == 1


def test_a_dry_run_counts_and_changes_nothing(lab):
    before = lab.content()
    report = json.loads(lab.run(COMMANDS["migrate"], "--dry-run", "--json").stdout)
    counts = {step["name"]: step["changed"] for step in report["steps"]}
    assert report["needed"] is True
    assert counts["normalise events"] == len(before["events"])
    assert lab.content() == before
    done = json.loads(lab.run(COMMANDS["migrate"], "--json").stdout)
    assert {step["name"]: step["changed"] for step in done["steps"]} == counts
    assert json.loads(lab.run(COMMANDS["migrate"], "--validate-schema", "--json").stdout)["valid"]


def test_a_step_that_fails_leaves_the_database_as_it_was(lab):
    schema = json.loads(own_schema_file().read_text())
    unique = {"keys": [["event_type", 1]], "name": "one_of_each", "unique": True}
    schema["collections"]["events"]["indexes"].append(unique)
    (lab.folder / "impossible.json").write_text(json.dumps(schema))
    before = lab.content()
    failed = lab.run(COMMANDS["migrate"], "--schema-file", "impossible.json")
    assert failed.returncode == 1
    assert "was restored" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert lab.content() == before


@pytest.mark.slow
def test_a_second_migration_and_a_running_server_are_in_the_way(lab):
    assert turns.hold(lab.database, "exclusive", "somebody", 60)
    refused = lab.run(COMMANDS["migrate"])
    assert refused.returncode == 1
    assert "another program" in refused.stderr
    turns.let_go(lab.database, "exclusive", "somebody")
    assert lab.run(COMMANDS["migrate"]).returncode == 0

    server = lab.server().start()
    try:
        lab.database["schema_versions"].update_many({}, {"$set": {"version": "1.0.0"}})
        refused = lab.run(COMMANDS["migrate"])
        assert refused.returncode == 1
        assert "Stop it first" in refused.stderr
    finally:
        server.stop()
    mismatch = lab.server()
    assert mismatch.launch().wait(60) == 1
    said = mismatch.log.read_text()
    for line in ("DATABASE VERSION MISMATCH DETECTED!", "Expected: 2.1.0", "Current: 1.0.0"):
        assert line in said
    assert lab.run(COMMANDS["migrate"]).returncode == 0


@pytest.mark.slow
def test_a_version_that_cannot_be_read_is_not_taken_for_a_fresh_database(lab):
    assert lab.run(COMMANDS["migrate"]).returncode == 0
    lab.database["schema_versions"].update_many({}, {"$set": {"version": 2}})
    refused = lab.server()
    assert refused.launch().wait(60) == 1
    assert "cannot be read" in refused.log.read_text()
    assert lab.run(COMMANDS["check"]).returncode == 1


@pytest.mark.slow
def test_a_newer_database_is_left_alone(lab):
    lab.database["schema_versions"].insert_one({"version": "9.0.0", "applied_at": None})
    refused = lab.server()
    assert refused.launch().wait(60) == 1
    assert "newer Event Manager" in refused.log.read_text()
    done = lab.run(COMMANDS["migrate"])
    assert done.returncode == 1
    assert "newer than 2.1.0" in done.stderr


@pytest.mark.slow
def test_a_lab_that_says_version_1_sees_the_lines_of_the_document_and_its_commands_work(lab):
    """So do databases that releases 0.7 and 0.8 made."""
    lab.database["schema_versions"].insert_one(
        {"version": "1.0.0", "applied_at": datetime(2025, 1, 1), "migration_notes": ""}  # noqa: DTZ001
    )
    refused = lab.server()
    assert refused.launch().wait(60) == 1
    said = refused.log.read_text()
    assert REFUSAL in said
    assert "Expected: 2.1.0\nCurrent: 1.0.0\n" in said
    assert "Traceback" not in said
    check = lab.run(COMMANDS["check"])
    assert check.returncode == 1
    assert check.stdout == "Expected: 2.1.0\nCurrent: 1.0.0\nA migration is needed.\n"
    migrated = lab.run(COMMANDS["migrate in Docker"])
    assert migrated.returncode == 0, migrated.stderr
    assert "was migrated from 1.0.0 to 2.1.0" in migrated.stdout
    assert "1 of these cannot be read as events and went to unreadable_events" in migrated.stdout
    assert lab.run(COMMANDS["check"]).returncode == 0
    server = lab.server().start()
    try:
        assert server.get("event/01JHNAIVE")["event_timestamp"] == NAIVE
    finally:
        server.stop()
    restored = lab.run(COMMANDS["restore"])
    assert restored.returncode == 0
    assert "It is as an earlier release wrote it (1.0.0)" in restored.stdout
    assert "ABORTED" not in restored.stdout + restored.stderr


@pytest.mark.slow
def test_what_an_earlier_release_writes_after_the_migration_is_noticed_and_mended(lab):
    assert lab.run(COMMANDS["migrate"]).returncode == 0
    late = {
        "_id": "01LATE", "event_type": "log_info", "event_timestamp": "2025-01-15T09:30:00.123456",
        "source": {}, "event_data": {"message": "from a server that nobody stopped"},
    }  # fmt: skip
    lab.database["events"].insert_one(late)
    server = lab.server().start()
    try:
        warned = next(line for line in server.log.read_text().splitlines() if "WARNING" in line)
        assert "events that an earlier release wrote since it was migrated" in warned
        refused = lab.run(COMMANDS["migrate"])
        assert refused.returncode == 1
        assert "Stop it first" in refused.stderr
    finally:
        server.stop()
    check = lab.run(COMMANDS["check"])
    assert check.returncode == 1
    assert "An earlier release has written events into it since" in check.stdout
    dry = lab.run(COMMANDS["migrate"], "--dry-run")
    assert "normalise events: would change 1 " in dry.stdout
    mended = lab.run(COMMANDS["migrate"])
    assert mended.returncode == 0, mended.stderr
    assert "changed in it since was brought to that form" in mended.stdout
    assert lab.database["events"].find_one({"_id": "01LATE"})["received_at"] == NAIVE
    assert lab.run(COMMANDS["check"]).returncode == 0
    assert "no migration is needed" in lab.run(COMMANDS["migrate"]).stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_migration_that_is_asked_to_end_is_undone_and_says_so(empty_lab, number):
    lab = empty_lab
    write_old_database(lab.database["events"], 400)
    before = lab.content()
    command = [sys.executable, *shlex.split(COMMANDS["migrate"])[1:]]
    with subprocess.Popen(
        command, cwd=lab.folder, env=lab.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(
            lambda: lab.database["events"].find_one({"received_at": {"$exists": True}}) is not None,
            "the first changed event",
        )  # fmt: skip
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    (backup,) = lab.made_backups()
    assert f"It was interrupted. The backup {backup} was restored; the database is as it was" in said
    assert "Traceback" not in said
    assert lab.content() == before
