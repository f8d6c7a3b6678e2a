"""The life of a simulated lab, made from a plan: what its parts tell, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from madsci.common.types.event_type import EventType
from madsci.demo.chronicle import Chronicle
from madsci.demo.floor import Floor
from madsci.demo.happening import INFO, Happening
from madsci.demo.lab import Lab, LabPlan, lab_of, random_ulid
from madsci.demo.session import session
from madsci.demo.shifts import SECOND, shifts_of, window_of
from madsci.demo.truth import SessionTruth, Truth


@dataclass(frozen=True)
class Life:
    """What was told, in the order of time, and what really happened."""

    happenings: list[Happening]
    truth: Truth


def simulate(plan: LabPlan) -> Life:
    """Return the life of the lab of a plan: the same for the same plan, wherever it is made."""
    lab = lab_of(plan)
    chronicle = Chronicle(lab)
    window = window_of(plan)
    _tell_lab(plan, lab, chronicle)
    for workcell in lab.workcells:
        for shift in shifts_of(plan):
            floor = Floor(plan, lab, workcell, shift, chronicle)
            floor.course.begin(session(floor))
            floor.course.run()
    return Life(chronicle.told(), chronicle.truth(window))


def _tell_lab(plan: LabPlan, lab: Lab, chronicle: Chronicle) -> None:
    """Have the lab up for the whole time: it begins before all others, and ends after them."""
    random = Random(f"{plan.seed} {plan.begin.isoformat()} manager")  # noqa: S311 - a simulation
    first, last = window_of(plan)
    begin = first + round(random.uniform(1, 20) * SECOND)
    end = last - round(random.uniform(1, 20) * SECOND)
    for at, event_type, what in (
        (begin, EventType.LAB_START, "came up"),
        (end, EventType.LAB_STOP, "went down"),
    ):
        data = {"lab_name": lab.name, "message": f"Lab {lab.name} {what}"}
        source, event_id = {"manager_id": lab.id}, random_ulid(random, at)
        chronicle.happenings.append(Happening(at, event_type, source, data, INFO, event_id))
    chronicle.sessions.append(SessionTruth(lab.id, "lab", lab.name, begin, end))
