"""What the small tables hold of the life of a lab is the same in whatever order and steps it came."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from madsci.event_manager.analytics.fold import Fold, in_order
from madsci.event_manager.analytics.ledger import Ledger
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing
from madsci.event_manager.analytics.picture import picture
from madsci.event_manager.analytics.runs import Run, State
from madsci.event_manager.analytics.shelves import hour_of
from madsci.event_manager.analytics.signs import minute_of
from madsci.event_manager.analytics.spans import HOUR
from madsci.event_manager.stores.memory import MemoryStore

BEGINNING = 490_000 * HOUR
HOURS = 80
END = BEGINNING + HOURS * HOUR

times = st.integers(0, HOURS * 60).map(lambda minute: BEGINNING + minute * 60_000_000)


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    thing = draw(st.sampled_from([one for one in Thing if one is not Thing.FAULT]))
    phases = [Phase.BEGIN, Phase.END]
    if thing is Thing.NODE:
        phases += [Phase.FAULT, Phase.CLEAR]
    if thing is Thing.EXPERIMENT:
        phases += [Phase.PAUSE, Phase.RESUME]
    if thing is Thing.WORKFLOW:
        phases += [Phase.QUEUED]
    phase = draw(st.sampled_from(phases))
    about = draw(
        st.dictionaries(
            st.sampled_from(["node", "workflow", "experiment", "workcell"]), st.sampled_from("xy")
        )
    )
    outcome = draw(st.sampled_from(Outcome)) if phase is Phase.END else None
    return Mark(draw(times), thing, phase, draw(st.sampled_from("xyz")), about, outcome)


def plain(runs: list[Run]) -> list[bytes]:
    """Return runs in an order that does not depend on where they were kept."""
    return sorted(msgspec.json.encode(one, order="sorted") for one in runs)


def told_at_once(all_marks: list[Mark], signs: dict[int, dict[str, int]]) -> list[Run]:
    """Return what is concluded of marks that are all there, hour by hour."""
    state, runs = State(), []
    hours = sorted({one.at // HOUR for one in all_marks} | {hour - hour_of(0) for hour in signs})
    for hour in hours:
        fold = Fold(state, hour * HOUR, signs.get(hour + hour_of(0), {}))
        for one in in_order(one for one in all_marks if one.at // HOUR == hour):
            fold.take(one)
        state = fold.ended((hour + 1) * HOUR)
        runs += fold.runs
    return [*runs, *state.unfinished()]


def windows(chance: random.Random) -> Iterator[tuple[int, int]]:
    """All of the time, and parts of it that begin and end amid hours or with them."""
    yield BEGINNING, END + HOUR
    for unit in (1, HOUR, HOUR):
        first, last = sorted(chance.sample(range(HOURS * HOUR // unit + 2), 2))
        yield BEGINNING + first * unit, BEGINNING + last * unit


@settings(max_examples=200, deadline=None)
@given(
    st.lists(marks(), max_size=40),
    st.lists(st.tuples(times, st.sampled_from("xy")), max_size=10),
    st.randoms(use_true_random=False),
)
def test_any_order_and_any_steps_tell_the_same_in_any_window(
    given_marks: list[Mark], seen: list[tuple[int, str]], chance: random.Random
) -> None:
    everything: list[object] = [*given_marks, *seen]
    chance.shuffle(everything)
    store = MemoryStore()
    while everything:
        some = [everything.pop() for _ in range(min(len(everything), chance.randint(1, 7)))]
        signs: dict[int, dict[str, int]] = {}
        for one in some:
            if isinstance(one, tuple):
                minutes = signs.setdefault(hour_of(one[0]), {})
                minutes[one[1]] = minutes.get(one[1], 0) | minute_of(one[0])
        ledger = Ledger(store)
        ledger.add([one for one in some if isinstance(one, Mark)], signs, 1, 1)
        store.apply(ledger.changes())
        for _ in range(chance.randint(0, 3)):
            ledger = Ledger(store)
            ledger.fold(BEGINNING + chance.randint(0, HOURS * 60) * 60_000_000)
            store.apply(ledger.changes())
    all_signs: dict[int, dict[str, int]] = {}
    for at, node in seen:
        minutes = all_signs.setdefault(hour_of(at), {})
        minutes[node] = minutes.get(node, 0) | minute_of(at)
    expected = told_at_once(given_marks, all_signs)
    for window in windows(chance):
        found = picture(store, window)
        runs = [run for thing in Thing for run in found.runs(thing)]
        assert plain(runs) == plain([run for run in expected if run.meets(window)])
