"""What happens to events on their way: they come late, twice, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from random import Random
from typing import Final

from madsci.demo.happening import Happening
from madsci.demo.lab import random_ulid
from madsci.demo.life import Life

LONGEST_DELAY: Final = timedelta(hours=36)


@dataclass(frozen=True)
class Delivery:
    """An event on its way; ``arrives`` is in microseconds since 1970.

    A repeat says the same as another one under an id of its own.
    """

    happening: Happening
    arrives: int
    is_repeat: bool = False


@dataclass(frozen=True)
class Disturbed:
    """What arrives, in the order of arrival.

    ``without_end`` has the ids of that whose end was told, and never arrives.
    """

    deliveries: list[Delivery]
    without_end: set[str]


def undisturbed(life: Life) -> Disturbed:
    """Return everything, each event when it happens."""
    return Disturbed([Delivery(one, one.at) for one in life.happenings], set())


def disturb(  # noqa: PLR0913 - each is a disturbance of its own
    life: Life,
    seed: int,
    *,
    late: float = 0.0,
    duplicates: float = 0.0,
    missing_ends: float = 0.0,
    longest_delay: timedelta = LONGEST_DELAY,
) -> Disturbed:
    """Return the events of a life as a server gets them: the same for the same seed.

    ``missing_ends`` is the share of the ends of actions, steps, workflows and experiments that never
    arrive; of the events that do, ``late`` is the share that arrives after a delay, and
    ``duplicates`` the share that arrives once more, later than the first time. Nothing arrives later
    than ``longest_delay`` after it happened.
    """
    chances = _Chances(Random(f"{seed} on the way"), late, duplicates, longest_delay)  # noqa: S311
    without_end: set[str] = set()
    deliveries: list[Delivery] = []
    for happening in life.happenings:
        ended = happening.ended_id()
        if ended is not None and chances.random.random() < missing_ends:
            without_end.add(ended)
        else:
            deliveries += chances.deliveries_of(happening)
    return Disturbed(sorted(deliveries, key=attrgetter("arrives")), without_end)


@dataclass(frozen=True)
class _Chances:
    """What may happen to an event that arrives."""

    random: Random
    late: float
    duplicates: float
    longest_delay: timedelta

    def deliveries_of(self, happening: Happening) -> Iterator[Delivery]:
        """Yield the first delivery, and the second if there is one."""
        last = happening.at + self.longest_delay // timedelta(microseconds=1)
        is_late = self.random.random() < self.late
        arrives = self.random.randint(happening.at, last) if is_late else happening.at
        yield Delivery(happening, arrives)
        if self.random.random() < self.duplicates:
            again = replace(happening, event_id=random_ulid(self.random, happening.at))
            yield Delivery(again, self.random.randint(arrives, last), is_repeat=True)
