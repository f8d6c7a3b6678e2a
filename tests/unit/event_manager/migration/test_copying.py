"""Copying between stores of any engines, and making sure of it."""

from __future__ import annotations

import contextlib
import itertools

import pytest

from madsci.common.errors import StoreError, StoreUnavailableError
from madsci.event_manager.migration.copying import copy_events
from madsci.event_manager.model.feed import START
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.model.tables import FOLLOWERS, Step, put
from madsci.event_manager.stores.facts import facts_about_the_lab, remember
from madsci.event_manager.stores.mongo.store import MongoStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from madsci.event_manager.tasks.turn import last_done, note_done

NUMBER = 2_345


def unseen(what: str, done: int, of: int | None) -> None:
    pass


def events() -> list[StoredEvent]:
    """Events of all sorts; many of one time, so that pages end among them."""
    return [
        StoredEvent(
            f"e{place:05}", "node_error", 40 if place % 3 else 20, place % 7 == 0,
            place // 50, 1_000 + place, {"node_id": f"n{place % 4}"},
            encode_json({"n": place, "$big": 123456789012345678901234567890}),
            archived=place % 5 == 0, archived_at=9 if place % 5 == 0 else None,
            extra={"colour": "red"} if place % 11 == 0 else None,
        )
        for place in range(NUMBER)
    ]  # fmt: skip


@pytest.fixture
def stores(tmp_path, mongo_url, mongo_database):
    with contextlib.ExitStack() as opened:
        yield {
            name: opened.enter_context(contextlib.closing(store))
            for name, store in (
                ("sqlite", SqliteStore(tmp_path / "one.db")),
                ("mongodb", MongoStore(mongo_url, database=mongo_database)),
                ("back", SqliteStore(tmp_path / "back.db")),
            )
        }


@pytest.fixture
def new_store(tmp_path):
    with contextlib.ExitStack() as opened:
        numbers = itertools.count()
        yield lambda: opened.enter_context(
            contextlib.closing(SqliteStore(tmp_path / f"{next(numbers)}.db"))
        )


def everything(store) -> list[StoredEvent]:
    return store.find(Query(limit=10_000)).events


def interrupted(source, target, mark) -> None:
    def away(what: str, done: int, of: int | None) -> None:
        if done > 1_000:
            raise StoreUnavailableError("Away.")

    with pytest.raises(StoreUnavailableError):
        copy_events(source, target, mark, away)


@pytest.mark.slow
def test_there_and_back_every_event_is_the_same(stores, tmp_path):
    stores["sqlite"].append(events())
    there = copy_events(stores["sqlite"], stores["mongodb"], tmp_path / "mark.json", unseen)
    back = copy_events(stores["mongodb"], stores["back"], tmp_path / "mark.json", unseen)
    assert everything(stores["back"]) == everything(stores["sqlite"])
    assert (there.events, there.stored, there.there_before) == (NUMBER, NUMBER, 0)
    assert there.checksum == back.checksum
    assert len(there.checksum) == 64
    assert not (tmp_path / "mark.json").exists()


def test_a_copy_that_was_interrupted_goes_on_where_it_ended(new_store, tmp_path):
    source, target = new_store(), new_store()
    source.append(events())
    mark = tmp_path / "new" / "mark.json"

    interrupted(source, target, mark)
    assert mark.exists()
    seen: list[int] = []
    report = copy_events(source, target, mark, lambda _, done, __: seen.append(done))
    assert min(seen) > 1_000
    assert everything(target) == everything(source)
    assert report.checksum == copy_events(source, new_store(), mark, unseen).checksum
    assert report.events == NUMBER


def test_copying_again_changes_nothing(new_store, tmp_path):
    source, target = new_store(), new_store()
    source.append(events())
    copy_events(source, target, tmp_path / "mark", unseen)
    again = copy_events(source, target, tmp_path / "mark", unseen)
    assert (again.stored, again.there_before) == (0, NUMBER)
    assert everything(target) == everything(source)


