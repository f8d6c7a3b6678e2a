"""What the contract does not say about the SQLite store: the file, its faults and its indexes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.common.errors import (
    SchemaVersionError,
    StoreDamagedError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.model.query import Query, latest
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.sqlite import schema
from madsci.event_manager.stores.sqlite.asking.finding import statements
from madsci.event_manager.stores.sqlite.file import checkpoint
from madsci.event_manager.stores.sqlite.readers import MAX_READERS
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.older_files import make_older
from support.server import wait_until

PAGE = 4096


def event(event_id: object, moment: int = 0, data: str = "{}", **members) -> StoredEvent:
    plain = {"event_type": "log", "log_level": 20, "alert": False, "received_at": 1, "source": {}}
    return StoredEvent(
        **{**plain, **members, "event_id": str(event_id), "event_timestamp": moment, "event_data": data}
    )


def crowd(name: str, size: int, data: str = "{}") -> list[StoredEvent]:
    return [event(f"{name}-{number}", number, data) for number in range(size)]


def copying_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "sqlite-checkpoint"]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def open_store(path):
    """Opens the file as often as a test wants, and closes what the test left open."""
    opened = []

    def open_again(**options) -> SqliteStore:
        opened.append(SqliteStore(path, **options))
        return opened[-1]

    yield open_again
    for one in opened:
        one.close()


@pytest.fixture
def store(open_store):
    return open_store()


def program(path: Path, code: str) -> subprocess.Popen[str]:
    """A process that runs code with `store` open."""
    text = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from madsci.event_manager.model.stored_event import StoredEvent
        from madsci.event_manager.stores.sqlite.store import SqliteStore
        store = SqliteStore(Path(sys.argv[1]))
        print("open", flush=True)
        """
    ) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", text, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=10)


class TestFile:
    def test_it_is_written_through_to_the_disk(self, store):
        assert store._writer.pragma("journal_mode") == "wal"
        assert store._writer.pragma("synchronous") == 2  # FULL

    def test_its_header_says_what_it_is(self, path):
        SqliteStore(path).close()
        connection = apsw.Connection(str(path))
        assert connection.pragma("application_id") == schema.APPLICATION_ID
        assert connection.pragma("user_version") == schema.SCHEMA_VERSION
        connection.close()

    def test_folders_on_the_way_are_made(self, tmp_path):
        path = tmp_path / "a" / "b ?#%20'" / "events.db"
        with closing(SqliteStore(path)) as store:
            store.append([event("a")])
            assert store.location == str(path)
        assert path.stat().st_size > PAGE

    def test_an_empty_file_becomes_a_store(self, path):
        path.touch()
        SqliteStore(path).close()
        assert path.stat().st_size > 0

    def test_everything_is_there_after_reopening(self, path, open_store):
        store = open_store()
        store.append([event("a"), event("b", 5, alert=True), event("a", alert=True)])
        remember(store, "key", "first")
        everything = store.find(Query()).events
        store.close()
        again = open_store()
        assert again.find(Query()).events == everything
        assert again.count() == 2
        assert again.get("a").alert
        assert remember(again, "key", "second") == "first"
        assert again.append([event("c"), event("a")])[1].is_duplicate
        assert again.count() == 3
        again.close()

    def test_closing_leaves_one_whole_file_and_no_thread(self, path, open_store):
        store = open_store()
        store.append([event("a")])
        assert copying_threads()
        store.close()
        assert not Path(f"{path}-wal").exists()
        assert copying_threads() == []

    def test_a_check_that_runs_out_of_time_does_not_keep_the_store_closed(self, path, open_store):
        store = open_store()
        store.append(crowd("a", 4_000))
        store.close()
        hurried = open_store(integrity_seconds=0)
        assert hurried.count() == 4_000
        hurried.close()


