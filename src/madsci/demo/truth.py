"""What really happened in a simulated lab, whatever its events tell of it.

All instants are microseconds since 1970. A span holds its beginning and not its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
from typing_extensions import Self

Span = tuple[int, int]
"""A beginning and an end."""

Outcome = Literal["completed", "failed", "cancelled", "unknown"]


@dataclass(frozen=True)
class SessionTruth:
    """A time in which the lab or a workcell was up.

    The id is that of the lab's manager, or of the workcell.
    """

    id: str
    kind: Literal["lab", "workcell"]
    name: str
    begin: int
    end: int


@dataclass(frozen=True)
class NodeTruth:
    """A node over the whole time; its spans are in order and do not overlap.

    ``up``: its process ran. ``busy``: it was at an action. ``faults``: it was up and could do nothing.
    ``crashes``: its process had died, up to when it was back.
    """

    id: str
    name: str
    workcell: str
    up: tuple[Span, ...]
    busy: tuple[Span, ...]
    faults: tuple[Span, ...]
    crashes: tuple[Span, ...]


@dataclass(frozen=True)
class ExperimentTruth:
    """An experiment. ``campaign`` and ``user`` are ids."""

    id: str
    name: str
    campaign: str
    user: str
    begin: int
    end: int
    outcome: Outcome
    paused: tuple[Span, ...]


@dataclass(frozen=True)
class WorkflowTruth:
    """A workflow. ``author`` is a name; ``user``, ``experiment`` and ``workcell`` are ids.

    ``begin`` is ``None`` if it was aborted while it was queued.
    """

    id: str
    name: str
    author: str
    user: str
    experiment: str
    workcell: str
    queued: int
    begin: int | None
    end: int
    outcome: Outcome


@dataclass(frozen=True)
class StepTruth:
    """A step of a workflow. All but the name are ids."""

    id: str
    name: str
    node: str
    workflow: str
    experiment: str
    campaign: str
    user: str
    workcell: str
    begin: int
    end: int
    outcome: Outcome


@dataclass(frozen=True)
class ActionTruth(StepTruth):
    """An action on a node.

    One that a crash cut ends at that instant, as ``unknown``, and no event tells it.
    """

    told_end: bool


@dataclass(frozen=True)
class Truth:
    """All that happened within a window of time; everything is in the order of its beginning."""

    window: Span
    sessions: tuple[SessionTruth, ...]
    nodes: tuple[NodeTruth, ...]
    experiments: tuple[ExperimentTruth, ...]
    workflows: tuple[WorkflowTruth, ...]
    steps: tuple[StepTruth, ...]
    actions: tuple[ActionTruth, ...]

    def to_json(self) -> str:
        """Return it as the text of a JSON object."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what ``to_json`` has written.

        Raises:
            msgspec.ValidationError: it is something else.
            msgspec.DecodeError: it is no JSON.
        """
        return msgspec.json.decode(text, type=cls)
