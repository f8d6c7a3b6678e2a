"""A damaged event is passed over and named; everything else is answered, counted, paged and kept."""

from __future__ import annotations

import logging
from contextlib import closing, suppress
from dataclasses import replace

import apsw
import pytest

from madsci.common.errors import StoreDamagedError, StoreUnavailableError
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import parse_sort
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import GROUPINGS, Buckets, Tally
from madsci.event_manager.search.beside import AnsweringBeside
from madsci.event_manager.search.jobs import PageJob, VerifyJob
from madsci.event_manager.search.service import Search
from madsci.event_manager.search.verification import VerificationTask
from madsci.event_manager.stores.base import AppendOutcome, Damage, DamageOf, Disposition
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.sqlite import terms
from madsci.event_manager.stores.sqlite.damage import checking, quarantine
from madsci.event_manager.stores.sqlite.store import SqliteStore

EVERYTHING = parse_selector({})


def event(number: int, **members) -> StoredEvent:
    plain = {
        "event_type": "log", "log_level": 20, "alert": False, "received_at": 1,
        "source": {"node_id": f"n{number % 3}"},
        "event_data": f'{{"message":"Plate {number}","n":{number}}}',
    }  # fmt: skip
    return StoredEvent(event_id=f"e{number:04}", **{"event_timestamp": number, **plain, **members})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def store(path):
    with closing(SqliteStore(path)) as store:
        store.append([event(number) for number in range(1, 1_001)])
        yield store


# What may stand in a row in the place of what was written, each of which fails in a way of its own.
DAMAGES = {
    "another letter": "event_data = jsonb(replace(json(event_data), 'Plate', 'Slate'))",
    "JSON that is none": "event_data = x'ffffffff'",
    "a source that is none": "source = x'0c'",
    "a text that is no UTF-8": "event_data = CAST(replace(event_data, 'Plate', x'ff') AS BLOB)",
    "a type that is no UTF-8": "event_type = CAST(x'ff' AS TEXT)",
    "an id that is no UTF-8": "event_id = CAST(x'ff' || event_id AS TEXT)",
    "another time": "event_timestamp = event_timestamp + 4096",
    "a time that is none": "event_timestamp = 9223372036854775807",
    "another alert": "alert = 1 - alert",
    "archived": "archived = 1",
    "another node": "node_id = 'n9'",
    "extra members": "extra = jsonb('{}')",
    "another checksum": "checksum = checksum + 1",
}


def damage(store: SqliteStore, what: str, *numbers: int) -> None:
    """Change rows behind the back of the store, as no statement of its own does."""
    listed = ", ".join(map(str, numbers))
    store._writer.execute(f"UPDATE events SET {DAMAGES[what]} WHERE seq IN ({listed})")


def ids(events) -> list[str]:
    return [one.event_id for one in events]


def expected_ids(*damaged: int) -> list[str]:
    return [f"e{number:04}" for number in range(1_000, 0, -1) if number not in damaged]


def walk(store: SqliteStore, query: Query) -> list[str]:
    found = []
    while True:
        page = store.find(query)
        found += ids(page.events)
        if page.next_place is None:
            return found
        assert len(page.events) == query.limit
        query = replace(query, after=page.next_place)


def named(store: SqliteStore) -> list[int]:
    return quarantine.listed(store._writer)


@pytest.mark.slow
@pytest.mark.parametrize("what", DAMAGES)
def test_one_damaged_event_of_a_thousand_is_named_and_all_others_are_answered(store, what, caplog):
    damage(store, what, 500)
    assert walk(store, Query(limit=100)) == expected_ids(500)
    assert walk(store, Query(limit=7, sort=parse_sort("event_data.n"))) == expected_ids(500)[::-1]
    assert named(store) == [500]
    assert store.damaged_events == 1
    assert store.count() == 999
    assert [one.levelno for one in caplog.records] == [logging.ERROR]
    assert "number 500 " in caplog.text
    assert str(store.location) in caplog.text
    assert store.troubles() == []


