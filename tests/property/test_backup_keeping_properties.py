"""Whatever backups there are: which of them go when another one was made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from madsci.event_manager.backup.keeping import (
    LATER_DAYS,
    SAFETY,
    SAFETY_COUNT,
    SAFETY_DAYS,
    Keeping,
    has_shrunk,
    in_order,
    to_go,
)
from madsci.event_manager.backup.layout import Backup, Origin

START = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
REGULAR = (Origin.REQUEST, Origin.SCHEDULE)


def backup(number: int, moment: datetime, origin: Origin, events: int, *, shrank: bool) -> Backup:
    metadata = {"number": number, "origin": origin.value, "events": events, "shrank": shrank}
    return Backup(Path(str(number)), moment, 1, True, None, metadata)


keepings = st.builds(
    Keeping, st.integers(1, 4), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)
)
hours = st.one_of(st.integers(0, 40), st.integers(-200, 2000), st.sampled_from([87_840, -87_840]))


@st.composite
def histories(draw) -> list[Backup]:
    """Backups in the order in which they were made; the clock may be set in between."""
    made: list[Backup] = []
    moment = START
    for number in range(1, draw(st.integers(1, 40)) + 1):
        moment += timedelta(hours=draw(hours))
        events = draw(st.sampled_from([0, 10, 1000, 1001]))
        origin = draw(st.sampled_from([*REGULAR, *REGULAR, *SAFETY]))
        made.append(backup(number, moment, origin, events, shrank=has_shrunk(events, made)))
    return made


def numbers(backups: Iterable[Backup]) -> set[int]:
    return {one.number for one in backups}


def left(made: list[Backup], keeping: Keeping, now: datetime | None = None) -> list[Backup]:
    gone = numbers(to_go(made, now or made[-1].created_at, keeping))
    return [one for one in made if one.number not in gone]


def days(backups: Iterable[Backup]) -> set:
    return {one.created_at.date() for one in backups}


@given(histories(), keepings)
def test_the_last_of_each_kind_are_kept(made, keeping):
    kept = numbers(left(made, keeping))
    for origin in REGULAR:
        good = [one for one in made if one.origin is origin and not one.shrank]
        assert numbers(good[-keeping.max_count :]) <= kept


@given(histories(), keepings)
def test_the_last_good_one_of_each_of_the_last_days_is_kept(made, keeping):
    kept = numbers(left(made, keeping))
    last = {one.created_at.date(): one for one in made if one.origin in REGULAR and not one.shrank}
    latest = (
        sorted(last.values(), key=lambda one: one.number)[-keeping.daily :] if keeping.daily else []
    )
    assert numbers(latest) <= kept


@given(histories(), keepings)
def test_their_number_has_a_bound(made, keeping):
    kept = left(made, keeping)
    for has_shrunk_ in (False, True):
        group = [one for one in kept if one.origin in REGULAR and one.shrank is has_shrunk_]
        bound = 2 * keeping.max_count + keeping.daily + keeping.weekly + keeping.monthly
        assert len(group) <= bound
    for origin in SAFETY:
        of_kind = [one for one in kept if one.origin is origin]
        assert len(of_kind) <= len(days(of_kind)) + SAFETY_COUNT


@given(histories(), keepings, st.integers(1, 60), st.sampled_from(REGULAR))
def test_any_number_on_one_day_pushes_out_none_of_another_day_and_none_of_the_other_kind(
    made, keeping, number, origin
):
    """As long as the rules keep the last of a few days."""
    keeping = Keeping(keeping.max_count, keeping.daily + 2, keeping.weekly, keeping.monthly)
    today = made[-1].created_at
    before = left(made, keeping)
    flood = [backup(100 + n, today, origin, 1000, shrank=False) for n in range(number)]
    after = numbers(left(made + flood, keeping, today))
    good = [one for one in before if one.origin in REGULAR and not one.shrank]
    other_days = {one.created_at.date(): one for one in good if one.created_at.date() != today.date()}
    latest = sorted(other_days.values(), key=lambda one: one.number)[-(keeping.daily - 1) :]
    assert numbers(latest) <= after
    other_kind = [one for one in good if one.origin is not origin][-keeping.max_count :]
    assert numbers(other_kind) <= after


@given(histories(), keepings, st.integers(1, 60))
def test_what_shrank_pushes_out_nothing_that_did_not(made, keeping, number):
    today = made[-1].created_at
    before = numbers(one for one in left(made, keeping) if not one.shrank)
    small = [backup(100 + n, today, Origin.REQUEST, 0, shrank=True) for n in range(number)]
    assert before <= numbers(left(made + small, keeping, today)) | numbers(
        one for one in made if one.origin in SAFETY
    )


@given(histories(), keepings, st.sampled_from([-3660, 1, 3660]))
def test_a_clock_that_is_set_makes_no_other_ones_go(made, keeping, step):
    ahead = made[-1].created_at + timedelta(days=step)
    known = left(made, keeping)
    new = [backup(100 + n, ahead, Origin.SCHEDULE, 1000, shrank=False) for n in range(2)]
    kept = numbers(left(known + new, keeping, ahead))
    assert numbers(new[-keeping.max_count :]) <= kept  # not taken for older ones
    requested = [one for one in known if one.origin is Origin.REQUEST and not one.shrank]
    assert numbers(requested[-keeping.max_count :]) <= kept
    for origin in SAFETY:
        of_kind = [one for one in known if one.origin is origin]
        recent = [one for one in of_kind if len(days(made[made.index(one) + 1 :])) < LATER_DAYS - 1]
        assert numbers(recent[-SAFETY_COUNT:]) <= kept


@given(histories(), keepings)
def test_what_is_kept_is_kept_when_asked_again(made, keeping):
    kept = left(made, keeping)
    young = [one for one in kept if one.origin not in SAFETY]
    assert to_go(young, made[-1].created_at, keeping) == []


@settings(max_examples=50)
@given(st.integers(1, 20))
def test_safety_backups_go_when_they_are_old_and_others_were_made_since(number):
    made = [backup(n, START + timedelta(minutes=n), Origin.PRE_PURGE, 10, shrank=False)
            for n in range(1, number + 1)]  # fmt: skip
    old = START + timedelta(days=SAFETY_DAYS + 1)
    assert numbers(left(made, Keeping(), START + timedelta(days=SAFETY_DAYS - 1))) == {
        1, *range(max(1, number - SAFETY_COUNT + 1), number + 1),
    }  # fmt: skip
    later = [backup(100 + n, old + timedelta(days=n), Origin.REQUEST, 10, shrank=False)
             for n in range(LATER_DAYS)]  # fmt: skip
    assert left(made + later, Keeping(), old + timedelta(days=LATER_DAYS)) == later
    assert numbers(made) & numbers(left(made + later[:-1], Keeping(), old)) != set()


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_store_shrank_that_holds_less_than_half(before, now):
    one = backup(1, START, Origin.REQUEST, before, shrank=False)
    assert has_shrunk(now, [one]) == (2 * now < before)
    assert not has_shrunk(now, [])


def test_after_a_week_of_such_backups_the_store_is_as_small_as_it_is():
    made = [backup(1, START, Origin.SCHEDULE, 1000, shrank=False)]
    for day in range(1, 12):
        moment = START + timedelta(days=day)
        made.append(backup(day + 1, moment, Origin.SCHEDULE, 100, shrank=has_shrunk(100, made)))
    assert [one.shrank for one in made] == [False, *[True] * LATER_DAYS, *[False] * 4]


@given(histories())
def test_the_order_is_that_in_which_they_were_made(made):
    assert in_order(made) == made[::-1]