def test_facts_go_along_and_those_that_are_others_in_the_target_are_told(stores, tmp_path):
    source, target = stores["sqlite"], stores["mongodb"]
    remember(source, "manager_id/one", "1")
    remember(source, "manager_id/two", "2")
    remember(target, "manager_id/two", "3")
    report = copy_events(source, target, tmp_path / "mark", unseen)
    assert facts_about_the_lab(target) == {"manager_id/one": "1", "manager_id/two": "3"}
    assert report.other_facts == {"manager_id/two": "2"}
    assert list(report.sentences())[-1].endswith(
        "has another manager_id/two and keeps it; the source says 2."
    )


def test_an_event_that_is_another_one_in_the_target_is_named(new_store, tmp_path):
    source, target = new_store(), new_store()
    source.append(events()[:10])
    target.append([StoredEvent("e00003", "log", 20, False, 0, 0, {}, '"other"')])
    with pytest.raises(StoreError, match=r"e00003 is not the same"):
        copy_events(source, target, tmp_path / "mark", unseen)


def test_the_bookmark_of_another_copy_is_not_ours(new_store, tmp_path):
    source, target = new_store(), new_store()
    source.append(events()[:10])
    mark = tmp_path / "mark.json"
    mark.write_text('{"source": "x", "target": "y", "after": [9, "z"], "events": 5, "digest": "0"}')
    assert copy_events(source, target, mark, unseen).events == 10
    mark.write_text("torn{")
    assert copy_events(source, target, mark, unseen).events == 10


def test_an_empty_store_can_be_copied(new_store, tmp_path):
    assert copy_events(new_store(), new_store(), tmp_path / "mark", unseen).events == 0


def test_events_that_came_behind_the_bookmark_are_copied_too(new_store, tmp_path):
    source, target = new_store(), new_store()
    source.append(events())
    interrupted(source, target, tmp_path / "mark")
    source.append([StoredEvent("late", "log", 20, False, -1, 0, {}, "1")])
    report = copy_events(source, target, tmp_path / "mark", unseen)
    assert everything(target) == everything(source)
    assert report.events == NUMBER + 1
    assert report.checksum == copy_events(source, new_store(), tmp_path / "mark", unseen).checksum


def test_a_target_that_was_emptied_meanwhile_is_noticed_and_the_next_copy_is_whole(new_store, tmp_path):
    source, target = new_store(), new_store()
    source.append(events())
    interrupted(source, target, tmp_path / "mark")
    ids = [event.event_id for event in everything(target)]
    target.archive(ids, at=1)
    target.delete(ids)
    with pytest.raises(StoreError, match="copy again"):
        copy_events(source, target, tmp_path / "mark", unseen)
    copy_events(source, target, tmp_path / "mark", unseen)
    assert everything(target) == everything(source)


def test_a_source_that_is_written_to_meanwhile_is_noticed(new_store, tmp_path):
    source, target = new_store(), new_store()
    source.append(events())
    numbers = itertools.count()

    def somebody_writes(what: str, done: int, of: int | None) -> None:
        number = next(numbers)
        source.append([StoredEvent(f"new{number}", "log", 20, False, -1 - number, 0, {}, "1")])

    with pytest.raises(StoreError, match="Stop the servers of both"):
        copy_events(source, target, tmp_path / "mark", somebody_writes)


def test_what_followers_concluded_does_not_go_along_nor_which_tasks_are_done(new_store, tmp_path):
    """In the feed of the target each event has another place; it is concluded there."""
    source, target = new_store(), new_store()
    source.append(events())
    assert source.apply([put("counts", "all", str(NUMBER))], Step("counter", START, source.head()))
    note_done(source, "backup", "2026")
    copy_events(source, target, tmp_path / "mark", unseen)
    assert target.read("counts", "all") is None
    assert target.read(FOLLOWERS, "counter") is None
    assert last_done(target, "backup") is None