@pytest.mark.parametrize("what", DAMAGES)
def test_lists_and_counts_agree_once_it_is_known(store, what):
    damage(store, what, 500, 501)
    store.find(Query(limit=10_000))
    for question in (
        {}, {"event_data.n": {"$gte": 3}}, {"event_data.message": {"$regex": "^Pla"}},
        {"source.node_id": "n1"}, {"$text": {"$search": "plate"}}, {"event_type": "log"},
        {"$or": [{"event_data.n": 500}, {"log_level": 20}]}, {"event_data": {"$ne": 1}},
    ):  # fmt: skip
        tree = parse_selector(question)
        found = store.find(Query(tree, limit=10_000)).events
        assert found
        assert not {"e0500", "e0501"} & set(ids(found))
        (counts,) = store.tally([Tally(tree)])
        assert sum(one.count for one in counts) == len(found)
    for grouping in (None, *GROUPINGS.values()):
        for buckets in (None, Buckets(0, 1_000, 100)):
            (counts,) = store.tally([Tally(EVERYTHING, grouping, buckets)])
            assert sum(one.count for one in counts) == 998, (grouping, buckets)


@pytest.mark.parametrize("what", ["JSON that is none", "a text that is no UTF-8"])
def test_a_count_that_fails_at_a_damaged_event_finds_and_names_it(store, what):
    damage(store, what, 3, 700)
    tree = parse_selector({"event_data.message": {"$regex": "[aA]"}, "event_data.n": {"$ne": -1}})
    (counts,) = store.tally([Tally(tree)])
    assert [one.count for one in counts] == [998]
    assert named(store) == [3, 700]


def test_a_whole_torn_page_of_events_is_passed_over(store):
    damage(store, "JSON that is none", *range(300, 700))
    assert walk(store, Query(limit=3)) == expected_ids(*range(300, 700))
    assert store.damaged_events == 400


@pytest.mark.parametrize("what", [one for one in DAMAGES if not one.startswith("an id")])
def test_asked_for_by_its_id_it_is_named_and_not_called_unknown(store, what):
    damage(store, what, 500)
    with pytest.raises(StoreDamagedError, match=r"e0500 .number 500. in .*events\.db is damaged"):
        store.get("e0500")
    assert named(store) == [500]
    assert store.get("e0499") == event(499)


@pytest.mark.parametrize("what", [one for one in DAMAGES if not one.startswith("an")])
def test_sent_again_it_is_whole(store, what, path):
    damage(store, what, 500)
    store.find(Query(limit=1_000))
    outcomes = store.append([event(1_001), event(500), event(499)])
    assert [one.disposition for one in outcomes] == [
        Disposition.STORED, Disposition.STORED, Disposition.DUPLICATE,
    ]  # fmt: skip
    assert (store.count(), store.damaged_events, named(store)) == (1_001, 0, [])
    for question in ({"$text": {"$search": "500"}}, {"event_data.n": 500}, {"_id": "e0500"}):
        assert store.find(Query(parse_selector(question))).events == [event(500)]
    store.close()
    with closing(SqliteStore(path)) as again:
        assert (again.count(), again.damaged_events) == (1_001, 0)


def test_sent_again_before_anybody_met_it_it_is_whole_too(store):
    damage(store, "JSON that is none", 500)
    assert store.append([event(500)]) == [AppendOutcome(Disposition.STORED, event(500))]
    assert (store.count(), store.get("e0500")) == (1_000, event(500))


def test_where_its_row_cannot_be_replaced_it_fails_no_batch(store, path, caplog):
    damage(store, "another letter", 500)
    store.close()
    forget_in_index(path, "events_by_time", "event_timestamp <> 500")
    with closing(SqliteStore(path, integrity_seconds=0)) as again:
        outcomes = again.append([event(500), event(1_001)])
        assert [one.disposition for one in outcomes] == [Disposition.DUPLICATE, Disposition.STORED]
        assert outcomes[0].event == event(500)
        assert again.get("e1001") == event(1_001)
    assert "cannot be replaced" in caplog.text


def test_retention_passes_it_over(store):
    damage(store, "JSON that is none", 500)
    damage(store, "a type that is no UTF-8", 501)
    assert store.archive([f"e{number:04}" for number in range(490, 500)], 5) == 10
    store.find(Query(limit=1_000))
    store._writer.execute("UPDATE events SET archived = 1 WHERE seq IN (500, 501)")
    assert store.delete([f"e{number:04}" for number in range(490, 510)]) == 10
    assert store.archive(["e0500", "e0510"], 5) == 1
    assert named(store) == [500, 501]
    assert store.count() == 988


