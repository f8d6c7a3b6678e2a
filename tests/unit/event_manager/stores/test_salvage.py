"""Damaged event files of all sorts: what is left of each event is saved, what is not is named."""

from __future__ import annotations

import errno
import os
import random
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from madsci.common.errors import (
    StoreDamagedError,
    StoreError,
    StoreInUseError,
    StoreUnavailableError,
)
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.tables import FOLLOWERS, Step, put
from madsci.event_manager.stores.facts import facts_about_the_lab, remember
from madsci.event_manager.stores.salvage import TroubleKind
from madsci.event_manager.stores.sqlite.salvage.event_file import SqliteSalvage
from madsci.event_manager.stores.sqlite.store import SqliteStore
from madsci.event_manager.tasks.turn import last_done, note_done
from support.damaged_files import (
    LOG,
    MARK,
    PAGE,
    Base,
    at,
    at_random,
    bases,
    content,
    cut,
    event,
    noise,
    of_schema,
    page,
    recovered,
    several,
    state_it_had,
    zeros,
)


def unseen(what: str, done: int, of: int | None) -> None:
    """Show no progress."""


LEAF_OF_TABLE = 13
"""The first byte of such a page (https://www.sqlite.org/fileformat2.html#b_tree_pages)."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return bases(tmp_path_factory.mktemp("bases"))


def roots(path: Path) -> dict[str, int]:
    connection = apsw.Connection(str(path))
    found = dict(connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0"))
    connection.close()
    return found


@pytest.mark.parametrize("name", ["whole", "live"])
def test_of_an_undamaged_file_everything_is_saved_without_a_doubt(files, name, tmp_path):
    outcome = recovered(files[name], lambda _: None, tmp_path)
    assert outcome.events == files[name].events
    assert outcome.troubles == []
    assert outcome.salvaged.list_path is None
    with SqliteStoreOf(tmp_path / "saved.db") as store:
        assert facts_about_the_lab(store) == {"manager_id/lab": "01KBMANAGER"}


class SqliteStoreOf:
    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)

    def __enter__(self) -> SqliteStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


WITHOUT_LOSS = {
    "header": zeros(0, 100),
    "first page": zeros(0, PAGE),
    "schema": noise(100, PAGE - 100),
    "magic": at(0, b"SQLite format 4"),
    "size of pages": at(16, b"\x00\x07"),
    "number of pages": at(28, b"\x7f\xff\xff\xff"),
    "free list": at(32, b"\xff\xff\xff\xff"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "live"])
@pytest.mark.parametrize("damage", WITHOUT_LOSS.values(), ids=WITHOUT_LOSS)
def test_a_destroyed_first_page_costs_no_event(files, name, damage, tmp_path):
    outcome = recovered(files[name], damage, tmp_path)
    assert outcome.events == files[name].events


@pytest.mark.parametrize("name", ["whole", "live"])
@pytest.mark.parametrize(
    "trees",
    [
        ["events"],
        ["sqlite_autoindex_events_1"],
        ["events", "sqlite_autoindex_events_1"],
        ["events_by_time"],
    ],
)
def test_a_destroyed_beginning_of_a_tree_costs_no_event(files, name, trees, tmp_path):
    found = roots(files["whole"].path)
    damage = several(*(zeros(page(found[tree]), PAGE) for tree in trees))
    outcome = recovered(files[name], damage, tmp_path)
    assert outcome.events == files[name].events


def test_without_any_index_events_are_saved_and_those_that_may_have_been_deleted_are_doubted(
    files, tmp_path
):
    found = roots(files["whole"].path)
    trees = ["events", "sqlite_autoindex_events_1", "events_by_time"]
    outcome = recovered(
        files["whole"], several(*(zeros(page(found[tree]), PAGE) for tree in trees)), tmp_path
    )
    assert files["whole"].events.items() <= outcome.events.items()
    assert outcome.events.keys() - files["whole"].events.keys() <= outcome.named(("unsure",))


def test_the_first_page_and_the_indexes_may_go_together(files, tmp_path):
    index = roots(files["whole"].path)["sqlite_autoindex_events_1"]
    outcome = recovered(files["whole"], several(zeros(0, PAGE), zeros(page(index), PAGE)), tmp_path)
    assert outcome.events == files["whole"].events


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "live"])
def test_each_page_alone_may_be_destroyed(files, name, tmp_path):
    """Leaves, overflow pages, interior pages, maps of pages, free pages: some of them."""
    check_each_page(files[name], 29, tmp_path)


@pytest.mark.slow
def test_each_page_of_all_may_be_destroyed(files, tmp_path):
    check_each_page(files["whole"], 1, tmp_path)


def check_each_page(base: Base, step: int, folder: Path) -> None:
    number = base.path.stat().st_size // PAGE
    for one in range(2, number + 1, step):
        outcome = recovered(base, noise(page(one), PAGE), folder / str(one))
        outcome.check()
        assert len(outcome.lost()) < 40


def test_a_row_whose_page_has_no_header_any_more_is_found_by_its_form(files, tmp_path):
    content = files["whole"].path.read_bytes()
    leaves = [one for one in range(2, 80) if content[page(one)] == LEAF_OF_TABLE]
    for one in leaves[::8]:
        outcome = recovered(files["whole"], zeros(page(one), 8), tmp_path / str(one))
        outcome.check()
        assert outcome.lost() == set()
    assert len(leaves) > 30


CUTS = {
    "half": cut(0.5), "nine tenths": cut(0.9), "amid a page": cut(0.7317),
    "zeros in the middle": zeros(400_123, 60_000), "a sector": zeros(300_001, 512),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whole", "live"])
@pytest.mark.parametrize("damage", CUTS.values(), ids=CUTS)
def test_what_is_left_of_a_cut_file_is_saved_and_the_rest_is_named(files, name, damage, tmp_path):
    recovered(files[name], damage, tmp_path).check()


LOG_WITHOUT_LOSS = {
    "header": zeros(0, 32, LOG),
    "salts": noise(16, 8, LOG),
    "magic": at(0, b"\0\0\0\0", LOG),
    "sum of the header": noise(24, 8, LOG),
    "size of pages": at(8, b"\0\0\0\7", LOG),
    "sum of a frame": noise(32 + 100 * (24 + PAGE) + 16, 8, LOG),
    "salts of a frame": noise(32 + 100 * (24 + PAGE) + 8, 8, LOG),
    "index of the log": lambda path: Path(f"{path}-shm").write_bytes(
        random.Random(3).randbytes(32_768)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", LOG_WITHOUT_LOSS.values(), ids=LOG_WITHOUT_LOSS)
def test_what_surrounds_the_pages_of_a_log_may_be_destroyed(files, damage, tmp_path):
    outcome = recovered(files["live"], damage, tmp_path)
    assert outcome.events == files["live"].events


LOG_DAMAGES = {
    "flip": noise(1_000_000, 1, LOG), "zeros": zeros(900_000, 9_000, LOG),
    "zeros to the end": several(zeros(1_500_000, 10_000_000, LOG), cut(0.5, LOG)),
    "half": cut(0.5, LOG), "nearly all": cut(0.97, LOG),
    "gone": lambda path: Path(f"{path}{LOG}").unlink(),
    "header and first frame": zeros(0, 32 + 24 + PAGE, LOG),
    "a frame's page": at(32 + 150 * (24 + PAGE), b"\0\0\0\1", LOG),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("damage", LOG_DAMAGES.values(), ids=LOG_DAMAGES)
def test_frames_behind_a_damage_of_the_log_are_saved_and_what_is_gone_is_told(files, damage, tmp_path):
    recovered(files["live"], damage, tmp_path).check(state_it_had)


def test_without_the_file_the_log_is_saved(files, tmp_path):
    outcome = recovered(files["live"], lambda path: path.unlink(), tmp_path)
    outcome.check(state_it_had)
    assert len(outcome.events) > 300


def test_the_mark_of_the_last_commit_tells_how_many_are_gone_with_the_end_of_a_log(files, tmp_path):
    assert Path(f"{files['live'].path}{MARK}").exists()
    outcome = recovered(files["live"], lambda path: Path(f"{path}{LOG}").unlink(), tmp_path)
    told = outcome.troubles[-1]
    gone = len(files["live"].events) - len(outcome.events)
    assert told["reason"].startswith(f"{gone:,} more events were acknowledged until ")
    assert told["first_seq"] <= told["last_seq"] >= max(files["live"].numbers.values())


def test_a_log_that_was_set_aside_at_a_start_is_saved_too(files, tmp_path):
    """The server started short, kept the log, took new events, and deleted old ones."""
    path = tmp_path / "events.db"
    for ending in ("", LOG, MARK):
        Path(f"{path}{ending}").write_bytes(Path(f"{files['live'].path}{ending}").read_bytes())
    noise(600_000, 50, LOG)(path)
    deleted = "01KB" + f"{3:022d}"
    with SqliteStoreOf(path) as store:
        short = store.count()
        store.archive([deleted], 7)
        assert store.delete([deleted]) == 1
    assert short < len(files["live"].events)
    salvaged = SqliteSalvage(path).save(tmp_path / "saved.db", unseen)
    saved = content(tmp_path / "saved.db")
    assert deleted not in saved
    missing = files["live"].events.keys() - saved.keys() - {deleted}
    assert missing == set()
    assert salvaged.counts[TroubleKind.MISSING] == 0


@pytest.mark.slow
@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_of_earlier_versions_are_saved_without_checksums(files, version, tmp_path):
    base = of_schema(version, files["whole"], tmp_path / "old.db")
    for name, damage in {"none": lambda _: None, **WITHOUT_LOSS}.items():
        outcome = recovered(base, damage, tmp_path / name)
        assert outcome.events == base.events
    for number in range(20, 120, 31):
        outcome = recovered(base, zeros(page(number), PAGE), tmp_path / str(number))
        outcome.check()


def test_an_event_whose_row_is_damaged_is_not_saved_and_can_be_read_in_the_list(files, tmp_path):
    base = files["whole"]
    name = event(251).event_id
    (piece,) = base.pieces[name]
    place = base.path.read_bytes().find(piece) + len(piece) - 20
    outcome = recovered(base, at(place, b"\xff\xfe\x00"), tmp_path)
    assert outcome.lost() == {name}
    (trouble,) = outcome.troubles
    assert (trouble["kind"], trouble["event_id"], trouble["seq"]) == (
        "damaged",
        name,
        base.numbers[name],
    )
    assert "m251" in trouble["content"]["event_data"]
    assert str(place // PAGE + 1) in trouble["place"]


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(20))
def test_random_damage(files, trial, tmp_path):
    check_random(files, trial, tmp_path)


@pytest.mark.slow
def test_much_random_damage(files, tmp_path):
    for trial in range(100, 300):
        check_random(files, trial, tmp_path / str(trial))


def check_random(files, trial: int, folder: Path) -> None:
    base = files[("whole", "live")[trial % 2]]
    outcome = recovered(base, at_random(random.Random(trial)), folder)
    outcome.check(state_it_had if base is files["live"] else lambda *_: False)


def test_what_a_sick_disk_refuses_to_read_is_told_and_the_rest_is_saved(files, tmp_path, monkeypatch):
    path = tmp_path / "events.db"
    path.write_bytes(files["whole"].path.read_bytes())
    (piece,) = files["whole"].pieces[event(251).event_id]
    first = path.read_bytes().find(piece) // PAGE * PAGE
    read = os.read

    def refusing(descriptor: int, length: int) -> bytes:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        if place < first + PAGE and place + length > first and os.path.samestat(
            os.fstat(descriptor), path.stat()
        ):  # fmt: skip
            raise OSError(errno.EIO, "Input/output error")
        return read(descriptor, length)

    monkeypatch.setattr(os, "read", refusing)
    salvaged = SqliteSalvage(path).save(tmp_path / "saved.db", unseen)
    monkeypatch.undo()
    lost = files["whole"].events.keys() - content(tmp_path / "saved.db").keys()
    assert event(251).event_id in lost
    assert len(lost) == salvaged.lost < 40
    told = [one.reason for one in salvaged.shown if "the disk refuses to read" in one.reason]
    assert told == [f"the disk refuses to read 4,096 bytes of events.db from byte {first:,} on"]


@pytest.mark.parametrize(
    ("bytes_", "sentence"),
    [
        (b"", "is empty"),
        (b"hello\n" * 10_000, "no event file, or encrypted"),
        (random.Random(1).randbytes(300_000), "no event file, or encrypted"),
        (b"SQLite format 3\0" + bytes(100_000), "no event file, or encrypted"),
    ],
)
def test_what_holds_no_event_is_told_and_makes_no_file(bytes_, sentence, tmp_path):
    path = tmp_path / "events.db"
    path.write_bytes(bytes_)
    with pytest.raises(StoreDamagedError, match=sentence):
        SqliteSalvage(path).save(tmp_path / "saved.db", unseen)
    assert (
        sorted(one.name for one in tmp_path.iterdir())
        == ["events.db", "events.db.lock"][: 1 if not bytes_ else 2]
    )


def test_a_file_of_another_program_is_no_event_file(tmp_path):
    path = tmp_path / "other.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE people (name, age); INSERT INTO people VALUES ('Ann', 3)")
    connection.close()
    with pytest.raises(StoreDamagedError, match="no event file"):
        SqliteSalvage(path).save(tmp_path / "saved.db", unseen)


def test_a_file_that_is_not_there_or_a_target_that_is_are_refused(files, tmp_path):
    with pytest.raises(StoreError, match="There is no file"):
        SqliteSalvage(tmp_path / "nowhere.db").save(tmp_path / "saved.db", unseen)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "saved.db").write_text("mine")
    with pytest.raises(StoreError, match="exists and is not overwritten"):
        SqliteSalvage(files["whole"].path).save(tmp_path / "saved.db", unseen)
    assert (tmp_path / "saved.db").read_text() == "mine"


def test_a_file_that_a_server_has_open_is_refused(tmp_path):
    with SqliteStoreOf(tmp_path / "events.db"), pytest.raises(StoreInUseError, match="Stop it"):
        SqliteSalvage(tmp_path / "events.db").save(tmp_path / "saved.db", unseen)


def test_a_disk_that_is_full_is_told_and_nothing_stays_on_it(files, tmp_path):
    """From the first page of the new file on, and amid it."""
    for most in (1, 40, 100):
        folder = tmp_path / str(most)
        folder.mkdir()
        disk = SmallDisk(".saved.db.part", most * PAGE)
        try:
            with pytest.raises(StoreUnavailableError, match="Free space"):
                SqliteSalvage(files["whole"].path).save(folder / "saved.db", unseen)
        finally:
            disk.unregister()
        assert list(folder.iterdir()) == []


class SmallDisk(apsw.VFS):
    """A disk with room for so many bytes of the files whose names end in a way."""

    def __init__(self, ending: str, most: int) -> None:
        self._ending, self._most = ending, most
        super().__init__("small", "unix", makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802 - the name is the engine's
        is_small = isinstance(name, apsw.URIFilename) and name.filename().endswith(self._ending)
        return SmallFile(name, flags, self._most if is_small else 1 << 60)


class SmallFile(apsw.VFSFile):
    def __init__(self, name, flags, most: int) -> None:
        self._most = most
        super().__init__("unix", name, flags)

    def xWrite(self, data, offset):  # noqa: N802 - the name is the engine's
        if offset + len(data) > self._most:
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)


def test_an_event_file_without_events_is_saved_with_its_facts(tmp_path):
    with SqliteStoreOf(tmp_path / "events.db") as store:
        remember(store, "manager_id/lab", "1")
    salvaged = SqliteSalvage(tmp_path / "events.db").save(tmp_path / "saved.db", unseen)
    assert salvaged.events == 0
    with SqliteStoreOf(tmp_path / "saved.db") as store:
        assert facts_about_the_lab(store) == {"manager_id/lab": "1"}


def filled_with_documents(path: Path) -> dict[str, str]:
    """Make a file with some events, facts, and so much that followers concluded that it has pages."""
    places = [START, Position.of([("lane", 1)])]
    concluded = {f"{number:04}": f'"{"x" * number}"' for number in range(3_000)}
    with SqliteStoreOf(path) as store:
        store.append([event(number) for number in range(10)])
        remember(store, "manager_id/lab", "1")
        note_done(store, "backup", "2026")
        changes = [put("counts", key, value) for key, value in concluded.items()]
        assert store.apply(changes, Step("counter", *places))
    return concluded


def test_what_followers_concluded_is_saved_with_their_places(tmp_path):
    concluded = filled_with_documents(tmp_path / "events.db")
    SqliteSalvage(tmp_path / "events.db").save(tmp_path / "saved.db", unseen)
    with SqliteStoreOf(tmp_path / "saved.db") as store:
        assert dict(store.scan("counts", limit=10_000)) == concluded
        assert store.read(FOLLOWERS, "counter") is not None
        assert last_done(store, "backup") == "2026"


@pytest.mark.parametrize("damaged", ["schema", "a page of documents"])
def test_where_documents_may_be_missing_followers_begin_anew_and_facts_are_kept(tmp_path, damaged):
    path = tmp_path / "events.db"
    filled_with_documents(path)
    with closing(apsw.Connection(str(path))) as file:
        rows = file.execute("SELECT pageno, min(path) FROM dbstat WHERE name = 'documents'"
                            " AND pagetype = 'leaf' GROUP BY pageno ORDER BY 2").fetchall()  # fmt: skip
    page = 1 if damaged == "schema" else rows[len(rows) // 2][0]
    noise((page - 1) * PAGE, PAGE)(path)
    salvaged = SqliteSalvage(path).save(tmp_path / "saved.db", unseen)
    assert salvaged.events == 10
    with SqliteStoreOf(tmp_path / "saved.db") as store:
        assert store.scan("counts") == []
        assert store.read(FOLLOWERS, "counter") is None
        assert facts_about_the_lab(store) == {"manager_id/lab": "1"}
        assert last_done(store, "backup") == "2026"


def test_in_place_the_damaged_file_and_its_log_stay_beside_the_new_one(files, tmp_path):
    path = tmp_path / "events.db"
    for ending in ("", LOG):
        Path(f"{path}{ending}").write_bytes(Path(f"{files['live'].path}{ending}").read_bytes())
    noise(1_000_000, 3, LOG)(path)
    log = Path(f"{path}{LOG}").read_bytes()
    salvaged = SqliteSalvage(path).save_in_place(unseen)
    assert salvaged.kept is not None
    assert Path(f"{salvaged.kept}{LOG}").read_bytes() == log
    assert content(path) == files["live"].events
    again = SqliteSalvage(salvaged.kept).save(tmp_path / "again.db", unseen)
    assert again.events == salvaged.events


def test_a_new_event_never_gets_the_number_of_an_old_one(files, tmp_path):
    recovered(files["whole"], zeros(0, PAGE), tmp_path)
    greatest = max(files["whole"].numbers.values())
    with SqliteStoreOf(tmp_path / "saved.db") as store:
        store.append([event(9_999)])
    connection = apsw.Connection(str(tmp_path / "saved.db"))
    assert connection.execute("SELECT max(seq) FROM events").get > greatest
    connection.close()
