"""What a simulated lab is like: the plan of it, and the lab with its ids that is made from the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from random import Random
from typing import Final

from madsci.common.clock import to_us, zone_named
from madsci.common.ids import ulid_of
from madsci.demo.catalogue import BENCHES, CAMPAIGNS, USERS, WORKCELLS, WORKFLOWS, ActionKind

NEVER: Final = timedelta.max
"""The mean time between what does not happen."""
_RECIPES: Final = 6
"""Kinds of workflows that a workcell runs."""
_STEPS: Final = (3, 8)
"""The fewest and the most steps of a workflow."""
_ID_BITS: Final = 80


@dataclass(frozen=True)
class Shifts:
    """Sessions that come again, from one time of the clocks on the wall to another, on some weekdays.

    An end that is not later than the beginning is one of the next day. Monday is 0.
    """

    begin: time = time(7)
    end: time = time(2)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class LabPlan:
    """What is simulated: the same plan always gives the same life of the same lab.

    Days are those of clocks in ``zone`` (an IANA name), counted from ``begin``. Numbers and rates are
    those of each workcell, mean times those of each node while it is up; ``NEVER`` for what shall not
    happen.

    Raises:
        SettingsError: there is no such zone.
        ValueError: something cannot be so.
    """

    seed: int = 1
    begin: datetime = datetime(2026, 3, 2, tzinfo=timezone.utc)
    days: int = 30
    zone: str = "Europe/Berlin"
    name: str = "demo_lab"
    workcells: int = 2
    nodes_per_workcell: int = 4
    users: tuple[str, ...] = USERS
    campaigns: tuple[str, ...] = CAMPAIGNS
    shifts: tuple[Shifts, ...] = field(default=(Shifts(),))
    workflows_per_hour: float = 6.0
    action_failure: float = 0.01
    """Share of the actions that fail of themselves."""
    fault_every: timedelta = timedelta(hours=40)
    repair: timedelta = timedelta(minutes=14)
    crash_every: timedelta = timedelta(hours=120)
    restart: timedelta = timedelta(minutes=6)

    def __post_init__(self) -> None:
        zone_named(self.zone)
        if self.begin.tzinfo is None:
            raise ValueError(f"begin has no offset: {self.begin}. Give it one, such as timezone.utc.")
        for what in ("days", "workcells", "nodes_per_workcell", "workflows_per_hour"):
            if getattr(self, what) <= 0:
                raise ValueError(f"{what} must be more than 0, and is {getattr(self, what)}")
        for what in ("fault_every", "repair", "crash_every", "restart"):
            if getattr(self, what) <= timedelta(0):
                raise ValueError(f"{what} must be longer than 0, and is {getattr(self, what)}")
        if not 0 <= self.action_failure <= 1:
            raise ValueError(f"action_failure is a share from 0 to 1, not {self.action_failure}")
        if not self.users or not self.campaigns:
            raise ValueError("a lab has at least one user and one campaign")


@dataclass(frozen=True)
class Named:
    """A user or a campaign."""

    id: str
    name: str


@dataclass(frozen=True)
class Node:
    """An instrument of a workcell, and what it can do."""

    id: str
    name: str
    kinds: tuple[ActionKind, ...]


@dataclass(frozen=True)
class RecipeStep:
    """One action on one node."""

    name: str
    node: Node
    action: ActionKind


@dataclass(frozen=True)
class Recipe:
    """What workflows of one name do, and who wrote that down."""

    name: str
    author: str
    steps: tuple[RecipeStep, ...]


@dataclass(frozen=True)
class Workcell:
    """Nodes that work together, and the workflows that they run."""

    id: str
    name: str
    nodes: tuple[Node, ...]
    recipes: tuple[Recipe, ...]
    tells_status_changes: bool
    """Whether its nodes are older ones, which tell each step of an action as a change of its status."""


@dataclass(frozen=True)
class Lab:
    """A lab; its id is that of its manager."""

    id: str
    name: str
    workcells: tuple[Workcell, ...]
    users: tuple[Named, ...]
    campaigns: tuple[Named, ...]


def random_ulid(random: Random, at: int) -> str:
    """Return the ULID of an instant (microseconds since 1970) whose other bits the source gives."""
    return ulid_of(at // 1_000, random.getrandbits(_ID_BITS))


def lab_of(plan: LabPlan) -> Lab:
    """Return the lab of a plan; half of its workcells, rounded down, have older nodes."""
    random = Random(f"{plan.seed} {plan.begin.isoformat()} lab")  # noqa: S311 - a simulation
    at = to_us(plan.begin)
    return Lab(
        id=random_ulid(random, at),
        name=plan.name,
        workcells=tuple(_workcell(plan, number, random) for number in range(plan.workcells)),
        users=tuple(Named(random_ulid(random, at), name) for name in plan.users),
        campaigns=tuple(Named(random_ulid(random, at), name) for name in plan.campaigns),
    )


def _workcell(plan: LabPlan, number: int, random: Random) -> Workcell:
    at = to_us(plan.begin)
    bench = BENCHES[number % len(BENCHES)]
    nodes = []
    for place in range(plan.nodes_per_workcell):
        instrument = bench[place % len(bench)]
        copy = place // len(bench) + number // len(BENCHES) * -(-plan.nodes_per_workcell // len(bench))
        name = _numbered(instrument.name, copy)
        nodes.append(Node(random_ulid(random, at), name, instrument.kinds))
    return Workcell(
        id=random_ulid(random, at),
        name=_numbered(WORKCELLS[number % len(WORKCELLS)], number // len(WORKCELLS)),
        nodes=tuple(nodes),
        recipes=tuple(
            _recipe(name, random.choice(plan.users), nodes, random)
            for name in random.sample(WORKFLOWS, _RECIPES)
        ),
        tells_status_changes=number % 2 == 1,
    )


def _numbered(name: str, copy: int) -> str:
    return name if copy == 0 else f"{name}_{copy + 1}"


def _recipe(name: str, author: str, nodes: list[Node], random: Random) -> Recipe:
    """Return a workflow that takes a plate from one node to the next, each other step."""
    mover, others = nodes[0], nodes[1:] or nodes
    steps = []
    for number in range(1, random.randint(*_STEPS) + 1):
        node = mover if number % 2 else random.choice(others)
        action = node.kinds[0] if node is mover else random.choice(node.kinds)
        steps.append(RecipeStep(f"{number}_{action.name}", node, action))
    return Recipe(name, author, tuple(steps))