def test_deleting_names_what_nobody_had_met(store):
    store.archive(["e0500", "e0501"], 5)
    damage(store, "JSON that is none", 500)
    assert store.delete(["e0500", "e0501"]) == 1
    assert named(store) == [500]


def test_what_a_process_beside_the_server_meets_the_server_names(store, caplog):
    damage(store, "another letter", 500)
    with closing(AnsweringBeside(store.readable_at, store.note_damage)) as beside:
        page = beside.ask(PageJob(Query(limit=600), None), Budget(30.0))
        beside.ask(PageJob(Query(limit=600), None), Budget(30.0))
    assert b"e0500" not in page.body
    assert (named(store), store.count()) == ([500], 999)
    assert len(caplog.records) == 1


def test_many_damaged_events_fill_no_log(store, caplog):
    damage(store, "another letter", *range(1, 1_001))
    assert store.find(Query(limit=1_000)).events == []
    assert store.damaged_events == 1_000
    assert len(caplog.records) == 101
    assert "damaged_events lists all" in caplog.text


def test_more_than_can_be_listed_is_the_damage_of_the_store(store, monkeypatch):
    monkeypatch.setattr(quarantine, "MOST", 100)
    damage(store, "another letter", *range(1, 1_001))
    with pytest.raises(StoreDamagedError, match=r"More than 100 events are damaged.*recover"):
        store.find(Query(limit=1_000))
    assert len(named(store)) == 100


class TestAtStart:
    def test_the_newest_events_are_looked_at(self, store, path, caplog):
        damage(store, "another letter", 998)
        store.close()
        with closing(SqliteStore(path)) as again:
            assert named(again) == [998]
            assert again.count() == 999
            assert "number 998 " in caplog.text
        caplog.clear()
        with closing(SqliteStore(path)) as again:
            assert again.damaged_events == 1
            assert caplog.records == []  # it is in the list; each start would say the same

    def test_what_is_whole_again_is_taken_from_the_list(self, store, path):
        damage(store, "another alert", 5)
        store.find(Query(limit=1_000))
        damage(store, "another alert", 5)
        store.close()
        with closing(SqliteStore(path)) as again:
            assert (again.count(), again.damaged_events) == (1_000, 0)

    def test_a_wrong_index_is_made_anew(self, store, path, caplog):
        store.close()
        forget_in_index(path, "events_by_time", "event_timestamp <> 500")
        with closing(SqliteStore(path)) as again:
            assert walk(again, Query(limit=100)) == expected_ids()
        assert "Its indexes are made anew" in caplog.text
        caplog.clear()
        with closing(SqliteStore(path)):
            assert caplog.records == []

    def test_indexes_that_are_right_about_a_damaged_event_stay(self, store, path, caplog):
        store.close()
        with closing(apsw.Connection(str(path))) as file:
            file.execute("DROP INDEX events_by_node")
            file.execute("UPDATE events SET node_id = 'n9' WHERE seq = 990")
        caplog.clear()
        with closing(SqliteStore(path)) as again:
            assert named(again) == [990]
        assert "made anew" not in caplog.text

    def test_a_large_file_is_served_before_all_of_it_is_checked(self, store, path, monkeypatch):
        store.close()
        monkeypatch.setattr(checking, "_BYTES_BEFORE_SERVING", 0)
        with closing(SqliteStore(path)) as again:
            assert not again.is_checked
            assert again.verify(None, Budget(30.0)) is None
            assert (again.damage, again.troubles()) == (None, [])
        with closing(SqliteStore(path, integrity_seconds=0)) as again:
            assert again.is_checked  # as far as it was wanted
        monkeypatch.undo()
        with closing(SqliteStore(path, integrity_seconds=60)) as again:
            assert again.is_checked

    def test_where_indexes_are_known_to_be_wrong_a_large_file_is_checked_first(
        self, store, path, monkeypatch
    ):
        """They are made anew, and for that the structure must be sound."""
        store.note_damage([Damage(0, None, "an index is wrong", DamageOf.INDEX)])
        store.close()
        tear(path, "events")
        monkeypatch.setattr(checking, "_BYTES_BEFORE_SERVING", 0)
        with pytest.raises(StoreDamagedError, match="Nothing was changed"):
            SqliteStore(path)

    def test_an_unreadable_disk_is_not_called_damage(self, path):
        refusal = checking._refusal(str(path), ["unable to get the page. error code=10", "x"])
        assert isinstance(refusal, StoreUnavailableError)
        refusal = checking._refusal(str(path), ["unable to get the page. error code=11", "x"])
        assert isinstance(refusal, StoreDamagedError)


