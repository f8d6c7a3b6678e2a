"""Copies of an event file: made while it is written to, and swapped in whole."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import apsw
import pytest

from madsci.common.errors import (
    SchemaVersionError,
    StoreDamagedError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.model.feed import START
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import And
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import Step, put
from madsci.event_manager.stores.facts import facts_about_the_lab, remember
from madsci.event_manager.stores.sqlite.store import SqliteStore
from madsci.event_manager.stores.sqlite.upkeep import SqliteUpkeep
from madsci.event_manager.stores.upkeep import DatabaseState, DatabaseVersion
from madsci.event_manager.tasks.turn import last_done, note_done


def unseen(what, done, of):
    """Show no progress."""


def event(name: str, padding: int = 0) -> StoredEvent:
    data = f'{{"message":"{name}{"x" * padding}"}}'
    return StoredEvent(name, "log", 20, False, 1_000, 1_000, {}, data)


def fill(path: Path, prefix: str, number: int, padding: int = 0) -> None:
    with contextlib.closing(SqliteStore(path)) as store:
        store.append([event(f"{prefix}{index}", padding) for index in range(number)])


def ids(path: Path) -> list[str]:
    """The ids of a file in the order of commits, read as any program reads it."""
    with contextlib.closing(apsw.Connection(str(path))) as file:
        assert file.execute("PRAGMA integrity_check").get == "ok"
        return [row[0] for row in file.execute("SELECT event_id FROM events ORDER BY seq")]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


def dumped(path: Path, folder: Path) -> Path:
    SqliteUpkeep(path).dump(folder, unseen)
    return folder


def test_what_has_no_file_is_fresh_and_stays_without_one(path):
    assert SqliteUpkeep(path).version() == DatabaseVersion(DatabaseState.FRESH)
    assert not path.exists()


def test_a_file_says_its_schema(path):
    fill(path, "a", 1)
    upkeep = SqliteUpkeep(path)
    assert upkeep.version() == DatabaseVersion(DatabaseState.TRACKED, upkeep.expected_version())


def test_a_file_of_another_program_is_refused(path):
    with contextlib.closing(apsw.Connection(str(path))) as file:
        file.execute("CREATE TABLE strangers (a)")
    with pytest.raises(SchemaVersionError, match="another program"):
        SqliteUpkeep(path).version()


def test_a_copy_made_while_others_write_is_of_one_moment_and_a_plain_file(path, tmp_path):
    """It holds all that was acknowledged before, and then a beginning of what came meanwhile."""
    stopping = threading.Event()
    acknowledged: list[str] = []
    with contextlib.closing(SqliteStore(path)) as store:
        store.append([event(f"old{index}", 2_000) for index in range(5_000)])

        def write():
            while not stopping.is_set():
                name = f"new{len(acknowledged)}"
                store.append([event(name)])
                acknowledged.append(name)

        writer = threading.Thread(target=write)
        writer.start()
        while len(acknowledged) < 20:
            time.sleep(0.001)
        before = len(acknowledged)
        told = SqliteUpkeep(path).dump(tmp_path / "copy", unseen)
        after = len(acknowledged)
        stopping.set()
        writer.join()
    (copy,) = (tmp_path / "copy").iterdir()
    found = ids(copy)
    assert found == [f"old{index}" for index in range(5_000)] + [
        f"new{index}" for index in range(len(found) - 5_000)
    ]
    assert before <= len(found) - 5_000 <= after + 1
    assert told.events == len(found)
    with contextlib.closing(apsw.Connection(str(copy))) as file:
        assert file.pragma("journal_mode") == "delete"


def test_writers_are_not_held_up_by_a_copy(path, tmp_path):
    """The progress of the copy is where an append must get through, not after it."""
    with contextlib.closing(SqliteStore(path)) as store:
        store.append([event(f"old{index}", 4_000) for index in range(6_000)])
        appended = 0

        def write(what, done, of):
            nonlocal appended
            store.append([event(f"during{appended}")])
            appended += 1

        SqliteUpkeep(path).dump(tmp_path / "copy", write)
        assert appended >= 3
        assert store.get("during0") is not None
    assert "during0" not in ids(next((tmp_path / "copy").iterdir()))


def test_a_restored_copy_opens_as_a_store(path, tmp_path):
    fill(path, "a", 30)
    copy = dumped(path, tmp_path / "copy")
    elsewhere = tmp_path / "elsewhere" / "events.db"
    upkeep = SqliteUpkeep(elsewhere)
    with upkeep.exclusive():
        assert upkeep.restore(copy, unseen) == 30
    with contextlib.closing(SqliteStore(elsewhere)) as store:
        assert len(store.find(Query(And(()), 100)).events) == 30
        assert store.get("a7") == event("a7")
        store.append([event("b")])


def test_the_replaced_file_stays_with_what_its_log_held(path, tmp_path):
    """A server that was killed leaves commits in its log only; none of them reaches the new file."""
    fill(path, "a", 3)
    copy = dumped(path, tmp_path / "copy")
    code = (
        "import os, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from test_sqlite_upkeep import event; from madsci.event_manager.stores.sqlite.store import"
        " SqliteStore; s = SqliteStore(Path(sys.argv[1])); s.append([event(f'b{i}') for i in"
        " range(500)]); os._exit(9)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path), str(Path(__file__).parent)], check=False
    )
    assert ended.returncode == 9
    assert Path(f"{path}-wal").stat().st_size > 0
    upkeep = SqliteUpkeep(path)
    with upkeep.exclusive():
        upkeep.restore(copy, unseen)
    assert ids(path) == ["a0", "a1", "a2"]
    (kept,) = tmp_path.glob("events.db.replaced-*")
    assert len(ids(kept)) == 503


def test_a_damaged_file_is_replaced_and_kept_with_its_log(path, tmp_path):
    fill(path, "a", 3)
    copy = dumped(path, tmp_path / "copy")
    path.write_bytes(b"not a database at all" * 500)
    Path(f"{path}-wal").write_bytes(b"what was not in the file yet")
    upkeep = SqliteUpkeep(path)
    with upkeep.exclusive():
        upkeep.restore(copy, unseen)
    assert ids(path) == ["a0", "a1", "a2"]
    kept = [one for one in tmp_path.glob("events.db.replaced-*") if not one.name.endswith("-wal")]
    assert kept[0].read_bytes().startswith(b"not a database")
    assert Path(f"{kept[0]}-wal").read_bytes() == b"what was not in the file yet"


def test_somebody_who_reads_the_old_file_is_not_cut_off(path, tmp_path, monkeypatch):
    monkeypatch.setattr("madsci.event_manager.stores.sqlite.file.swapping._PATIENCE_MS", 50)
    fill(path, "a", 3)
    copy = dumped(path, tmp_path / "copy")
    store = SqliteStore(path)
    with contextlib.closing(apsw.Connection(str(path))) as reader:
        reader.execute("BEGIN; SELECT count(*) FROM events").fetchall()
        store.append([event("b")])
        store.close()
        upkeep = SqliteUpkeep(path)
        with pytest.raises(StoreInUseError, match="reads"), upkeep.exclusive():
            upkeep.restore(copy, unseen)
    assert ids(path) == ["a0", "a1", "a2", "b"]
    assert list(tmp_path.glob("events.db.replaced-*")) == []


def test_nobody_restores_under_a_running_server(path, tmp_path):
    with (
        contextlib.closing(SqliteStore(path)),
        pytest.raises(StoreInUseError),
        SqliteUpkeep(path).exclusive(),
    ):
        pytest.fail("the server has the file")


@pytest.mark.parametrize("what", ["cut", "changed", "nothing", "two", "served", "foreign", "newer"])
def test_what_is_no_whole_copy_is_refused_and_changes_nothing(path, tmp_path, what):
    fill(path, "a", 400, 500)
    copy = dumped(path, tmp_path / "copy")
    (file,) = copy.iterdir()
    if what == "cut":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif what == "changed":
        content = bytearray(file.read_bytes())
        content[4096 * 3 : 4096 * 6] = random.Random(1).randbytes(4096 * 3)
        file.write_bytes(content)
    elif what == "nothing":
        file.unlink()
    elif what == "two":
        shutil.copy(file, copy / "other.db")
    elif what == "served":
        Path(f"{file}-wal").write_bytes(b"some")
    else:
        with contextlib.closing(apsw.Connection(str(file))) as connection:
            name = "application_id" if what == "foreign" else "user_version"
            connection.pragma(name, 99)
    upkeep = SqliteUpkeep(path)
    expected = SchemaVersionError if what in ("foreign", "newer") else StoreDamagedError
    with pytest.raises(expected), upkeep.exclusive():
        upkeep.restore(copy, unseen)
    assert len(ids(path)) == 400
    assert {one.name for one in tmp_path.glob("events.db.*")} == {
        "events.db.lock", "events.db.acknowledged",
    }  # fmt: skip


def test_the_last_three_replaced_files_stay(path, tmp_path):
    fill(path, "a", 1)
    copy = dumped(path, tmp_path / "copy")
    upkeep = SqliteUpkeep(path)
    kept: list[set[str]] = []
    for _ in range(5):
        with upkeep.exclusive():
            upkeep.restore(copy, unseen)
        kept.append({one.name for one in tmp_path.glob("events.db.replaced-*")})
    assert [len(names) for names in kept] == [1, 2, 3, 3, 3]
    assert max(kept[4]) not in kept[3]


def test_the_file_that_was_replaced_now_stays_whatever_the_clock_said_before(path, tmp_path):
    fill(path, "a", 1)
    copy = dumped(path, tmp_path / "copy")
    ahead = [tmp_path / f"events.db.replaced-2036010{day}_000000_000000" for day in (1, 2, 3)]
    for one in ahead:
        one.touch()
    upkeep = SqliteUpkeep(path)
    with upkeep.exclusive():
        upkeep.restore(copy, unseen)
    kept = sorted(tmp_path.glob("events.db.replaced-*"))
    assert len(kept) == 3
    assert kept[1:] == ahead[1:]


RESTORE = """
import sys
from pathlib import Path
from madsci.event_manager.stores.sqlite.upkeep import SqliteUpkeep

