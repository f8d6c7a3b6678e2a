"""Steps of workflows, each of which is one action on one node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from madsci.common.types.event_type import EventType
from madsci.demo.course import Flow, StoppedError, Wait
from madsci.demo.floor import Floor
from madsci.demo.happening import INFO, WARNING
from madsci.demo.lab import RecipeStep
from madsci.demo.node_life import NodeLife, State
from madsci.demo.truth import ActionTruth, Outcome, StepTruth

_ACTION_ENDS: Final[dict[Outcome, EventType]] = {
    "completed": EventType.ACTION_COMPLETE,
    "failed": EventType.ACTION_FAILED,
}
_STEP_ENDS: Final[dict[Outcome, EventType]] = {
    "completed": EventType.WORKFLOW_STEP_COMPLETE,
    "failed": EventType.WORKFLOW_STEP_FAILED,
}


@dataclass(frozen=True)
class Belonging:
    """The ids of what a step and its action are part of."""

    workflow: str
    experiment: str
    campaign: str
    user: str
    workcell: str

    @property
    def source(self) -> dict[str, str]:
        """The same as the source of an event."""
        return {f"{name}_id": value for name, value in vars(self).items()}


class StepRun:
    """A step from its turn in the workflow to its end."""

    def __init__(self, floor: Floor, node: NodeLife, planned: RecipeStep, whose: Belonging) -> None:
        self._floor = floor
        self._node = node
        self._planned = planned
        self._whose = whose
        self._step_id = self._action_id = ""
        self._source: dict[str, str] = {}

    def run(self) -> Flow[bool]:
        """Do the step once the node is free; return whether it went well."""
        yield from self._node.take()
        try:
            begin = self._begin()
            try:
                yield self._floor.moment()
                outcome = yield from self._act()
                if outcome == "unknown":  # nobody knows what became of it before the node is back
                    yield from self._node.until_able()
                yield self._floor.moment()
            except StoppedError:
                yield self._floor.moment()
                self._end(begin, "failed")
                raise
            self._end(begin, "completed" if outcome == "completed" else "failed")
            return outcome == "completed"
        finally:
            self._node.give_back()

    def _begin(self) -> int:
        self._step_id = self._floor.new_id()
        self._source = {**self._whose.source, "step_id": self._step_id}
        self._tell_step(EventType.WORKFLOW_STEP_START, INFO, "began")
        return self._floor.now

    def _end(self, begin: int, outcome: Outcome) -> None:
        level = INFO if outcome == "completed" else WARNING
        self._tell_step(_STEP_ENDS[outcome], level, outcome)
        self._floor.chronicle.steps.append(
            StepTruth(
                **self._part(self._step_id, self._planned.name),
                begin=begin,
                end=self._floor.now,
                outcome=outcome,
            )
        )

    def _act(self) -> Flow[Outcome]:
        """Do the action; return how it ended, ``unknown`` if the node died meanwhile."""
        floor, node = self._floor, self._node
        self._action_id = floor.new_id()
        begin = floor.now
        length = floor.length(self._planned.action.seconds)
        fails = floor.random.random() < floor.plan.action_failure
        if fails:
            length = round(length * floor.random.uniform(0.05, 0.95))
        node.begin_acting()
        self._tell_action(EventType.ACTION_START, "running")
        try:
            is_struck = yield Wait(begin + length, node.struck)
        except StoppedError:
            self._end_action(begin, "failed")
            raise
        is_dead = is_struck and node.state is State.DEAD
        outcome: Outcome = "unknown" if is_dead else "failed" if fails or is_struck else "completed"
        self._end_action(begin, outcome)
        return outcome

    def _end_action(self, begin: int, outcome: Outcome) -> None:
        self._node.end_acting()
        told_end = outcome != "unknown"
        if told_end:
            self._tell_action(_ACTION_ENDS[outcome], outcome)
        self._floor.chronicle.actions.append(
            ActionTruth(
                **self._part(self._action_id, self._planned.action.name),
                begin=begin,
                end=self._floor.now,
                outcome=outcome,
                told_end=told_end,
            )
        )

    def _part(self, own_id: str, name: str) -> dict[str, str]:
        """Return what steps and actions have in common."""
        return {"id": own_id, "name": name, "node": self._node.node.id, **vars(self._whose)}

    def _tell_step(self, event_type: EventType, level: int, what: str) -> None:
        name = self._planned.name
        data = {"step_name": name, "message": f"Step {name} {what}"}
        self._floor.tell(event_type, self._source, data, level)

    def _tell_action(self, event_type: EventType, status: str) -> None:
        name, node = self._planned.action.name, self._node.node
        data = {
            "action_id": self._action_id,
            "action_name": name,
            "message": f"Action {name} on {node.name}: {status}",
        }
        if self._floor.workcell.tells_status_changes:
            event_type = EventType.ACTION_STATUS_CHANGE
            data["status"] = status
        level = WARNING if status == "failed" else INFO
        self._floor.tell(event_type, {**self._whose.source, "node_id": node.id}, data, level)