class TestRefusals:
    def test_a_database_of_another_program_is_refused_and_left_as_it_was(self, path):
        other = apsw.Connection(str(path))
        other.execute("CREATE TABLE theirs (x)")
        other.close()
        before = path.read_bytes()
        with pytest.raises(SchemaVersionError, match="database of another program") as caught:
            SqliteStore(path)
        assert str(path) in caught.value.message
        assert "EVENT_DB_URL" in caught.value.message
        assert path.read_bytes() == before

    def test_an_empty_database_marked_by_another_program_is_refused(self, path):
        other = apsw.Connection(str(path))
        other.pragma("application_id", 1234)
        other.close()
        with pytest.raises(SchemaVersionError, match="another program"):
            SqliteStore(path)

    @pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
    def test_a_store_of_an_older_version_is_copied_and_brought_up_to_date(
        self, path, open_store, version
    ):
        store = open_store()
        store.append([event("a", data='{"message":"pump"}'), event("b", archived=True, archived_at=5)])
        store.close()
        with closing(apsw.Connection(str(path))) as other:
            make_older(other, version)
        store = open_store()
        found = store.find(Query(parse_selector({"$text": {"$search": "pump"}})))
        assert [one.event_id for one in found.events] == ["a"]
        assert [one.event_id for one in store.find(Query()).events] == ["b", "a"]
        assert [one.sender for one in store.find(Query()).events] == [None, None]
        sent = event("c", sender='{"name":"arm"}')
        store.append([sent])
        assert store.find(Query(parse_selector({"sender.name": "arm"}))).events == [sent]
        assert store.get("a").event_data == '{"message":"pump"}'
        store.close()
        with closing(apsw.Connection(f"{path}.before-schema-{schema.SCHEMA_VERSION}")) as kept:
            assert kept.pragma("user_version") == version
            assert kept.execute("SELECT count(*) FROM events").get == 2
            assert "raises" not in schema.described(kept)
        with closing(apsw.Connection(str(path))) as other, closing(apsw.Connection("")) as fresh:
            schema.prepare(fresh, "fresh")
            assert schema.described(other) == schema.described(fresh)

    @pytest.mark.parametrize("version", [0, schema.SCHEMA_VERSION + 1, 99])
    def test_a_store_of_another_version_is_refused_with_both_versions(self, path, version):
        SqliteStore(path).close()
        other = apsw.Connection(str(path))
        other.pragma("user_version", version)
        other.close()
        before = path.read_bytes()
        with pytest.raises(
            SchemaVersionError, match=f"schema {version}, .* reads {schema.SCHEMA_VERSION}"
        ):
            SqliteStore(path)
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(self, path):
        text = b"not a database, but long enough to look at it as one\n" * 100
        path.write_bytes(text)
        with pytest.raises(StoreDamagedError, match="is damaged"):
            SqliteStore(path)
        assert path.read_bytes() == text

    def test_a_damaged_file_is_refused_and_left_as_it_was(self, path, open_store):
        store = open_store()
        store.append(crowd("a", 3_000, '{"x":"' + "y" * 200 + '"}'))
        store.close()
        middle = path.stat().st_size // PAGE // 2 * PAGE
        with path.open("r+b") as file:
            file.seek(middle)
            file.write(os.urandom(5 * PAGE))
        damaged = path.read_bytes()
        for _ in range(2):  # the refusal gives the file's lock back
            with pytest.raises(StoreDamagedError, match="is damaged") as caught:
                SqliteStore(path)
            assert str(path) in caught.value.message
        assert path.read_bytes() == damaged

    def test_a_file_cut_short_is_refused(self, path, open_store):
        store = open_store()
        store.append(crowd("a", 3_000, '{"x":"' + "y" * 200 + '"}'))
        store.close()
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(StoreDamagedError, match="is damaged"):
            SqliteStore(path)

    def test_damage_that_is_met_later_is_told_as_damage(self, path, open_store):
        store = open_store()
        store.append(crowd("a", 3_000, '{"x":"' + "y" * 200 + '"}'))
        store.close()
        with path.open("r+b") as file:
            file.seek(PAGE * 20)
            file.write(b"\xff" * (path.stat().st_size - PAGE * 20))
        try:
            store = open_store(integrity_seconds=0)
        except StoreDamagedError:
            return
        with pytest.raises(StoreDamagedError, match="is damaged"):
            store.find(Query(limit=5_000))
        store.close()

    def test_a_second_store_in_the_same_process_is_refused(self, path, store):
        with pytest.raises(StoreInUseError, match="is open in another Event Manager"):
            SqliteStore(path)
        store.append([event("a")])

    def test_a_second_process_is_refused_with_a_clear_sentence(self, path):
        process = program(path, "sys.stdin.read()")
        try:
            assert process.stdout.readline() == "open\n"
            with pytest.raises(StoreInUseError, match="is open in another Event Manager") as caught:
                SqliteStore(path)
            assert str(path) in caught.value.message
        finally:
            end(process)
        SqliteStore(path).close()  # the system gave the lock back

    def test_a_failed_opening_leaves_no_thread(self, path):
        path.write_bytes(b"rubbish" * 1000)
        with pytest.raises(StoreError):
            SqliteStore(path)
        assert copying_threads() == []

    def test_a_place_that_is_no_folder_is_named(self, tmp_path):
        (tmp_path / "file").write_text("x")
        with pytest.raises(StoreUnavailableError, match="cannot be made"):
            SqliteStore(tmp_path / "file" / "events.db")

    def test_a_folder_in_the_place_of_the_file_is_told(self, path):
        path.mkdir()
        with pytest.raises(StoreUnavailableError, match="Check that the folder exists"):
            SqliteStore(path)

    def test_a_folder_without_write_permission_is_named(self, tmp_path):
        folder = tmp_path / "locked"
        folder.mkdir()
        folder.chmod(0o500)
        user = os.geteuid()
        try:
            if user == 0:  # root may write everywhere: try as nobody
                os.seteuid(65534)
            with pytest.raises(StoreUnavailableError, match="may write to"):
                SqliteStore(folder / "events.db")
        finally:
            os.seteuid(user)
            folder.chmod(0o700)


