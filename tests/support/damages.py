"""Random damage to the files of an event store, and what a store that opens them has to answer."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import apsw

from madsci.common.errors import StoreError
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.model.tally import GROUPINGS, Tally
from madsci.event_manager.stores.sqlite.file.commit_mark import MARK
from madsci.event_manager.stores.sqlite.store import SqliteStore

READ_ONLY_URI = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
TREES = (
    "events", "sqlite_autoindex_events_1", "events_by_time", "serious_events_by_time", "events_by_node",
    "archived_events", "event_terms_data", "event_terms_idx", "event_terms_config", "facts",
    "sqlite_autoindex_facts_1", "documents", "damaged_events", "sqlite_schema",
)  # fmt: skip
WORDS = ("plate", "pump", "reader", "hotel", "door", "tip", "liquid", "arm")
QUESTIONS = {
    "by time": {"event_timestamp": {"$gte": 300}},
    "by level": {"log_level": {"$gte": 40}},
    "by node": {"source.node_id": "n3"},
    "by type": {"event_type": "workflow_start"},
    "by workflow": {"source.workflow_id": "w7"},
    "by words": {"$text": {"$search": "pump"}},
    "by data": {"event_data.n": {"$lt": 40}},
    "archived": {"archived": True},
    "alerts": {"alert": True},
}


def crowd(size: int) -> list[StoredEvent]:
    """Events of every kind; some of them fill several pages."""
    dice = random.Random(size)
    return [
        StoredEvent(
            f"{number:026}", "workflow_start" if number % 9 == 0 else "log_info",
            dice.choice((10, 20, 30, 40)), number % 17 == 0, number, number + 5,
            {"node_id": f"n{number % 10}", "workflow_id": f"w{number // 20}"},
            encode_json({
                "message": " ".join(dice.choices(WORDS, k=6)), "n": number, "é": dice.random(),
                "list": [1, None, {"a": "b"}], "text": "x" * dice.choice((0, 20, 200, 200, 12_000)),
            }),
            trace_id=f"t{number}" if number % 3 == 0 else None,
            extra={"colour": "red"} if number % 5 == 0 else None,
        )
        for number in range(size)
    ]  # fmt: skip


@dataclass
class Original:
    """A store before it is damaged: its files, and what is in it, by number."""

    folder: Path
    events: dict[int, StoredEvent]

    @classmethod
    def make(cls, folder: Path, size: int, *, killed: bool) -> Original:
        """Fill a store; a killed one has a part of its events in the log only."""
        folder.mkdir()
        listed = crowd(size)
        with closing(SqliteStore(folder / "making.db")) as store:
            half = size // 2
            for start in range(0, half, 50):
                store.append(listed[start : min(start + 50, half)])
            store.archive([one.event_id for one in listed[:half:11]], 77)
            store._writer.wal_checkpoint(mode=3)
            for start in range(half, size, 10):
                store.append(listed[start : start + 10])
            rows = store._writer.execute("SELECT seq, event_id FROM events").fetchall()
            events = {seq: store.get(event_id) for seq, event_id in rows}
            if killed:
                for ending in ("", "-wal", "-shm", MARK):
                    shutil.copyfile(folder / f"making.db{ending}", folder / f"events.db{ending}")
        if not killed:
            for ending in ("", MARK):
                shutil.copyfile(folder / f"making.db{ending}", folder / f"events.db{ending}")
        return cls(folder, events)

    def copy(self, to: Path) -> Path:
        to.mkdir()
        for file in self.folder.glob("events.db*"):
            shutil.copyfile(file, to / file.name)
        return to / "events.db"


def damage_file(path: Path, dice: random.Random) -> str:
    """Damage any place of a file, or cut it; return what was done."""
    size = path.stat().st_size
    if dice.randrange(8) == 0:
        os.truncate(path, place := dice.randrange(size))
        return f"{path.name} cut at {place}"
    return f"{path.name}: {_damage(path, dice, lambda: dice.randrange(size))}"


def damage_tree(path: Path, tree: str, dice: random.Random) -> str:
    """Damage pages of one table or index of a file; return what was done."""
    with closing(apsw.Connection(f"{path.as_uri()}?immutable=1", flags=READ_ONLY_URI)) as file:
        pages = [row[0] for row in file.execute("SELECT pageno FROM dbstat WHERE name = ?", (tree,))]
    return (
        f"{tree}: {_damage(path, dice, lambda: (dice.choice(pages) - 1) * 4096 + dice.randrange(4096))}"
    )


def _damage(path: Path, dice: random.Random, place: Callable[[], int]) -> str:
    """Flip up to eight bytes, or write zeros or rubbish over a range."""
    kind = dice.choice(("flip", "flip", "flip", "zero", "rubbish"))
    places = [place() for _ in range(dice.choice((1, 1, 2, 8)) if kind == "flip" else 1)]
    length = 1 if kind == "flip" else dice.choice((1, 16, 300, 4096))
    with path.open("r+b") as file:
        for one in places:
            file.seek(one)
            old = file.read(length)
            file.seek(one)
            new = {"zero": bytes(len(old)), "rubbish": dice.randbytes(len(old))}
            file.write(new.get(kind) or bytes([old[0] ^ dice.randrange(1, 256)]))
    return f"{kind} {length} at {places}"


@dataclass
class Verdict:
    """What became of a damaged store."""

    outcome: str
    missing: set[int] = field(default_factory=set)
    sentence: str = ""


def every_event(store: SqliteStore) -> Iterator[StoredEvent]:
    query = Query(limit=100)
    while True:
        page = store.find(query)
        yield from page.events
        if page.next_place is None:
            return
        query = replace(query, after=page.next_place)


def judge(path: Path, original: Original) -> Verdict:
    """Open a damaged store and compare all that it says; raises AssertionError for what it may not."""
    try:
        store = SqliteStore(path)
    except StoreError as error:
        sentence = error.message
        verdict = Verdict(type(error).__name__, sentence=sentence)
    else:
        with closing(store):
            return _judged(store, original)
    assert str(path) in sentence
    assert "Nothing was changed" in sentence or "Stop the server" in sentence, sentence
    return verdict


def _judged(store: SqliteStore, original: Original) -> Verdict:
    numbers = {event.event_id: seq for seq, event in original.events.items()}
    listed = list(every_event(store))
    got = {numbers[event.event_id]: event for event in listed}
    assert len(got) == len(listed), "an event came twice"
    for seq, event in got.items():
        assert event == original.events[seq], f"{seq} was changed"
    rows = store._writer.execute("SELECT seq, event_id FROM damaged_events").fetchall()
    named = {seq for seq, _ in rows}
    missing = original.events.keys() - got.keys()
    lost = {seq for seq in missing - named if seq > max(got.keys() | named, default=0)}
    silent = missing - named - lost
    assert not silent, f"{len(silent)} are missing and not named: {sorted(silent)[:5]}"
    if lost:  # the log ended early: the newest are gone, and only they
        assert f": {len(lost)} events " in " ".join(store.troubles()), store.troubles()
    assert store.damaged_events == len(named)
    assert store.count() == len(got)
    _ask_everything(store, original, got)
    outcome = "ends early" if lost else "passed over" if missing else "whole"
    return Verdict(outcome, missing)


def _ask_everything(store: SqliteStore, original: Original, got: dict[int, StoredEvent]) -> None:
    for name, question in QUESTIONS.items():
        tree = parse_selector(question)
        with_memory = {seq for seq, event in got.items() if holds(question, event)}
        found = store.find(Query(tree, limit=10_000)).events
        assert {one.event_id for one in found} == {got[seq].event_id for seq in with_memory}, name
        (counts,) = store.tally([Tally(tree)])
        assert sum(one.count for one in counts) == len(with_memory), f"count {name}"
    (counts,) = store.tally([Tally(parse_selector({}), GROUPINGS["level"])])
    assert {one.value: one.count for one in counts} == Counter(one.log_level for one in got.values())


def holds(question: dict, event: StoredEvent) -> bool:
    from madsci.event_manager.model.matcher import matches

    return matches(parse_selector(question), event.document())
