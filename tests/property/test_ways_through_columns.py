"""What is made of whole columns is what is made of each action by itself."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from madsci.event_manager.analytics.coded_runs import columns, decode_columns, encode_columns
from madsci.event_manager.analytics.marks import Outcome, Thing
from madsci.event_manager.analytics.metrics.attribution import Owner, node_attribution
from madsci.event_manager.analytics.metrics.counting import HOUR
from madsci.event_manager.analytics.metrics.flow import throughput, workflow_figures
from madsci.event_manager.analytics.metrics.waiting import waits_of
from madsci.event_manager.analytics.runs import Run
from support.lab_life import lived, workflow

instants = st.integers(0, 40)
windows = st.tuples(instants, instants).map(sorted).map(tuple)
abouts = st.dictionaries(
    st.sampled_from(["node", "workflow", "experiment", "user", "name", "author", "kind", "campaign"]),
    st.sampled_from(["x", "y", "z"]),
)


@st.composite
def runs(draw):
    thing = draw(st.sampled_from(Thing))
    begin, last, end = sorted(draw(st.tuples(instants, instants, instants)))
    is_whole = draw(st.booleans())
    return Run(
        thing, draw(st.text(max_size=3)), begin if is_whole else draw(st.sampled_from([begin, None])),
        end if is_whole else None, None if is_whole else draw(st.sampled_from([end, None])),
        None if is_whole else last, draw(st.sampled_from([None, begin])),
        draw(st.sampled_from([None, *Outcome])), draw(st.sampled_from([None, 1.5])),
        draw(st.sampled_from([[], [(begin, last)]])), draw(abouts),
    )  # fmt: skip


@given(st.lists(runs(), max_size=30))
def test_runs_are_the_same_after_they_were_columns(some):
    made = [decode_columns(encode_columns(one)) for one in columns(some)]
    again = [run for part in made for run in part.runs()]
    assert sorted(map(plain, again)) == sorted(map(plain, some))
    for thing in (Thing.NODE, Thing.FAULT):
        assert [one for one in again if one.thing is thing] == [
            one for one in some if one.thing is thing
        ]


@given(
    st.lists(runs(), max_size=30).map(lambda some: [one for one in some if one.thing is Thing.ACTION])
)
def test_no_text_of_columns_makes_a_large_document(some):
    hard = [
        Run(Thing.ACTION, "\0" * 200, one.begin, one.end, paused=[(0, 10**17)] * 500,
            about={name: f"{at}-{name}".ljust(200, "\1") for name in ("node", "user", "name", "kind")})
        for at, one in enumerate(some * 100)
    ]  # fmt: skip
    assert all(len(encode_columns(one)) < 1_000_000 for one in columns(hard))


def plain(run):
    return msgspec.json.encode(run, order="sorted")


works = st.lists(
    st.tuples(instants, st.integers(0, 9), st.sampled_from(["ann", "bob", "eve"])), max_size=12
)


@given(works, windows)
def test_each_instant_is_that_of_what_began_first(some, window):
    actions = [
        Run(Thing.ACTION, str(at), begin, begin + length, about={"node": "n", "user": user})
        for at, (begin, length, user) in enumerate(some)
    ]
    owned = Counter()
    for instant in range(*window):
        on = sorted((b, b + length, user) for b, length, user in some if b <= instant < b + length)
        owned.update([on[0][2]] if on else [])
    found = node_attribution(lived(actions, window))
    assert {owner: time for one in found.values() for owner, time in one.owned.items()} == {
        Owner(user): time for user, time in owned.items()
    }


@given(works, windows)
def test_the_wait_of_a_workflow_is_what_no_action_took(some, span):
    actions = [
        Run(Thing.ACTION, str(at), begin, begin + length, about={"workflow": "w"})
        for at, (begin, length, _) in enumerate(some)
    ]
    every, *_ = workflow_figures(lived([workflow(*span), *actions], (0, 100)))
    taken = {instant for b, length, _ in some for instant in range(b, b + length)}
    meeting = [one for one in some if one[0] <= span[1] and one[0] + one[1] >= span[0]]
    assert every.waits == ([len(set(range(*span)) - taken)] if meeting and span[1] > 0 else [])


flows = st.lists(
    st.tuples(st.sampled_from(["v", "w"]), instants, st.integers(0, 20), st.booleans()), max_size=6
)


@given(works, flows)
def test_so_are_those_of_several_workflows_and_of_several_runs_of_one(some, flows):
    """Whatever belongs to one of them says nothing of another, however close they lie."""
    actions = [
        Run(Thing.ACTION, str(at), begin, begin + length if who != "eve" else None,
            about={"workflow": "w" if who == "ann" else "v"})
        for at, (begin, length, who) in enumerate(some)
    ]  # fmt: skip
    ended = [
        workflow(begin if is_begun else None, begin + length, id_)
        for id_, begin, length, is_begun in flows
    ]
    found = waits_of(lived(actions, (10, 100)), ended)
    for run, wait in zip(ended, found, strict=True):
        mine = [one for one in actions if one.about["workflow"] == run.id]
        assert wait == wait_of(run, mine, 10), run


def test_workflows_of_all_times_have_their_waits():
    """Whose times one after the other are more than numbers of 64 bits can tell."""
    centuries = 3_000 * 365 * 24 * HOUR
    ended = [workflow(at, at + centuries + at, f"w{at}") for at in range(100)]
    actions = [
        Run(Thing.ACTION, f"a{at}", at + 5, at + 8, about={"workflow": f"w{at}"})
        for at in range(0, 100, 2)
    ]
    found = waits_of(lived(actions, (0, 2 * centuries)), ended)
    assert found == [centuries + at - 3 if at % 2 == 0 else None for at in range(100)]


def wait_of(run, actions, first):
    """The wait of a workflow, instant by instant."""
    if run.begin is None or run.begin < first:
        return None
    if any(one.end is None and run.begin <= one.begin <= run.end for one in actions):
        return None
    whole = [one for one in actions if one.end is not None]
    if not any(one.begin <= run.end and one.end >= run.begin for one in whole):
        return None
    taken = {instant for one in whole for instant in range(one.begin, one.end)}
    return len(set(range(run.begin, run.end)) - taken)


@given(st.lists(st.integers(0, 5 * HOUR), max_size=30).map(sorted))
def test_the_best_hour_is_the_first_with_the_most(ends):
    of = throughput(ends, 1)
    counts = [sum(end - HOUR < one <= end for one in ends[: at + 1]) for at, end in enumerate(ends)]
    assert of.best == max(counts, default=0)
    assert of.best_begins == (ends[counts.index(of.best)] - HOUR if ends else None)
