"""What is written down while a lab is simulated: what its parts tell, and the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter

from madsci.demo.happening import Happening
from madsci.demo.lab import Lab
from madsci.demo.truth import (
    ActionTruth,
    ExperimentTruth,
    NodeTruth,
    SessionTruth,
    Span,
    StepTruth,
    Truth,
    WorkflowTruth,
)


@dataclass
class NodeSpans:
    """The times of a node so far; see ``NodeTruth``."""

    up: list[Span] = field(default_factory=list)
    busy: list[Span] = field(default_factory=list)
    faults: list[Span] = field(default_factory=list)
    crashes: list[Span] = field(default_factory=list)


class Chronicle:
    """Takes down everything in any order, each thing once it is over."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.happenings: list[Happening] = []
        self.sessions: list[SessionTruth] = []
        self.experiments: list[ExperimentTruth] = []
        self.workflows: list[WorkflowTruth] = []
        self.steps: list[StepTruth] = []
        self.actions: list[ActionTruth] = []
        self.nodes = {node.id: NodeSpans() for one in lab.workcells for node in one.nodes}

    def told(self) -> list[Happening]:
        """Return what was told, in the order of time."""
        return sorted(self.happenings, key=attrgetter("at"))

    def truth(self, window: Span) -> Truth:
        """Return what happened within a window."""
        begin = attrgetter("begin")
        return Truth(
            window=window,
            sessions=tuple(sorted(self.sessions, key=begin)),
            nodes=tuple(self._nodes()),
            experiments=tuple(sorted(self.experiments, key=begin)),
            workflows=tuple(sorted(self.workflows, key=attrgetter("queued"))),
            steps=tuple(sorted(self.steps, key=begin)),
            actions=tuple(sorted(self.actions, key=begin)),
        )

    def _nodes(self) -> list[NodeTruth]:
        return [
            NodeTruth(
                id=node.id,
                name=node.name,
                workcell=workcell.id,
                up=tuple(spans.up),
                busy=tuple(spans.busy),
                faults=tuple(spans.faults),
                crashes=tuple(spans.crashes),
            )
            for workcell in self._lab.workcells
            for node in workcell.nodes
            for spans in [self.nodes[node.id]]
        ]