upkeep = SqliteUpkeep(Path(sys.argv[1]))
print("ready", flush=True)
with upkeep.exclusive():
    upkeep.restore(Path(sys.argv[2]), lambda *_: None)
"""


@pytest.mark.slow
def test_a_restore_that_is_killed_at_any_moment_leaves_the_old_or_the_new_file(path, tmp_path):
    fill(path, "new", 3_000, 1_000)
    copy = dumped(path, tmp_path / "copy")
    path.unlink()
    fill(path, "old", 2_000, 1_000)
    pristine = tmp_path / "pristine.db"
    shutil.copy(path, pristine)
    wholes = {len(ids(path)): "old", len(ids(next(copy.iterdir()))): "new"}
    outcomes: list[str] = []
    for attempt in range(60):
        for left in tmp_path.glob("events.db*"):
            left.unlink()
        shutil.copy(pristine, path)
        process = subprocess.Popen(
            [sys.executable, "-c", RESTORE, str(path), str(copy)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(attempt * 0.001)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
        found = ids(path)
        assert len(found) in wholes, f"half a file after {attempt} ms"
        assert all(name.startswith(wholes[len(found)]) for name in found)
        outcomes.append(wholes[len(found)])
        upkeep = SqliteUpkeep(path)  # and the next restore finds nothing in its way
        with upkeep.exclusive():
            assert not Path(f"{path}.restoring").exists()
            assert upkeep.restore(copy, unseen) == 3_000
        assert len(ids(path)) == 3_000
    assert set(outcomes) == {"old", "new"}, outcomes


class SickDisk(apsw.VFS):
    """A disk that refuses to read files whose names end in a way."""

    def __init__(self, ending: str) -> None:
        self._ending = ending
        super().__init__("sick", "unix", makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802 - the name is the engine's
        is_sick = isinstance(name, apsw.URIFilename) and name.filename().endswith(self._ending)
        return SickFile(name, flags, is_sick=is_sick)


class SickFile(apsw.VFSFile):
    def __init__(self, name, flags, *, is_sick: bool) -> None:
        self._is_sick = is_sick
        super().__init__("unix", name, flags)

    def xRead(self, amount, offset):  # noqa: N802 - the name is the engine's
        if self._is_sick and offset >= 4096:
            raise apsw.IOError("the disk refuses")
        return super().xRead(amount, offset)


@pytest.fixture
def sick_disk():
    with contextlib.ExitStack() as stack:

        def begin(ending: str) -> None:
            disk = SickDisk(ending)
            stack.callback(disk.unregister)

        yield begin


def test_a_disk_that_refuses_to_read_is_not_called_damage_of_the_file(path, tmp_path, sick_disk):
    fill(path, "a", 50, 2_000)
    folder = dumped(path, tmp_path / "copy")
    sick_disk(".db")
    upkeep = SqliteUpkeep(path)
    for call in (
        lambda: upkeep.check(folder, unseen),
        lambda: upkeep.inspect(unseen),
        upkeep.number_of_events,
        lambda: upkeep.dump(tmp_path / "other", unseen),
    ):
        with pytest.raises(StoreUnavailableError, match="the file itself may be whole"):
            call()


def test_a_restore_of_a_missing_file_leaves_no_log_of_the_old_one_beside_the_new_one(path, tmp_path):
    """SQLite would bring the old log into the new file."""
    with contextlib.closing(SqliteStore(path)) as store:
        store.append([event("old")])
        log = Path(f"{path}-wal").read_bytes()
    fill(tmp_path / "other.db", "new", 3)
    folder = dumped(tmp_path / "other.db", tmp_path / "copy")
    path.unlink()
    Path(f"{path}-wal").write_bytes(log)
    upkeep = SqliteUpkeep(path)
    with upkeep.exclusive():
        upkeep.restore(folder, unseen)
    assert ids(path) == ["new0", "new1", "new2"]
    assert Path(f"{upkeep.replaced}-wal").read_bytes() == log


def test_facts_documents_and_places_of_followers_come_back_with_a_backup(path, tmp_path):
    with contextlib.closing(SqliteStore(path)) as store:
        store.append([event("a")])
        remember(store, "manager_id/lab", "1")
        note_done(store, "backup", "2026")
        first = store.head()
        assert store.apply([put("counts", "all", "1")], Step("counter", START, first))
    folder = dumped(path, tmp_path / "dump")
    with contextlib.closing(SqliteStore(path)) as store:
        store.append([event("b")])
        note_done(store, "backup", "2027")
        assert store.apply([put("counts", "all", "2")], Step("counter", first, store.head()))
    upkeep = SqliteUpkeep(path)
    with upkeep.exclusive():
        upkeep.restore(folder, unseen)
    with contextlib.closing(SqliteStore(path)) as store:
        assert facts_about_the_lab(store) == {"manager_id/lab": "1"}
        assert last_done(store, "backup") == "2026"
        assert store.read("counts", "all") == "1"
        store.append([event("c")])
        part = store.since(first, 10)
        assert [one.event.event_id for one in part.entries] == ["c"]
        assert store.apply([put("counts", "all", "2")], Step("counter", first, part.next))
