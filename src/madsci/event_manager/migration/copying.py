"""Copying all events from one store to another, of whatever engines, and making sure of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from madsci.common.errors import StoreError
from madsci.event_manager.model.query import Place, Query
from madsci.event_manager.model.selector import In
from madsci.event_manager.model.sorting import OLDEST_FIRST
from madsci.event_manager.model.stored_event import StoredEvent, encode_event
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.facts import facts_about_the_lab, remember
from madsci.event_manager.stores.upkeep import Progress

_AT_ONCE: Final = 1_000
"""Events in one append: half a megabyte."""


@dataclass
class CopyReport:
    """What was copied. The checksums are of all events, in any order, and equal."""

    source: str
    target: str
    events: int = 0
    stored: int = 0
    there_before: int = 0
    checksum: str = ""
    other_facts: dict[str, str] = field(default_factory=dict)
    """Facts of the source of which the target has others."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    def sentences(self) -> Iterator[str]:
        """Return it in lines for people."""
        if self.events:
            yield (
                f"{self.events:,} events of {self.source} are in {self.target}: {self.stored:,} were"
                f" copied, {self.there_before:,} were there before."
            )
            yield f"Every one was read back and is the same (SHA-256 {self.checksum})."
        else:
            yield f"{self.source} holds no events: there was nothing to copy to {self.target}."
        for key, value in self.other_facts.items():
            yield f"{self.target} has another {key} and keeps it; the source says {value}."


def copy_events(
    source: EventStore, target: EventStore, bookmark: Path, progress: Progress
) -> CopyReport:
    """Copy every event, archived ones too, with every member; read each back from the target.

    Facts about the lab, such as the ids of managers, go along where the target has none of them. What
    followers concluded does not: in the feed of the target each event has another place, and they
    conclude it there.

    ``bookmark`` is a file that remembers how far it came, so that a copy that was interrupted goes
    on there; copying twice changes nothing.

    Raises:
        StoreError: an event differs in the target; names it.
    """
    report = _copy(source, target, bookmark, progress)
    if report.events < source.count():
        # Behind the bookmark came events that are older than those there; or they come all the time.
        report = _copy(source, target, bookmark, progress)
    if report.events != source.count() or target.count() < report.events:
        raise StoreError(
            f"{report.events:,} events were copied, but {source.location} holds {source.count():,} and"
            f" {target.location} {target.count():,}. Somebody writes or deletes events there. Stop the"
            " servers of both, and copy again."
        )
    report.other_facts = {
        key: value
        for key, value in facts_about_the_lab(source).items()
        if remember(target, key, value) != value
    }
    return report


def _copy(source: EventStore, target: EventStore, bookmark: Path, progress: Progress) -> CopyReport:
    report = CopyReport(source.location, target.location)
    digest = 0
    state = _read(bookmark, report)
    after: Place | None = None
    if state is not None:
        after, report.events, digest = tuple(state["after"]), state["events"], int(state["digest"], 16)
        report.there_before = report.events
    whole = source.count()
    for page, place in _pages(source, Query(limit=_AT_ONCE, after=after, sort=OLDEST_FIRST)):
        duplicates = sum(outcome.is_duplicate for outcome in target.append(page))
        report.there_before += duplicates
        report.stored += len(page) - duplicates
        report.events += len(page)
        digest = (digest + _checked(page, target)) % _MODULUS
        progress("events", report.events, whole)
        if place is not None:
            _write(bookmark, report, {"after": place, "events": report.events, "digest": f"{digest:x}"})
    bookmark.unlink(missing_ok=True)
    report.checksum = f"{digest:064x}"
    return report


_MODULUS: Final = 2**256
"""Hashes of events are summed up, so that their order does not count."""


def _pages(store: EventStore, query: Query) -> Iterator[tuple[list[StoredEvent], Place | None]]:
    while True:
        page = store.find(query)
        if page.events:
            yield page.events, page.next_place
        if page.next_place is None:
            return
        query = replace(query, after=page.next_place)


def _checked(events: list[StoredEvent], target: EventStore) -> int:
    """Return the sum of the hashes of the events as the target has them."""
    ids = tuple(event.event_id for event in events)
    pages = _pages(target, Query(In(("_id",), ids), limit=len(ids)))
    kept = {event.event_id: encode_event(event) for page, _ in pages for event in page}
    total = 0
    for event in events:
        text = encode_event(event)
        if kept.get(event.event_id) != text:
            raise StoreError(
                f"The event {event.event_id} is not the same in {target.location}: there it is"
                f" {kept.get(event.event_id, b'missing')[:200]!r}. Copy into a store without events of"
                " others, or delete that event there."
            )
        total += int.from_bytes(hashlib.sha256(text).digest(), "big")
    return total


def _read(bookmark: Path, report: CopyReport) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads(bookmark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return (
        state if [state.get("source"), state.get("target")] == [report.source, report.target] else None
    )


def _write(bookmark: Path, report: CopyReport, state: dict[str, Any]) -> None:
    bookmark.parent.mkdir(parents=True, exist_ok=True)
    beside = bookmark.with_suffix(".new")
    whole = {"source": report.source, "target": report.target, **state}
    beside.write_text(json.dumps(whole), encoding="utf-8")
    beside.replace(bookmark)
