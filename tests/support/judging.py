"""Whether what was concluded of a simulated lab agrees with its ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from madsci.demo.disturbances import Delivery, Disturbed, disturb
from madsci.demo.lab import LabPlan
from madsci.demo.life import simulate
from madsci.demo.truth import Truth
from madsci.event_manager.analytics.follower import UtilizationFollower
from madsci.event_manager.analytics.intervals import Intervals
from madsci.event_manager.analytics.picture import picture
from madsci.event_manager.analytics.timelines import Timelines, Times
from madsci.event_manager.feed.course import Course
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.sqlite.store import SqliteStore

LATER = timedelta(days=3) // timedelta(microseconds=1)
"""After the last event: all that comes late has come."""


@dataclass(frozen=True)
class Case:
    """A simulated lab, what was concluded of it, and what is true."""

    truth: Truth
    lines: Timelines
    without_end: frozenset[str]


def concluded(folder: Path, plan: LabPlan, **shares: float) -> Case:
    """Return what an event file holds of a lab whose events came as ``disturb`` has them."""
    life = simulate(plan)
    disturbed = disturb(life, plan.seed, **shares)
    store = SqliteStore(folder / "events.db", integrity_seconds=0)
    try:
        follow(store, disturbed)
        lines = Timelines(picture(store, life.truth.window))
    finally:
        store.close()
    return Case(life.truth, lines, frozenset(disturbed.without_end))


def follow(store: EventStore, disturbed: Disturbed) -> None:
    """Keep all deliveries in their order, and have them followed as if no time had passed since."""
    deliveries = disturbed.deliveries
    for begin in range(0, len(deliveries), 5_000):
        some = deliveries[begin : begin + 5_000]
        store.append([stored(begin + number, one) for number, one in enumerate(some)])
    now = deliveries[-1].arrives + LATER
    course = Course(UtilizationFollower(), store, clock=lambda: now)
    for _ in range(len(deliveries)):
        course.advance()
        assert course.failure is None
        if not course.lag and (course.rest() or 0) > 0:
            return
    raise AssertionError("The follower never comes to an end.")


def stored(number: int, delivery: Delivery) -> StoredEvent:
    """Return a delivery as the event that is kept."""
    happening = delivery.happening
    return StoredEvent(
        f"{number:09d}", happening.event_type.value, happening.level, False, happening.at,
        delivery.arrives, dict(happening.source), encode_json(happening.data),
    )  # fmt: skip


def contradictions(case: Case) -> list[str]:
    """Return a sentence for each thing that is not so."""
    return [*_of_nodes(case), *_of_experiments(case), *_of_workflows(case), *_of_sessions(case)]


def _of_nodes(case: Case) -> Iterator[str]:
    for node in case.truth.nodes:
        found = case.lines.nodes[node.id]
        yield from _compared(f"busy {node.name}", Intervals.of(node.busy), found.busy)
        yield from _compared(f"up {node.name}", Intervals.of(node.up), found.up)
        if found.faults != Intervals.of(node.faults):
            yield f"faults of {node.name}: {found.faults} are {node.faults}"


def _of_experiments(case: Case) -> Iterator[str]:
    true = {one.id: one for one in case.truth.experiments}
    if {one.id for one in case.lines.experiments} != set(true):
        yield "There are other experiments."
    for one in case.lines.experiments:
        meant = true[one.id]
        times = Intervals.of([(meant.begin, meant.end)]) - Intervals.of(meant.paused)
        yield from _compared(f"experiment {one.id}", times, one.times)


def _of_workflows(case: Case) -> Iterator[str]:
    true = {one.id: one for one in case.truth.workflows if one.begin is not None}
    found = {run.id: run for run in case.lines.workflows if run.begin is not None}
    if set(found) != set(true):
        yield "There are other workflows."
    for id_, run in found.items():
        meant = true[id_]
        if run.begin != meant.begin:
            yield f"The workflow {id_} began at {run.begin}, not {meant.begin}"
        is_told = id_ not in case.without_end
        if is_told and (run.end, run.outcome) != (meant.end, meant.outcome):
            yield f"The workflow {id_} ended at {run.end} as {run.outcome}, not {meant}"


def _of_sessions(case: Case) -> Iterator[str]:
    true = sorted((one.begin, one.end, one.id) for one in case.truth.sessions)
    found = sorted((*one.span, one.id) for one in case.lines.sessions)
    if true != found:
        yield f"Sessions were {true}, not {found}"


def _compared(what: str, true: Intervals, told: Times) -> Iterator[str]:
    too_much, too_little = told.known - true, true - told.known - told.unknown
    if too_much:
        yield f"{what}: {too_much.total} us are told that were not, from {too_much.spans[0]} on"
    if too_little:
        yield f"{what}: {too_little.total} us are not told, from {too_little.spans[0]} on"
