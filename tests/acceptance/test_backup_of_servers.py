"""Real servers back up while events pour in; what is restored is what was there, event for event."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

import madsci.event_manager.stores
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import And
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.load import Load
from support.server import ServerProcess, wait_until

pytestmark = pytest.mark.slow

STOPPED = (0, -signal.SIGTERM)
ASK = "import sys, urllib.request as web; web.urlopen(sys.argv[1], b'')"
SCHEMA = Path(madsci.event_manager.stores.__file__).parents[1] / "schema.json"
TOOL = [sys.executable, "-m", "madsci.common.mongodb_migration_tool"]


def served(folder: Path, **settings: str) -> ServerProcess:
    return ServerProcess(folder, EVENT_BACKUP_DIR=str(folder / "backups"), **settings).start()


def back_up(server: ServerProcess, description: str = "drill") -> Path:
    reply = server.post("backup", {"description": description})
    assert reply.status == 200, reply.body
    return Path(reply.json["backup_path"])


def restore(server: ServerProcess, path: Path, url: str, *more: str) -> subprocess.CompletedProcess:
    folder = server.directory / "safety"
    return subprocess.run(
        [*TOOL, "--db-url", url, "--restore-from", str(path), "--backup-dir", str(folder), *more],
        cwd=server.directory, env=server.environment, capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip


def everything(store) -> dict[str, dict]:
    """All events of a store by id."""
    found, after = {}, None
    while True:
        page = store.find(Query(And(()), 5_000, after=after))
        found.update((one.event_id, one.document()) for one in page.events)
        after = page.next_place
        if after is None:
            return found


def committed(path: Path) -> list[str]:
    """The ids of an event file in the order of their commits."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as file:
        return [row[0] for row in file.execute("SELECT event_id FROM events ORDER BY seq")]


def test_a_backup_under_load_is_one_moment_and_keeps_what_was_acknowledged_before(tmp_path):
    server = served(tmp_path)
    with Load(server) as load:
        wait_until(lambda: len(load.acknowledged) > 5_000, "events to back up")
        before = list(load.acknowledged)
        path = back_up(server)
        during = len(load.acknowledged) - len(before)
        wait_until(lambda: len(load.acknowledged) > len(before) + during + 500, "events after it")
    assert server.stop() in STOPPED
    assert during > 0, "nothing was written while the backup was made"

    elsewhere = tmp_path / "elsewhere" / "events.db"
    elsewhere.parent.mkdir()
    told = restore(server, path, f"sqlite:///{elsewhere}")
    assert told.returncode == 0, told.stderr
    with closing(SqliteStore(server.database)) as old, closing(SqliteStore(elsewhere)) as new:
        originals, restored = everything(old), everything(new)
    copied = committed(path / "events" / "events.db")
    assert set(before) <= set(copied)
    assert copied == committed(server.database)[: len(copied)]  # a prefix, in the order of commits
    assert len(copied) < len(originals)
    assert all(restored[one] == originals[one] for one in copied)
    (told_of,) = (restored[one] for one in restored.keys() - set(copied))
    assert told_of["event_type"] == "backup_restore"
    assert told_of["event_data"]["backup_path"] == str(path)
    assert told_of["event_data"]["events"] == len(copied)


def test_a_backup_of_mongodb_under_load_keeps_what_was_acknowledged_before(
    tmp_path, mongo_url, mongo_database
):
    settings = {"EVENT_DB_URL": mongo_url, "EVENT_DATABASE_NAME": mongo_database}
    server = served(tmp_path, **settings)
    with Load(server, 3, pause=0.05) as load:
        wait_until(lambda: len(load.acknowledged) > 500, "events to back up")
        before = list(load.acknowledged)
        path = back_up(server)
        wait_until(lambda: len(load.acknowledged) > len(before) + 200, "events after it")
    assert server.stop() in STOPPED
    with closing(MongoStore(mongo_url, database=mongo_database)) as store:
        originals = everything(store)

    told = restore(server, path, mongo_url, "--database", mongo_database, "--schema-file", str(SCHEMA))
    assert told.returncode == 0, told.stderr
    with closing(MongoStore(mongo_url, database=mongo_database)) as store:
        restored = everything(store)
    assert set(before) <= set(restored)
    assert len(restored) < len(originals)
    (told_of,) = restored.keys() - originals.keys()
    assert restored.pop(told_of)["event_type"] == "backup_restore"
    assert all(event == originals[one] for one, event in restored.items())


def test_a_server_that_is_killed_in_a_backup_leaves_none_that_is_not_whole(tmp_path):
    server = served(tmp_path)
    folder = Path(server.get("backup/status")["backup_dir"])
    with Load(server):
        for wait in range(6):
            target = len(server.get("backup")["available_backups"])
            request = subprocess.Popen(
                [sys.executable, "-c", ASK, f"{server.url}backup"], stderr=subprocess.DEVNULL
            )
            if wait % 2:  # while it is being made; else once it is there
                wait_until(lambda: any(folder.glob(".*.part")), "a backup under way")
            else:
                wait_until(
                    lambda n=target: len(server.get("backup")["available_backups"]) > n, "a backup"
                )
            server.kill()
            request.wait(10)
            server.start()
    back_up(server, "last")
    listed = server.get("backup")["available_backups"]
    assert listed[0]["description"] == "last"
    assert all(one["is_valid"] for one in listed)
    assert list(folder.glob(".*.part")) == []
    assert server.stop() in STOPPED
    told = restore(server, Path(listed[-1]["path"]), f"sqlite:///{tmp_path / 'other.db'}")
    assert told.returncode == 0, told.stderr


def test_a_damaged_backup_is_refused_by_name_and_the_database_stays(tmp_path):
    server = served(tmp_path)
    server.post("event", {"event_id": "kept"})
    path = back_up(server)
    server.post("event", {"event_id": "later"})
    assert server.stop() in STOPPED
    file = path / "events" / "events.db"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    told = restore(server, path, f"sqlite:///{server.database}")
    assert told.returncode == 1
    assert str(path) in told.stderr
    assert {"kept", "later"} <= set(committed(server.database))


def test_nothing_is_restored_under_a_running_server(tmp_path):
    server = served(tmp_path)
    path = back_up(server)
    told = restore(server, path, f"sqlite:///{server.database}")
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)
    assert "Stop that one" in told.stderr
    assert server.post("event", {"event_id": "a"}).status == 200
    assert server.stop() in STOPPED


def test_the_schedule_makes_one_backup_and_keeps_an_event_of_it(tmp_path):
    server = served(tmp_path, EVENT_BACKUP_ENABLED="true", EVENT_BACKUP_SCHEDULE="0 0 1 1 *")

    def backups() -> list[dict]:
        return server.get("backup")["available_backups"]

    wait_until(backups, "the backup of this year")
    selector = {"event_type": "backup_create"}
    (event,) = wait_until(lambda: list(server.query(selector)), "its event")
    assert event["event_data"]["path"] == backups()[0]["path"]
    server.stop()
    server.start()
    wait_until(lambda: server.get("health")["healthy"])
    assert server.get("health")["tasks"][0]["last_start"] is None  # not once more
    assert len(backups()) == 1
    metadata = json.loads((Path(backups()[0]["path"]) / "backup_metadata.json").read_text())
    assert metadata["database_name"] == "events"
    assert server.stop() in STOPPED