def forget_in_index(path, index: str, but: str) -> None:
    """Make an index that lacks entries, and let the file say that it has all."""
    with closing(apsw.Connection(str(path))) as file:
        sql = file.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (index,)).get
        file.execute(f"DROP INDEX {index}; {sql} {'AND' if 'WHERE' in sql else 'WHERE'} {but}")
        file.pragma("writable_schema", True)
        file.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, index))


def test_an_index_that_is_wrong_about_a_whole_event_is_told_and_the_event_answered(store, path, caplog):
    store.note_damage([Damage(0, None, "an index is wrong about it", DamageOf.INDEX)])
    store.note_damage([Damage(0, None, "an index is wrong about it", DamageOf.INDEX)])
    (trouble,) = store.troubles()
    assert "Restart the server: it makes its indexes anew" in trouble
    assert len(caplog.records) == 1
    store.close()
    with closing(SqliteStore(path)) as again:
        assert "are made anew" in caplog.text
        assert again.troubles() == []
        assert walk(again, Query(limit=100)) == expected_ids()
        assert again.read("facts", "wrong_indexes") is None


class TestVerify:
    """Looking at everything, a part at a time, beside a server that works."""

    def walk(self, store) -> int:
        place, parts = None, 0
        while True:
            place = store.verify(place, Budget(0.001))
            parts += 1
            if place is None:
                return parts

    def test_what_is_whole_gives_nothing_to_say(self, store, caplog):
        store.archive(["e0001", "e0700"], 5)
        store.delete(["e0700"])
        assert self.walk(store) >= 2
        assert (store.damaged_events, store.troubles(), caplog.records) == (0, [], [])

    @pytest.mark.parametrize("what", DAMAGES)
    def test_damaged_events_are_named_that_nobody_asked_for(self, store, what):
        damage(store, what, 3, 500)
        self.walk(store)
        assert named(store) == [3, 500]
        assert store.troubles() == []

    @pytest.mark.parametrize(
        ("index", "but"),
        [
            ("events_by_time", "event_timestamp <> 500"),
            ("events_by_node", "event_timestamp <> 500"),
            ("serious_events_by_time", "event_timestamp <> 400"),
            ("archived_events", "event_timestamp <> 5"),
        ],
    )
    def test_an_index_that_lacks_an_event_is_told_and_made_anew_at_the_next_start(
        self, store, path, index, but, caplog
    ):
        store.append([event(1_001, log_level=40), event(1_002, event_timestamp=400, log_level=40)])
        store.archive(["e0005", "e0006"], 7)
        store.close()
        forget_in_index(path, index, but)
        with closing(SqliteStore(path, integrity_seconds=0)) as again:
            self.walk(again)
            (trouble,) = again.troubles()
            assert "Restart the server" in trouble
        caplog.clear()
        with closing(SqliteStore(path, integrity_seconds=0)) as again:
            assert "made anew" in caplog.text
            self.walk(again)
            assert again.troubles() == []
            assert again.count() == 1_002

    def test_an_event_that_its_words_do_not_find_is_told_and_found_after_the_next_start(
        self, store, path
    ):
        terms.delete(store._writer, [(500, terms.terms_of(event(500)))])
        question = Query(parse_selector({"$text": {"$search": "500"}}))
        assert store.find(question).events == []
        self.walk(store)
        assert len(store.troubles()) == 1
        store.close()
        with closing(SqliteStore(path)) as again:
            assert again.find(question).events == [event(500)]

    def test_it_is_done_beside_the_server(self, store):
        damage(store, "another letter", 500)
        with closing(AnsweringBeside(store.readable_at, store.note_damage)) as beside:
            assert beside.ask(VerifyJob(None), Budget(60.0)) is None
        assert named(store) == [500]