class TestFaults:
    def test_what_was_acknowledged_survives_kill_9(self, path, open_store):
        process = program(
            path,
            """
            number = 0
            while True:
                store.append([
                    StoredEvent(f"{number}-{one}", "log", 20, False, number, 1, {}, "{}")
                    for one in range(5)
                ])
                print(number, flush=True)
                number += 1
            """,
        )
        try:
            assert process.stdout.readline() == "open\n"
            while int(process.stdout.readline()) < 60:
                pass
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
        finally:
            end(process)
        acknowledged = max([60, *map(int, rest)]) + 1
        store = open_store()
        assert store.count() in (acknowledged * 5, acknowledged * 5 + 5)
        assert all(store.get(f"{number}-{one}") for number in range(acknowledged) for one in range(5))
        store.close()

    def test_a_full_disk_is_told_and_forgotten_when_there_is_room(self, store):
        store.append([event("before")])
        pages = store._writer.pragma("page_count")
        store._writer.pragma("max_page_count", pages + 3)
        large = crowd("large", 100, '"' + "x" * 5_000 + '"')
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match="Free space on that disk"):
                store.append([event("small"), *large])
            assert store.count() == 1
            assert store.get("small") is None
            assert [one.event_id for one in store.find(Query()).events] == ["before"]
        assert not store.append([event("tiny")])[0].is_duplicate  # what fits is still taken
        store._writer.pragma("max_page_count", 1_000_000)
        assert not any(one.is_duplicate for one in store.append([event("small"), *large]))
        assert store.count() == 103

    def test_an_event_that_the_engine_will_not_have_leaves_nothing_of_its_append(self, store):
        with pytest.raises(StoreError, match="refused"):
            store.append([event("good"), event("bad", data="{not json")])
        assert (store.count(), store.get("good")) == (0, None)
        store.append([event("good")])
        assert store.count() == 1


