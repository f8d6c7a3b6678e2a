"""The floor of a workcell during one session: what all who work there share."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any, Final

from madsci.common.types.event_type import EventType
from madsci.demo.chronicle import Chronicle
from madsci.demo.course import Course, Wait
from madsci.demo.happening import INFO, Happening
from madsci.demo.lab import Lab, LabPlan, Workcell, random_ulid
from madsci.demo.shifts import SECOND, Shift

_MOMENT: Final = (4_000, 90_000)
"""How long a message takes between parts of a lab, in microseconds."""
_SPREAD: Final = 0.3
"""How much lengths of the same work differ: the standard deviation of their logarithm."""


class Floor:
    """The workcell, its shift, the time, chance, and the chronicle. Times are in microseconds."""

    def __init__(
        self, plan: LabPlan, lab: Lab, workcell: Workcell, shift: Shift, chronicle: Chronicle
    ) -> None:
        self.plan = plan
        self.lab = lab
        self.workcell = workcell
        self.shift = shift
        self.chronicle = chronicle
        self.course = Course(shift.begin)
        # Each session has chances of its own, so that one is the same whatever happened in others.
        self.random = Random(f"{plan.seed} {workcell.name} {shift.begin}")  # noqa: S311 - a simulation

    @property
    def now(self) -> int:
        """The simulated time, in microseconds since 1970."""
        return self.course.now

    @property
    def is_closing(self) -> bool:
        """Whether nothing new begins any more."""
        return self.now >= self.shift.closing

    def new_id(self) -> str:
        """Return a ULID of now."""
        return random_ulid(self.random, self.now)

    def tell(
        self, event_type: EventType, source: dict[str, str], data: dict[str, Any], level: int = INFO
    ) -> None:
        """Have an event of now."""
        self.chronicle.happenings.append(
            Happening(self.now, event_type, source, data, level, self.new_id())
        )

    def moment(self) -> Wait:
        """Wait as long as a message takes."""
        return Wait(self.now + self.random.randint(*_MOMENT))

    def between(self, shortest: float, longest: float) -> Wait:
        """Wait for so many seconds, each length as likely as the others."""
        return Wait(self.now + round(self.random.uniform(shortest, longest) * SECOND))

    def length(self, usual: float) -> int:
        """Return how long something takes that usually takes so many seconds."""
        return round(usual * self.random.lognormvariate(0.0, _SPREAD) * SECOND)

    def after(self, mean: timedelta) -> int:
        """Return an instant that comes at random after a mean time, whenever one begins to wait."""
        microseconds = mean // timedelta(microseconds=1)
        return self.now + 1 + round(self.random.expovariate(1.0 / microseconds))
