"""A node during one session: it comes up, is used by one after another, logs, breaks and recovers."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Final

from madsci.common.types.event_type import EventType
from madsci.demo.catalogue import FAULTS, REMARKS
from madsci.demo.course import Flow, Places, Signal, StoppedError, Wait
from madsci.demo.floor import Floor
from madsci.demo.happening import ERROR
from madsci.demo.lab import Node

_REMARK_EVERY: Final = timedelta(minutes=9)


class State(Enum):
    """What a node is fit for. ``DEAD``: its process does not run."""

    ABLE = "able"
    FAULTY = "faulty"
    DEAD = "dead"


class NodeLife:
    """A node; whoever wants to use it takes it and gives it back.

    ``struck`` is given when it breaks.
    """

    def __init__(self, node: Node, floor: Floor) -> None:
        self.node = node
        self.state = State.DEAD
        self.struck = Signal(floor.course)
        self.acting_since: int | None = None
        """When the action began that is under way."""
        self._floor = floor
        self._spans = floor.chronicle.nodes[node.id]
        self._place = Places(floor.course, 1)
        self._is_taken = False
        self._able_again = Signal(floor.course)
        self._up_since = 0
        self._whose = {"node_id": node.id, "workcell_id": floor.workcell.id}

    def come_up(self) -> None:
        """Have its process run."""
        self._up_since = self._floor.now
        self._tell(EventType.NODE_START, message=f"Node {self.node.name} came up")
        self._be_able()

    def go_down(self) -> None:
        """End its process in good order."""
        self._tell(EventType.NODE_STOP, message=f"Node {self.node.name} went down")
        self._spans.up.append((self._up_since, self._floor.now))
        self.state = State.DEAD

    def take(self) -> Flow[None]:
        """Have the node for oneself once it is one's turn and it is able to work."""
        yield from self._place.take()
        self._is_taken = True
        try:
            yield from self.until_able()
        except StoppedError:
            self.give_back()
            raise

    def until_able(self) -> Flow[None]:
        """Wait until it can work, again."""
        while self.state is not State.ABLE:
            yield Wait(signal=self._able_again)

    def give_back(self) -> None:
        """Leave it to the next who wants to use it."""
        self._is_taken = False
        self._place.give_back()

    def begin_acting(self) -> None:
        """Note that an action begins now."""
        self.acting_since = self._floor.now

    def end_acting(self) -> None:
        """Note that the action ends now."""
        if self.acting_since is not None:
            self._spans.busy.append((self.acting_since, self._floor.now))
        self.acting_since = None

    def remarks(self) -> Flow[None]:
        """Log something now and then while its process runs, for ever."""
        floor = self._floor
        while True:
            yield Wait(floor.after(_REMARK_EVERY))
            if self.state is not State.DEAD:
                data = {"message": floor.random.choice(REMARKS), "node_name": self.node.name}
                floor.tell(EventType.LOG_INFO, {"node_id": self.node.id}, data)

    def troubles(self) -> Flow[None]:
        """Break now and then, and recover, as long as that is over before the session closes."""
        floor, plan = self._floor, self._floor.plan
        while True:
            fault, crash = floor.after(plan.fault_every), floor.after(plan.crash_every)
            if min(fault, crash) >= floor.shift.closing:
                return
            yield Wait(min(fault, crash))
            while self._is_taken and self.acting_since is None:
                yield floor.between(0.05, 1.0)  # somebody is about to begin, or has just ended
            recovered = floor.after(plan.repair if fault < crash else plan.restart)
            if recovered >= floor.shift.closing:
                return
            yield from self._fault(recovered) if fault < crash else self._crash(recovered)

    def _fault(self, repaired: int) -> Flow[None]:
        begin = self._floor.now
        error = self._floor.random.choice(FAULTS)
        self._tell(EventType.NODE_ERROR, level=ERROR, message=f"{self.node.name}: {error}", error=error)
        self.state = State.FAULTY
        self.struck.give()
        yield Wait(repaired)
        self._spans.faults.append((begin, self._floor.now))
        text = f"Node {self.node.name} is ready"
        self._tell(EventType.NODE_STATUS_UPDATE, message=text, status="ready")
        self._be_able()

    def _crash(self, restarted: int) -> Flow[None]:
        crashed = self._floor.now
        self._spans.up.append((self._up_since, crashed))
        self.state = State.DEAD
        self.struck.give()
        yield Wait(restarted)
        self._spans.crashes.append((crashed, self._floor.now))
        self.come_up()

    def _be_able(self) -> None:
        self.state = State.ABLE
        self._able_again.give()

    def _tell(self, event_type: EventType, level: int = 20, **data: str) -> None:
        self._floor.tell(event_type, dict(self._whose), {"node_name": self.node.name, **data}, level)