def test_the_task_looks_at_everything_unless_the_server_has_just_started(store):
    damage(store, "another letter", 500)
    with closing(Search(store, seconds=30.0, places=1)) as search:
        VerificationTask(search, store).run(lambda: True)
        assert named(store) == []
        VerificationTask(search, store, rest=0.0).run(lambda: False)
        assert named(store) == []
        VerificationTask(search, store, rest=0.0).run(lambda: True)
        assert named(store) == [500]


def leaf_of(path, tree: str) -> int:
    with closing(apsw.Connection(str(path))) as file:
        return file.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' LIMIT 1 OFFSET 5", (tree,)
        ).get


def tear(path, tree: str) -> None:
    """Write rubbish over a page."""
    page = leaf_of(path, tree)
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


def call_free(path, page: int) -> None:
    """Say in the header of a file that a page is free, whatever is in it."""
    with path.open("r+b") as file:
        file.seek(32)
        file.write(page.to_bytes(4, "big") + (1).to_bytes(4, "big"))


class TestStructureOfALargeFile:
    """What is found while the file is served."""

    @pytest.fixture(autouse=True)
    def large(self, store, monkeypatch):
        monkeypatch.setattr(checking, "_BYTES_BEFORE_SERVING", 0)
        monkeypatch.setattr(checking, "_SECONDS_OF_EVENTS", 0.0)
        store.close()

    def test_a_page_that_cannot_be_read_is_told_and_events_are_taken_on(self, path, caplog):
        tear(path, "events")
        with closing(SqliteStore(path)) as again:
            with pytest.raises(StoreDamagedError):
                again.verify(None, Budget(30.0))  # told, and then met by the look at the events
            assert "recover" in again.damage
            assert again.append([event(2_001)])[0].disposition is Disposition.STORED
            assert again.get("e1000") == event(1_000)
        assert len([one for one in caplog.records if "recover" in one.getMessage()]) == 1

    def test_where_a_page_in_use_counts_as_free_nothing_is_written(self, path):
        call_free(path, leaf_of(path, "events_by_time"))
        with closing(SqliteStore(path)) as again:
            again.verify(None, Budget(30.0))
            assert "No events are taken" in again.damage
            before = path.read_bytes()
            for change in (
                lambda: again.append([event(2_001)]),
                lambda: again.archive(["e0001"], 5),
                lambda: remember(again, "key", "value"),
                again.probe,
            ):
                with pytest.raises(StoreDamagedError, match=r"might be written over others"):
                    change()
            assert walk(again, Query(limit=500)) == expected_ids()
        assert path.read_bytes() == before

    def test_an_index_that_lacks_entries_is_told_as_one(self, path):
        forget_in_index(path, "events_by_time", "event_timestamp <> 500")
        with closing(SqliteStore(path)) as again:
            again.verify(None, Budget(30.0))
            assert again.damage is None
            (trouble,) = again.troubles()
            assert "Restart the server" in trouble
        with closing(SqliteStore(path)) as again:
            assert again.troubles() == []
            assert walk(again, Query(limit=100)) == expected_ids()

    def test_damage_that_the_task_finds_is_kept_as_an_alert_once(self, path):
        tear(path, "events_by_node")
        with (
            closing(SqliteStore(path)) as again,
            closing(Search(again, seconds=30.0, places=0)) as search,
        ):
            task = VerificationTask(search, again)
            for _ in range(2):
                with suppress(StoreDamagedError):
                    task.run(lambda: True)
            (told,) = again.find(Query(parse_selector({"alert": True}))).events
            assert "recover" in told.event_data


def test_damage_of_the_structure_is_told_where_it_is_met(store, path, caplog):
    store.close()
    tear(path, "events")
    with pytest.raises(StoreDamagedError, match=r"is damaged.*Nothing was changed.*recover"):
        SqliteStore(path)
    with closing(SqliteStore(path, integrity_seconds=0)) as again:
        with pytest.raises(StoreDamagedError, match="recover"):
            again.find(Query(limit=1_000))
        assert "recover" in again.damage
        assert again.append([event(2_001)])[0].disposition is Disposition.STORED
    assert len([one for one in caplog.records if "recover" in one.getMessage()]) == 1
