"""The life of a small lab as timelines: from runs, or from marks of its first hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from madsci.event_manager.analytics.coded_runs import Columns, columns
from madsci.event_manager.analytics.fold import Fold, in_order
from madsci.event_manager.analytics.known import KnownSession, learned, nodes_in, scope_of
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing
from madsci.event_manager.analytics.picture import Picture
from madsci.event_manager.analytics.runs import Run, State
from madsci.event_manager.analytics.spans import HOUR, Span
from madsci.event_manager.analytics.timelines import Timelines

COMPLETED, FAILED, CANCELLED = Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELLED


def lived(
    runs: Iterable[Run] = (), window: Span = (0, 100), known_until: int | None = None
) -> Timelines:
    """Timelines of runs."""
    runs = list(runs)
    parts: dict[Thing, list[Columns]] = {}
    for part in columns(runs):
        parts.setdefault(part.thing, []).append(part)
    nodes = nodes_in(learned(None, told_by(runs)))
    sessions = {
        run.id: KnownSession(run.begin, scope_of(run.id, run.about))
        for run in runs
        if run.thing is Thing.SESSION and run.begin is not None
    }
    return Timelines(Picture(window, parts, None, known_until, nodes, sessions))


def told_by(runs: Iterable[Run]) -> Iterator[Mark]:
    """The marks that tell of nodes, of their runs and those of their actions."""
    things = {Thing.NODE: Thing.NODE, Thing.FAULT: Thing.NODE, Thing.ACTION: Thing.ACTION}
    for run in runs:
        if run.thing in things:
            phase = Phase.FAULT if run.thing is Thing.FAULT else Phase.BEGIN
            at = next(at for at in (run.begin, run.end, 0) if at is not None)
            yield Mark(at, things[run.thing], phase, run.id, run.about)


def told(
    marks: Iterable[Mark], window: Span = (0, 100), seen: dict[str, int] | None = None
) -> Timelines:
    """Timelines of what marks of the first hour tell."""
    fold = Fold(State(), 0, seen or {})
    for one in in_order(marks):
        fold.take(one)
    state = fold.ended(HOUR)
    return lived([*fold.runs, *state.unfinished()], window)


def mark(
    at: int, thing: Thing, phase: Phase, id_: str, outcome: Outcome | None = None, **about: str
) -> Mark:
    return Mark(at, thing, phase, id_, about, outcome)


def action(
    begin: int | None,
    end: int | None,
    node: str = "n",
    outcome: Outcome | None = COMPLETED,
    **about: str,
) -> Run:
    """An action that ran on a node; without an outcome where it has no end."""
    told_outcome = outcome if end is not None else None
    return Run(
        Thing.ACTION, f"a{begin}-{end}", begin, end, outcome=told_outcome, about={"node": node, **about}
    )


def session(begin: int, end: int | None, kind: str = "lab", **about: str) -> Run:
    return Run(Thing.SESSION, f"s{begin}", begin, end, about={"kind": kind, **about})


def up(begin: int, end: int | None, node: str = "n", **about: str) -> Run:
    """A node that was started, and stopped in order."""
    last = begin if end is None else None
    return Run(Thing.NODE, node, begin, end, last=last, about={"node": node, **about})


def crashed(begin: int, last: int, before: int, node: str = "n") -> Run:
    return Run(Thing.NODE, node, begin, None, before=before, last=last, about={"node": node})


def fault(begin: int, end: int | None, node: str = "n", **about: str) -> Run:
    return Run(Thing.FAULT, node, begin, end, about={"node": node, **about})


def workflow(
    begin: int | None,
    end: int | None,
    id_: str = "w",
    outcome: Outcome | None = COMPLETED,
    **about: str,
) -> Run:
    return Run(Thing.WORKFLOW, id_, begin, end, outcome=outcome, about=dict(about))
