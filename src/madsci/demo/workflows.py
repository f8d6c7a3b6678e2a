"""Workflows: queued, begun when the workcell has a place, then step after step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from madsci.common.types.event_type import EventType
from madsci.demo.course import Flow, Places, StoppedError
from madsci.demo.floor import Floor
from madsci.demo.happening import INFO, WARNING
from madsci.demo.lab import Recipe
from madsci.demo.node_life import NodeLife
from madsci.demo.steps import Belonging, StepRun
from madsci.demo.truth import Outcome, WorkflowTruth

_ABORTED: Final = 0.004
"""Share of the steps before which somebody aborts the workflow."""


@dataclass(frozen=True)
class Bench:
    """What workflows of a workcell share: its nodes by their ids, and places for those that run."""

    floor: Floor
    nodes: dict[str, NodeLife]
    places: Places


class WorkflowRun:
    """A workflow from its order to its end."""

    def __init__(self, bench: Bench, recipe: Recipe, experiment: dict[str, str]) -> None:
        floor = bench.floor
        self._bench = bench
        self._floor = floor
        self._recipe = recipe
        self._id = floor.new_id()
        self._whose = Belonging(
            workflow=self._id,
            experiment=experiment["experiment_id"],
            campaign=experiment["campaign_id"],
            user=experiment["user_id"],
            workcell=floor.workcell.id,
        )
        self._queued = floor.now
        self._begin: int | None = None

    def run(self) -> Flow[Outcome]:
        """Do all of it; return how it ended."""
        self._tell(EventType.WORKFLOW_CREATE, "was queued")
        try:
            yield from self._bench.places.take()
            try:
                outcome = yield from self._do_steps()
            finally:
                self._bench.places.give_back()
        except StoppedError:
            yield self._floor.moment()
            self._end("cancelled")
            raise
        self._end(outcome)
        return outcome

    def _do_steps(self) -> Flow[Outcome]:
        yield self._floor.moment()
        self._begin = self._floor.now
        self._tell(EventType.WORKFLOW_START, "began")
        for planned in self._recipe.steps:
            yield self._floor.moment()
            if self._floor.random.random() < _ABORTED:
                return "cancelled"
            node = self._bench.nodes[planned.node.id]
            is_done = yield from StepRun(self._floor, node, planned, self._whose).run()
            if not is_done:
                yield self._floor.moment()
                return "failed"
        yield self._floor.moment()
        return "completed"

    def _end(self, outcome: Outcome) -> None:
        if outcome == "cancelled":
            self._tell(EventType.WORKFLOW_ABORT, "was aborted", WARNING)
        else:
            level = INFO if outcome == "completed" else WARNING
            self._tell(EventType.WORKFLOW_COMPLETE, outcome, level, status=outcome)
        self._floor.chronicle.workflows.append(
            WorkflowTruth(
                id=self._id,
                name=self._recipe.name,
                author=self._recipe.author,
                user=self._whose.user,
                experiment=self._whose.experiment,
                workcell=self._whose.workcell,
                queued=self._queued,
                begin=self._begin,
                end=self._floor.now,
                outcome=outcome,
            )
        )

    def _tell(self, event_type: EventType, what: str, level: int = INFO, **more: Any) -> None:
        data = {
            "workflow_id": self._id,
            "name": self._recipe.name,
            "author": self._recipe.author,
            "message": f"Workflow {self._recipe.name}: {what}",
            **more,
        }
        self._floor.tell(event_type, self._whose.source, data, level)
