"""Experiments: they come as people think of them, and run workflows one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from madsci.common.types.event_type import EventType
from madsci.demo.course import Flow, Places, Process, Signal, StoppedError, Wait
from madsci.demo.happening import INFO, WARNING
from madsci.demo.shifts import MINUTE
from madsci.demo.truth import ExperimentTruth, Outcome, Span
from madsci.demo.workflows import Bench, WorkflowRun

_WORKFLOWS: Final = (2, 6)
"""The fewest and the most workflows of an experiment."""
_AT_ONCE: Final = 5
"""Experiments under way in a workcell; further ones are not begun."""
_LAST_CALL: Final = 75 * MINUTE
"""How long before the closing the last one begins, in microseconds."""
_PAUSED: Final = 0.05
_CANCELLED: Final = 0.015
"""Shares of the workflows before which the experiment is paused, or cancelled."""
_GIVEN_UP: Final = 0.25
"""Share of the failed workflows after which the experiment has failed."""
_PAUSE: Final = timedelta(minutes=18)
_ENDS: Final[dict[Outcome, EventType]] = {
    "completed": EventType.EXPERIMENT_COMPLETE,
    "failed": EventType.EXPERIMENT_FAILED,
    "cancelled": EventType.EXPERIMENT_CANCELLED,
}


def arrivals(bench: Bench, closing: Signal, begun: Callable[[Process], None]) -> Flow[None]:
    """Begin experiments until shortly before the closing; ``begun`` gets each.

    ``closing`` is given at the closing.
    """
    floor = bench.floor
    places = Places(floor.course, _AT_ONCE)
    every = timedelta(hours=sum(_WORKFLOWS) / 2 / floor.plan.workflows_per_hour)
    yield floor.between(2, 120)
    while floor.now < floor.shift.closing - _LAST_CALL:
        yield from places.take()
        begun(floor.course.begin(_in_place(places, ExperimentRun(bench, closing))))
        yield Wait(floor.after(every))


def _in_place(places: Places, experiment: ExperimentRun) -> Flow[None]:
    try:
        yield from experiment.run()
    finally:
        places.give_back()


class ExperimentRun:
    """An experiment from its beginning to its end."""

    def __init__(self, bench: Bench, closing: Signal) -> None:
        floor = bench.floor
        self._bench = bench
        self._floor = floor
        self._closing = closing
        campaign = floor.random.choice(floor.lab.campaigns)
        self._recipe = floor.random.choice(floor.workcell.recipes)
        self._name = f"{campaign.name}_{self._recipe.name}"
        self._source = {
            "experiment_id": floor.new_id(),
            "campaign_id": campaign.id,
            "user_id": floor.random.choice(floor.lab.users).id,
        }
        self._begin = 0
        self._paused: list[Span] = []
        self._paused_since: int | None = None

    def run(self) -> Flow[None]:
        """Do all of it."""
        self._begin = self._floor.now
        self._tell(EventType.EXPERIMENT_START, "began")
        try:
            yield self._floor.between(1, 40)
            outcome = yield from self._do_workflows()
            yield self._floor.between(0.2, 20)
        except StoppedError:
            yield self._floor.moment()
            self._end("cancelled")
            raise
        self._end(outcome)

    def _do_workflows(self) -> Flow[Outcome]:
        random = self._floor.random
        for _ in range(random.randint(*_WORKFLOWS)):
            if random.random() < _PAUSED:
                yield from self._pause()
            if self._floor.is_closing or random.random() < _CANCELLED:
                return "cancelled"
            outcome = yield from WorkflowRun(self._bench, self._recipe, self._source).run()
            if outcome == "failed" and random.random() < _GIVEN_UP:
                return "failed"
            yield self._floor.between(5, 240)
        return "completed"

    def _pause(self) -> Flow[None]:
        """Wait for somebody to look at something; when the session closes, it stays paused."""
        self._paused_since = self._floor.now
        self._tell(EventType.EXPERIMENT_PAUSE, "was paused", WARNING)
        is_closing = yield Wait(self._floor.after(_PAUSE), self._closing)
        if not is_closing:
            self._end_pause()
            self._tell(EventType.EXPERIMENT_CONTINUED, "goes on")

    def _end_pause(self) -> None:
        if self._paused_since is not None:
            self._paused.append((self._paused_since, self._floor.now))
        self._paused_since = None

    def _end(self, outcome: Outcome) -> None:
        self._end_pause()
        self._tell(_ENDS[outcome], outcome, INFO if outcome == "completed" else WARNING)
        self._floor.chronicle.experiments.append(
            ExperimentTruth(
                id=self._source["experiment_id"],
                name=self._name,
                campaign=self._source["campaign_id"],
                user=self._source["user_id"],
                begin=self._begin,
                end=self._floor.now,
                outcome=outcome,
                paused=tuple(self._paused),
            )
        )

    def _tell(self, event_type: EventType, what: str, level: int = INFO) -> None:
        data = {"experiment_name": self._name, "message": f"Experiment {self._name}: {what}"}
        self._floor.tell(event_type, self._source, data, level)
