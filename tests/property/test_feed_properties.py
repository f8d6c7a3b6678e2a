"""Whatever happens to a store, who follows its feed gets each entry once, and knows what he missed."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.sqlite.store import SqliteStore

IDS = st.sampled_from([f"e{number}" for number in range(12)])
STEPS = st.one_of(
    st.tuples(st.just("append"), st.lists(st.tuples(IDS, st.booleans()), min_size=1, max_size=6)),
    st.tuples(st.just("delete"), st.lists(IDS, min_size=1, max_size=4)),
    st.tuples(st.just("archive"), st.lists(IDS, min_size=1, max_size=4)),
    st.tuples(st.just("follow"), st.integers(1, 5)),
    st.tuples(st.just("note"), st.just(None)),
    st.tuples(st.just("reopen"), st.just(None)),
)


@dataclass
class Model:
    """What the feed should be: ids, with a sign for raised alerts, and which of them are gone."""

    entries: list[str] = field(default_factory=list)
    alerts: dict[str, bool] = field(default_factory=dict)
    """Of the stored events: whether they are alerts."""
    gone: set[int] = field(default_factory=set)
    """Places in the feed."""

    def append(self, batch: list[tuple[str, bool]]) -> None:
        raised = []
        for event_id, alert in batch:
            if event_id not in self.alerts:
                self.entries.append(event_id)
                self.alerts[event_id] = alert
            elif alert and not self.alerts[event_id]:
                raised.append(f"{event_id}!")
                self.alerts[event_id] = True
        self.entries += raised

    def delete(self, ids: list[str]) -> None:
        for event_id in ids:
            self.alerts.pop(event_id, None)
        self.gone |= {place for place, entry in enumerate(self.entries) if entry.rstrip("!") in ids}


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=25))
def test_a_follower_sees_each_entry_once_and_knows_how_many_it_missed(engine, steps):
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "events.db"

        def opened():
            return SqliteStore(path) if engine == "sqlite" else MemoryStore()

        store = stack.enter_context(closing(opened()))
        model, position, read_to = Model(), START, 0
        for what, value in [*steps, ("follow", 3)]:
            if what == "append":
                store.append(
                    [StoredEvent(one, "log", 20, alert, 1, 1, {}, "{}") for one, alert in value]
                )
                model.append(value)
            elif what == "archive":
                store.archive(value, 1)
            elif what == "delete":
                store.archive(value, 1)
                store.delete(value)
                model.delete(value)
            elif what == "note":
                remember(store, "key", "value")
            elif what == "reopen" and engine == "sqlite":
                store.close()
                store = stack.enter_context(closing(opened()))
            elif what == "follow":
                found, missed, position = followed(store, position, value)
                due = range(read_to, len(model.entries))
                expected = [model.entries[one] for one in due if one not in model.gone]
                read_to = len(model.entries)
                assert in_each_order(found) == in_each_order(expected)
                assert missed == len(model.gone & set(due))
                assert position == store.head()


def in_each_order(entries: list[str]) -> tuple[list[str], list[str]]:
    """New events and raised alerts by themselves: how those of one append mix is left open."""
    return [one for one in entries if one[-1] != "!"], [one for one in entries if one[-1] == "!"]


def followed(store, position: Position, limit: int) -> tuple[list[str], int, Position]:
    found: list[str] = []
    missed = 0
    while True:
        part = store.since(Position.parse(str(position)), limit)
        found += [f"{one.event.event_id}{'!' * one.is_raised_alert}" for one in part.entries]
        missed += part.missed
        position = part.next
        if not part.has_more:
            return found, missed, position


@given(st.dictionaries(st.text("0123456789abcz", min_size=1, max_size=12), st.integers(0, 2**63 - 1)))
def test_a_position_is_the_same_after_its_way_as_text(numbers):
    position = Position.of(numbers.items())
    assert Position.parse(str(position)) == position
