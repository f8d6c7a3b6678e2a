"""Event files of all ages, damaged in all ways, and what of them must be saved."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import msgspec

from madsci.event_manager.model.query import Query
from madsci.event_manager.model.sender import text_of_known
from madsci.event_manager.model.sorting import OLDEST_FIRST
from madsci.event_manager.model.stored_event import StoredEvent, encode_event
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.salvage import Salvaged
from madsci.event_manager.stores.sqlite import schema
from madsci.event_manager.stores.sqlite.salvage.btree import Kind, read_node
from madsci.event_manager.stores.sqlite.salvage.event_file import SqliteSalvage
from madsci.event_manager.stores.sqlite.salvage.pages import Pages
from madsci.event_manager.stores.sqlite.salvage.raw_file import RawFile
from madsci.event_manager.stores.sqlite.salvage.records import encoded
from madsci.event_manager.stores.sqlite.store import SqliteStore

PAGE = 4096
LOG = "-wal"
MARK = ".acknowledged"


def event(number: int) -> StoredEvent:
    """An event of which every fiftieth fills several pages."""
    size = 12_000 if number % 50 == 0 else 20 + number * 7 % 200
    return StoredEvent(
        f"01KB{number:022d}", "log_info", 20 + 10 * (number % 3), False,
        10**15 + number, 10**15 + number, {"node_id": f"n{number % 3}"},
        json.dumps({"message": f"m{number} {_text(number, size)}"}, separators=(",", ":")),
        extra={"colour": "red"} if number % 11 == 0 else None,
        sender=text_of_known({"name": f"arm {number % 9}", "process": number}) if number % 3 else None,
    )  # fmt: skip


def _text(number: int, size: int) -> str:
    """A text of which no part comes twice."""
    return random.Random(number).randbytes(size // 2).hex()


def fill(path: Path, log_copy: Path, number: int = 600) -> None:
    """Write a store of which half is in the file and half in the log, and copy both before its end.

    Events were archived, deleted and alerted in both halves.
    """
    half = number // 2
    with closing(SqliteStore(path)) as store:
        remember(store, "manager_id/lab", "01KBMANAGER")
        for first in range(0, half, 25):
            store.append([event(one) for one in range(first, first + 25)])
        store.archive([event(one).event_id for one in range(0, half, 3)], 10**15)
        store.delete([event(one).event_id for one in range(60, 100)])
    with closing(SqliteStore(path)) as store:
        for first in range(half, number, 25):
            store.append([event(one) for one in range(first, first + 25)])
        store.archive([event(one).event_id for one in range(0, number, 7)], 10**15 + 5)
        store.delete([event(one).event_id for one in range(200, 240)])
        alerts = (msgspec.structs.replace(event(one), alert=True) for one in range(1, number, 11))
        store.append(list(alerts))
        for ending in ("", LOG, MARK):
            if Path(f"{path}{ending}").exists():
                shutil.copy(f"{path}{ending}", f"{log_copy}{ending}")


def content(path: Path) -> dict[str, bytes]:
    """Every event of a store, as the server would answer it."""
    found: dict[str, bytes] = {}
    query = Query(limit=1000, sort=OLDEST_FIRST)
    with closing(SqliteStore(path)) as store:
        while True:
            page = store.find(query)
            found |= {one.event_id: encode_event(one) for one in page.events}
            if page.next_place is None:
                return found
            query = replace(query, after=page.next_place)


def numbers(path: Path) -> dict[str, int]:
    """The place of each event in the order of commits."""
    with closing(apsw.Connection(str(path))) as file:
        return dict(file.execute("SELECT event_id, seq FROM events"))


def pieces_of(path: Path) -> dict[str, list[bytes]]:
    """The bytes of each row in an undamaged file, page by page; where all are left it must be saved."""
    found: dict[str, list[bytes]] = {}
    with RawFile(path) as file:
        pages = Pages(file, None)
        for number in range(1, pages.count + 1):
            image = pages.newest(number)
            node = read_node(pages, image)
            if node is None or node.kind is not Kind.TABLE_LEAF:
                continue
            for cell in node.cells:
                start = (cell.payload or b"").find(b"01KB")
                if start < 0 or start > 60 or not cell.is_sure:
                    continue
                whole = encoded(len(cell.payload)) + encoded(cell.key) + cell.payload
                name = cell.payload[start : start + 26].decode()
                found.setdefault(name, _pieces(whole, image.data))
    return found


def _pieces(whole: bytes, page: bytes) -> list[bytes]:
    if whole in page:
        return [whole]
    first = next(end for end in range(len(whole), 0, -1) if whole[:end] in page)
    rest = whole[first:]
    return [whole[:first], *(rest[at : at + PAGE - 4] for at in range(0, len(rest), PAGE - 4))]


@dataclass
class Base:
    """An undamaged file: whole, or with part of it in a log; and what is in it."""

    path: Path
    events: dict[str, bytes]
    numbers: dict[str, int]
    pieces: dict[str, list[bytes]]


def bases(folder: Path) -> dict[str, Base]:
    """An event file that was closed, and one with half of it in the log, of the same content."""
    whole, live = folder / "whole.db", folder / "live.db"
    fill(whole, live)
    events, seqs, pieces = content(whole), numbers(whole), pieces_of(whole)
    return {path.stem: Base(path, events, seqs, pieces) for path in (whole, live)}


def state_it_had(name: str, text: bytes) -> bool:
    """Whether an event is as it was sent, whatever became of its flags."""
    flags = {"archived": False, "archived_at": None, "alert": False}
    sent = msgspec.json.decode(encode_event(event(int(name[4:]))))
    return {**msgspec.json.decode(text), **flags} == {**sent, **flags}


def of_schema(version: int, base: Base, path: Path) -> Base:
    """A file as an earlier version left it, with the content of another: no checksums, no senders."""
    tables = schema._TABLES.replace(schema._DAMAGED, "").replace(schema._STALE_TERMS, "")
    tables = tables.replace(schema._FEED, "")
    tables = re.sub(r",\s*(checksum INTEGER|sender TEXT)", "", tables)
    columns = "seq, event_id, event_type, log_level, alert, event_timestamp, received_at, node_id,"
    columns += "trace_id, span_id, archived, archived_at, source, event_data, extra"
    with closing(apsw.Connection(str(path))) as file:
        file.execute(
            tables + schema._INDEXES.replace(schema._ARCHIVED, "" if version < 3 else schema._ARCHIVED)
        )
        file.execute(
            f"ATTACH ? AS other; INSERT INTO events ({columns}) SELECT {columns} FROM other.events",
            (str(base.path),),
        )
        file.execute("INSERT INTO facts SELECT * FROM other.facts")
        file.pragma("user_version", version)
    events = {name: _SENDER.sub(b"", text) for name, text in base.events.items()}
    return Base(path, events, base.numbers, pieces_of(path))


_SENDER = re.compile(rb',"sender":\{[^{}]*\}')
"""What events of earlier versions do not have."""


Damage = Callable[[Path], None]


def at(offset: int, data: bytes, ending: str = "") -> Damage:
    """Write over a place."""

    def damage(path: Path) -> None:
        with Path(f"{path}{ending}").open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return damage


def zeros(offset: int, length: int, ending: str = "") -> Damage:
    return at(offset, bytes(length), ending)


def noise(offset: int, length: int, ending: str = "", seed: int = 7) -> Damage:
    return at(offset, random.Random(seed).randbytes(length), ending)


def cut(part: float, ending: str = "") -> Damage:
    def damage(path: Path) -> None:
        file = Path(f"{path}{ending}")
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * part)])

    return damage


def page(number: int) -> int:
    return (number - 1) * PAGE


def several(*damages: Damage) -> Damage:
    def damage(path: Path) -> None:
        for one in damages:
            one(path)

    return damage


def at_random(rng: random.Random) -> Damage:
    """One to three damages of any kind, anywhere in the file or the log."""

    def one(path: Path) -> None:
        ending = LOG if Path(f"{path}{LOG}").exists() and rng.random() < 0.5 else ""
        size = Path(f"{path}{ending}").stat().st_size
        kind = rng.choice(["flip", "flip", "flip", "zeros", "noise", "cut"])
        place = rng.randrange(size)
        if kind == "cut" and not ending:
            kind = "flip"  # half a file is a drill of its own
        if kind == "cut":
            cut(rng.uniform(0.5, 1), ending)(path)
        elif kind == "flip":
            old = Path(f"{path}{ending}").read_bytes()[place]
            at(place, bytes([old ^ (1 << rng.randrange(8))]), ending)(path)
        elif kind == "zeros":
            zeros(place, min(size - place, rng.choice([1, 16, 512, 4096, 9000])), ending)(path)
        else:
            at(place, rng.randbytes(min(size - place, rng.choice([1, 16, 512, 4096]))), ending)(path)

    return several(*[one] * rng.choice([1, 1, 2, 3]))


@dataclass
class Outcome:
    """What a recovery made of a damaged copy of a base."""

    base: Base
    salvaged: Salvaged
    events: dict[str, bytes]
    troubles: list[dict]
    left: bytes
    """All that the damaged file and log held."""

    def named(self, kinds: tuple[str, ...]) -> set[str]:
        """The ids that the list names, and the ids of numbers that it names."""
        by_number = {seq: name for name, seq in self.base.numbers.items()}
        found = [trouble for trouble in self.troubles if trouble["kind"] in kinds]
        ids = {trouble.get("event_id") for trouble in found}
        return {*ids, *(by_number.get(trouble.get("seq")) for trouble in found)} - {None}

    def lost(self) -> set[str]:
        return self.base.events.keys() - self.events.keys()

    def places(self) -> bool:
        """Whether a place is told whose content is missing."""
        return any(trouble["kind"] == "unreadable" for trouble in self.troubles)

    def check(self, ever: Callable[[str, bytes], bool] = lambda *_: False) -> None:
        """Every event whose bytes are left is saved as it was; what is not so is told.

        ``ever`` tells of a content that the event had before.
        """
        doubted = self.named(("unsure",))
        lost = self.lost()
        left = {one for one in lost if all(piece in self.left for piece in self.base.pieces[one])}
        assert left == set(), f"{len(left)} events are left and were not saved"
        named = self.named(("damaged", "missing"))
        assert lost <= named or self.places(), f"{len(lost - named)} events are missing untold"
        altered = {
            name
            for name, text in self.events.items()
            if text != self.base.events.get(name) and name not in doubted and not ever(name, text)
        }
        assert altered == set()


def recovered(base: Base, damage: Damage, folder: Path) -> Outcome:
    """Damage a copy of a base, recover it, and look at what was saved; the copy stays as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "events.db"
    for ending in ("", LOG, MARK):
        if Path(f"{base.path}{ending}").exists():
            shutil.copy(f"{base.path}{ending}", f"{path}{ending}")
    damage(path)
    files = [Path(f"{path}{ending}") for ending in ("", LOG)]
    before = [file.read_bytes() if file.exists() else None for file in files]
    salvaged = SqliteSalvage(path).save(folder / "saved.db", lambda *_: None)
    assert [file.read_bytes() if file.exists() else None for file in files] == before
    troubles = (
        [json.loads(line) for line in salvaged.list_path.read_text(encoding="utf-8").splitlines()]
        if salvaged.list_path
        else []
    )
    saved = content(folder / "saved.db")
    assert len(saved) == salvaged.events
    return Outcome(base, salvaged, saved, troubles, b"".join(one or b"" for one in before))
