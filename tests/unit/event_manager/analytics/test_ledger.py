"""What is kept of the life of a lab stays small, step by step and over the years."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import msgspec
import pytest

from madsci.common.errors import StoreUnavailableError
from madsci.event_manager.analytics.fold import Fold, in_order
from madsci.event_manager.analytics.ledger import Ledger
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing
from madsci.event_manager.analytics.picture import picture
from madsci.event_manager.analytics.runs import State
from madsci.event_manager.analytics.shelves import STATES
from madsci.event_manager.analytics.spans import HOUR
from madsci.event_manager.model.tables import Change, check_size
from madsci.event_manager.stores.memory import MemoryStore

BEGINNING = 490_000 * HOUR


def actions(number: int, begin: int, apart: int, id_: str = "a") -> list[Mark]:
    """Actions one after the other on a node, each half as long as from one to the next."""
    found = []
    for place in range(number):
        at, name = begin + place * apart, f"{id_}{place}"
        about = {"node": "n", "workflow": f"{id_}w{place // 10}"}
        found.append(Mark(at, Thing.ACTION, Phase.BEGIN, name, about))
        found.append(Mark(at + apart // 2, Thing.ACTION, Phase.END, name, about, Outcome.COMPLETED))
    return found


def keep(store: MemoryStore, marks: list[Mark]) -> None:
    ledger = Ledger(store)
    ledger.add(marks, {}, 1, 1)
    changes = ledger.changes()
    check_size(changes)
    store.apply(changes)


def fold(store: MemoryStore, until: int) -> int:
    """Fold everything; return how many steps that took."""
    for step in range(1, 10_000):
        ledger = Ledger(store)
        has_more = ledger.fold(until)
        changes = ledger.changes()
        check_size(changes)
        store.apply(changes)
        if not has_more:
            return step
    raise AssertionError("It never comes to an end.")


def test_an_hour_with_much_in_it_is_folded_in_parts():
    marks = actions(6_000, BEGINNING, HOUR // 6_001)
    store, chance = MemoryStore(), random.Random(1)
    for first in range(0, len(marks), 1_000):  # as they come: some before others that were earlier
        some = marks[first : first + 1_000]
        keep(store, chance.sample(some, len(some)))
    assert fold(store, BEGINNING + HOUR) > 1
    once = Fold(State(), BEGINNING, {})
    for mark in in_order(marks):
        once.take(mark)
    once.ended(BEGINNING + HOUR)
    found = picture(store, (BEGINNING, BEGINNING + HOUR)).runs(Thing.ACTION)
    key = msgspec.json.Encoder(order="sorted").encode
    assert sorted(map(key, found)) == sorted(map(key, once.runs))


@pytest.mark.parametrize("text", ["\x01" * 200, "\U0001f916" * 200, '"' * 200])
def test_steps_stay_small_whatever_things_are_called(text):
    store = MemoryStore()
    marks = [
        Mark(BEGINNING + place, Thing.ACTION, phase, f"{place}{text}"[:200],
             {"node": text, "user": f"{place % 50}{text}"[:200]})
        for place in range(3_000) for phase in (Phase.BEGIN, Phase.END)
    ]  # fmt: skip
    for first in range(0, len(marks), 500):
        keep(store, marks[first : first + 500])
    fold(store, BEGINNING + HOUR)
    found = picture(store, (BEGINNING, BEGINNING + HOUR))
    assert sum(1 for _ in found.runs(Thing.ACTION)) == 3_000


def test_of_years_few_states_are_kept():
    store = MemoryStore()
    days = 120
    for day in range(0, days, 20):
        keep(store, actions(20 * 6, BEGINNING + day * 24 * HOUR, 4 * HOUR, f"{day}/"))
        fold(store, BEGINNING + (day + 20) * 24 * HOUR)
    states = store.scan(STATES, "at/", None, 10_000)
    assert len(states) < 48 + 60 + days // 32 + 5 < 6 * days


def test_what_comes_a_year_late_is_told_as_if_it_had_come_in_time():
    day = 24 * HOUR
    marks = actions(370, BEGINNING, day)
    late = Mark(BEGINNING + 5 * day + 1, Thing.NODE, Phase.BEGIN, "n", {"node": "n"})
    in_time, too_late = MemoryStore(), MemoryStore()
    keep(in_time, [*marks, late])
    fold(in_time, BEGINNING + 371 * day)
    keep(too_late, marks)
    fold(too_late, BEGINNING + 371 * day)
    keep(too_late, [late])
    fold(too_late, BEGINNING + 371 * day)
    window = BEGINNING, BEGINNING + 371 * day
    key = msgspec.json.Encoder(order="sorted").encode
    one, other = (picture(each, window) for each in (in_time, too_late))
    for thing in Thing:
        assert sorted(map(key, one.runs(thing))) == sorted(map(key, other.runs(thing)))


def test_a_picture_amid_a_step_is_that_of_before_or_after_it_or_is_not_given():
    """Databases without transactions make the changes of a step one after the other."""
    begin = BEGINNING + 10
    marks = actions(40, begin, HOUR // 10)
    made: list[list[Change]] = []
    seen = {"before": picture_of(made)}

    def step(do: Callable[[Ledger], object]) -> None:
        ledger = Ledger(store_of(made))
        do(ledger)
        changes = ledger.changes()
        before, after = picture_of(made), picture_of([*made, changes])
        for length in range(len(changes) + 1):
            with contextlib.suppress(StoreUnavailableError):
                assert picture_of([*made, changes[:length]]) in (before, after)
        made.append(changes)
        seen["after"] = after

    for mark in marks[:60]:
        if mark is not marks[13]:
            step(lambda ledger, mark=mark: ledger.add([mark], {}, 1, 1))
    step(lambda ledger: ledger.fold(begin + HOUR // 2))
    step(lambda ledger: ledger.fold(begin + 2 * HOUR))
    step(lambda ledger: ledger.add([marks[13]], {}, 2, 2))  # late
    for hour in range(1, 5):
        step(lambda ledger, hour=hour: ledger.fold(begin + hour * HOUR))
    assert seen["after"] != seen["before"]


def store_of(steps: list[list[Change]]) -> MemoryStore:
    store = MemoryStore()
    for changes in steps:
        store.apply(changes)
    return store


def picture_of(steps: list[list[Change]]) -> list[str]:
    """What was under way, as text."""
    found = picture(store_of(steps), (BEGINNING, BEGINNING + 100 * HOUR))
    return sorted(repr(run) for run in found.runs(Thing.ACTION))
