"""`kill -9`, thirty times within a migration of a database on a MongoDB server."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from madsci.common.clock import zone_named
from madsci.event_manager.stores.mongo import turns
from madsci.event_manager.stores.mongo.connection import connect
from madsci.event_manager.stores.mongo.lanes import LANE, NUMBER, PLACES
from madsci.event_manager.stores.mongo.migrating import Migration
from madsci.event_manager.stores.mongo.normalising import RENAMED
from madsci.event_manager.stores.mongo.schema import Schema
from support.old_database import ZONE, write_old_database

KILLS = 30
WITHOUT_PLACES = dict.fromkeys(PLACES, 0)
TOOL = """
import os, signal, sys
from pymongo import monitoring
from madsci.event_manager.migration.command_line import main

WRITES = {
    "insert", "update", "delete", "create", "createIndexes", "drop", "dropIndexes", "renameCollection",
}

class Killer(monitoring.CommandListener):
    left = int(sys.argv.pop(1))
    def started(self, event):
        if event.command_name in WRITES:
            if Killer.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            Killer.left -= 1
    def succeeded(self, event): pass
    def failed(self, event): pass

monitoring.register(Killer())
sys.exit(main())
"""
"""The tool, which is killed before that many of its writes; all between two of them is as one."""


class Lab:
    """A database of an old lab, and the tool on it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.client = connect(url)
        self.database = self.client["madsci_events"]
        (folder / ".madsci").mkdir()

    def run(self, writes: int, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run the tool, and wait until whoever was killed is in nobody's way any more."""
        command = [
            sys.executable, "-c", TOOL, str(writes), "--db-url", self.url,
            "--database", "madsci_events", "--naive-timezone", ZONE, "--json",
        ]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("EVENT_", "MONGO"))}
        done = subprocess.run(
            [*command, *map(str, arguments)], cwd=self.folder, env=environment, check=False,
            capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        self.database[turns.TURNS].drop()
        return done

    def events(self) -> dict[object, dict]:
        """The events without their places in the feed."""
        return {one["_id"]: one for one in self.database["events"].find({}, WITHOUT_PLACES)}

    def is_half_numbered(self) -> bool:
        events = self.database["events"]
        return 0 < events.count_documents({LANE: {"$gt": ""}}) < events.count_documents({})

    def places(self) -> list[tuple[str, int]]:
        return [(one[LANE], one[NUMBER]) for one in self.database["events"].find()]

    def backups(self) -> list[Path]:
        return sorted((self.folder / ".madsci" / "mongodb" / "backups").glob("madsci_events_backup_*"))

    def migrated(self, documents: dict[object, dict]) -> dict[object, dict]:
        """What a migration that nobody kills makes of these documents."""
        other = self.client["another"]
        other["events"].insert_many(documents.values())
        for step in Migration(other, "events", Schema.own(), zone_named(ZONE), decimals=False).steps():
            step.run(lambda *_: None)
        return {one["_id"]: one for one in other["events"].find({}, WITHOUT_PLACES)}


@pytest.fixture
def lab(tmp_path, mongo_server):
    (tmp_path / "lab").mkdir()
    lab = Lab(tmp_path / "lab", mongo_server.url)
    with closing(lab.client):
        write_old_database(lab.database["events"], 800)
        yield lab


@pytest.mark.slow
def test_a_migration_that_is_killed_thirty_times_ends_well_and_names_its_first_backup(lab):
    before, moments = lab.events(), random.Random(7)
    wanted = lab.migrated(before)
    killed = 0
    while killed < KILLS or not lab.is_half_numbered():
        done = lab.run(moments.randint(0, 4) if killed < KILLS else 12)
        assert done.returncode == -9, done.stderr + done.stdout
        killed += 1
        there = lab.database["events"].count_documents({})
        aside = {str(one["_id"]) for one in lab.database["events" + RENAMED].find()}
        unreadable = lab.database["unreadable_events"].count_documents({})
        assert there + len(aside) + unreadable >= len(before)
    report = json.loads(lab.run(-1).stdout)
    assert lab.events() == wanted
    places = lab.places()
    assert len(set(places)) == len(places) == len(wanted)
    assert lab.database["unreadable_events"].count_documents({}) == len(before) - len(wanted)
    named = Path(report["backup"])
    assert report["resumed"] is True
    # Runs that were killed before they changed anything have each made one.
    assert json.loads((named / "backup_metadata.json").read_text())["events"] == len(before)
    assert named == max(lab.backups())
    assert json.loads(lab.run(-1).stdout)["needed"] is False
    assert lab.run(-1, "--restore-from", named).returncode == 0
    assert lab.events() == before