class TestCheckpoint:
    @pytest.mark.slow
    @pytest.mark.parametrize("size", [5, 80])
    def test_the_log_stays_short_under_sustained_appends(self, path, open_store, monkeypatch, size):
        """Of small ones, and of large ones, each of which is a good part of what the log may have."""
        monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 100)
        store = open_store()
        log = Path(f"{path}-wal")
        longest = 0
        for number in range(6_400 // size):
            store.append(crowd(str(number), size, '"' + "x" * 3_000 + '"'))
            longest = max(longest, log.stat().st_size)
        assert path.stat().st_size > 16_000_000
        assert longest < 1_500 * (PAGE + 24)  # on a machine that has much else to do, too
        store.close()
        again = open_store()
        assert again.count() == 6_400
        again.close()

    def test_the_log_is_copied_into_the_file_beside_the_writer(self, path, open_store, monkeypatch):
        monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 10)
        store = open_store()
        empty = path.stat().st_size
        store.append(crowd("a", 100, '"' + "x" * 3_000 + '"'))
        wait_until(lambda: path.stat().st_size > empty, "the copying")
        store.close()

    def test_an_append_that_is_on_disk_succeeds_although_the_log_cannot_be_shortened(
        self, path, open_store, monkeypatch
    ):
        """A reader may hold an old state for long; what was kept must not be called refused."""
        monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 3)
        store = open_store()
        store._writer.set_busy_timeout(20)  # as long as the server waits, for a test
        store.append([event("first")])
        with store._reader.readers.connection() as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM events").get == 1
            for number in range(20):
                store.append(crowd(str(number), 10, '"' + "x" * 3_000 + '"'))
            reader.execute("COMMIT")
        assert store.count() == 201
        store.append([event("last")])
        store.close()


class TestReading:
    def test_more_readers_than_connections_wait_for_each_other(self, store):
        store.append(crowd("a", 500))
        found: list[int] = []
        start = threading.Barrier(3 * MAX_READERS)

        def look() -> None:
            start.wait(10)
            found.extend(len(store.find(Query(limit=500)).events) for _ in range(3))

        threads = [threading.Thread(target=look) for _ in range(3 * MAX_READERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert found == [500] * 9 * MAX_READERS
        assert store._reader.readers._idle.qsize() <= MAX_READERS

    @pytest.mark.parametrize("begin", [[], ["BEGIN"]], ids=["a statement", "a transaction"])
    def test_a_reader_that_was_left_in_the_past_is_not_lent_again(self, store, begin):
        store.append(crowd("a", 5))
        with store._reader.readers.connection() as reader:
            for one in begin:
                reader.execute(one)
            kept = reader.execute("SELECT seq FROM events")
            assert next(kept) == (1,)
        store.append(crowd("b", 1))
        assert len(store.find(Query(limit=500)).events) == 6
        assert store._checkpointer.copy() is not None
        assert not store._checkpointer.is_held

    def test_readers_cannot_write(self, store):
        with pytest.raises(StoreUnavailableError), store._reader.readers.connection() as reader:
            reader.execute("DELETE FROM events")

    def plan(self, store, query: Query) -> str:
        with store._reader.readers.connection() as reader:
            sql, parameters = next(statements(reader, query))
            rows = reader.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        return "; ".join(row[3] for row in rows)

    @pytest.mark.parametrize(
        ("selector", "index"),
        [
            (latest(), "events_by_time"),
            (latest(include_archived=True), "events_by_time"),
            (latest(level=40), "serious_events_by_time"),
            (latest(level=50), "serious_events_by_time"),
            (latest(level=30), "events_by_time"),
            (parse_selector({"log_level": 40}), "serious_events_by_time"),
            (parse_selector({"log_level": {"$lte": 40}}), "events_by_time"),
            (parse_selector({"source.node_id": "n"}), "events_by_node"),
            (parse_selector({"source": {"node_id": "n"}, "event_data.x": 1}), "events_by_node"),
            (parse_selector({"event_data.x": {"$gt": 1}}), "events_by_time"),
        ],
    )
    def test_pages_are_read_in_the_order_of_an_index(self, store, selector, index):
        for after in (None, (5, "e")):
            plan = self.plan(store, Query(selector, after=after))
            assert f"USING INDEX {index}" in plan, plan
            assert "TEMP B-TREE" not in plan, plan
            if after is not None:
                assert "SEARCH" in plan, plan

    def test_one_event_is_found_by_the_index_of_its_id(self, store):
        plan = self.plan(store, Query(parse_selector({"_id": "x"})))
        assert "sqlite_autoindex_events_1" in plan, plan

    def test_a_time_range_is_searched_not_scanned(self, store):
        plan = self.plan(store, Query(latest(start_time=1, end_time=2)))
        assert (
            "SEARCH events USING INDEX events_by_time (event_timestamp>? AND event_timestamp<?)" in plan
        )
