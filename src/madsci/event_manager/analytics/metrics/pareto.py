"""What costs a lab the most time: failures in minutes lost, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from madsci.event_manager.analytics.metrics.actions import EndedActions
from madsci.event_manager.analytics.metrics.counting import length
from madsci.event_manager.analytics.metrics.failures import Cause, Failure, downtimes
from madsci.event_manager.analytics.metrics.states import NodeStates

FAILED_ACTION = "failed_action"


@dataclass(frozen=True)
class Subject:
    """What failed, and how."""

    kind: str
    """``fault``, ``crash`` or ``failed_action``."""
    node: str | None
    action: str | None = None
    error: str | None = None
    """Of a fault: what kind it was, where the lab says so."""


@dataclass
class Loss:
    """What failures of one kind cost. Microseconds."""

    subject: Subject
    n: int = 0
    """How many there were that had any part in the window."""
    lost: int = 0
    """Unscheduled downtime of faults; time of failed actions in the window."""
    unknown: int = 0
    """Of crashes: from the last sign of life to the start after it. Nobody knows what of it is lost."""
    cumulative: int = field(default=0, compare=False)
    """What is lost by this and all that cost more."""


def losses(
    failures: Iterable[Failure],
    nodes: Mapping[str, NodeStates],
    actions: EndedActions,
) -> list[Loss]:
    """Return what failures cost: the most first, then what cost the most unknown time."""
    found: dict[Subject, Loss] = {}
    down = downtimes(failures := list(failures), nodes)
    for one in failures:
        if not one.has_part_in(actions.window):
            continue
        loss = _of(found, Subject(one.cause.value, one.node, None, one.error))
        loss.n += 1
        if one.cause is Cause.FAULT:
            loss.lost += down[one].total
        else:
            loss.unknown += _unknown(one, actions)
    for (node, name), failing in actions.failing.items():
        loss = _of(found, Subject(FAILED_ACTION, node or None, name or None))
        loss.n += failing.n
        loss.lost += failing.lost
    ordered = sorted(found.values(), key=_order)
    for loss, total in zip(ordered, accumulate(one.lost for one in ordered), strict=True):
        loss.cumulative = total
    return ordered


def _of(found: dict[Subject, Loss], subject: Subject) -> Loss:
    return found.setdefault(subject, Loss(subject))


def _unknown(crash: Failure, actions: EndedActions) -> int:
    first, last = actions.window
    return max(0, length((max(crash.begin, first), min(crash.over or crash.begin, last))))


def _order(loss: Loss) -> tuple[int, int, int, str, str, str, str]:
    one = loss.subject
    return (
        -loss.lost, -loss.unknown, -loss.n, one.kind, one.node or "", one.action or "", one.error or ""
    )  # fmt: skip
