"""Who is answered when: a lane for quick questions and one for slow ones.

A question is taken for quick until it was at work for ``PATIENCE``. Then it is slow: it keeps its seat
if there is one for slow questions, else it is left off, waits in their lane and is begun anew. One seat
is never for slow questions, so that a quick one waits for quick ones only. What proved slow goes to the
slow lane at once, as does what differs from it in values only, for a minute or until it proves quick.
Within a lane, questions of different shapes take turns.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final

from madsci.common.errors import OverloadedError
from madsci.event_manager.model.budget import Budget

PATIENCE: Final = 0.1
"""Seconds of a core that a quick question takes at most."""
MAX_WAITING: Final = 64
"""Questions that may wait in a lane; with more, nobody would get an answer in time."""
_MAX_REMEMBERED: Final = 1_000
"""Shapes of slow questions that are remembered: more than the dashboards of a lab have charts."""
_REMEMBERED_FOR: Final = 60.0
"""Seconds: it may be another one that looks alike, or the machine has less to do."""
_MAX_DEPTH: Final = 8
"""Levels of a question that make its shape."""
_MAX_WIDTH: Final = 20
"""Parts of each level that do."""
_NAMING: Final = frozenset({"path", "operator", "name", "descending"})
"""Members whose values make a difference."""


@dataclass(eq=False)
class Seat:
    """The right to be answered now, as a quick question or as a slow one."""

    is_slow: bool


@dataclass(eq=False)
class _Waiting:
    shape: Hashable
    seated: asyncio.Future[Seat] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class _Lane:
    """Those who wait, one of each shape after the other, so that many alike hold up nobody else."""

    def __init__(self) -> None:
        self._by_shape: OrderedDict[Hashable, deque[_Waiting]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def join(self, one: _Waiting) -> None:
        """Wait at the end of its like; where the lane is full, the last of the most frequent leaves.

        Raises:
            OverloadedError: that would be this one.
        """
        if self._length >= MAX_WAITING:
            most = max(self._by_shape.values(), key=len)
            if len(self._by_shape.get(one.shape, ())) + 1 >= len(most):
                raise _too_many()
            last = most[-1]
            self.leave(last)
            last.seated.set_exception(_too_many())
        self._by_shape.setdefault(one.shape, deque()).append(one)
        self._length += 1

    def leave(self, one: _Waiting) -> bool:
        """Take one out; return whether it was there."""
        alike = self._by_shape.get(one.shape)
        if alike is None or one not in alike:
            return False
        alike.remove(one)
        self._length -= 1
        if not alike:
            del self._by_shape[one.shape]
        return True

    def next(self) -> _Waiting:
        """Take out the one whose turn it is."""
        shape, alike = next(iter(self._by_shape.items()))
        one = alike[0]
        self.leave(one)
        if shape in self._by_shape:
            self._by_shape.move_to_end(shape)
        return one

    def take_out(self, shape: Hashable) -> list[_Waiting]:
        """Take out all of a shape."""
        alike = list(self._by_shape.pop(shape, ()))
        self._length -= len(alike)
        return alike


class Lanes:
    """Gives out seats. Used on one event loop.

    With a single seat, quick and slow questions take it by turns, and quick ones do wait for slow ones.
    """

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._slow_seats = max(1, seats - 1)
        self._taken = {False: 0, True: 0}
        self._waiting = {False: _Lane(), True: _Lane()}
        self._slow_shapes: OrderedDict[Hashable, float] = OrderedDict()  # with the time of the proof
        self._last_was_slow = False

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        return sum(map(len, self._waiting.values()))

    async def take(self, shape: Hashable, budget: Budget) -> Seat:
        """Wait for a seat; cancelled, it leaves the lane.

        Raises:
            OverloadedError: too many wait already, or the budget is used up by waiting.
        """
        is_slow = time.monotonic() - self._slow_shapes.get(shape, -math.inf) < _REMEMBERED_FOR
        one = _Waiting(shape)
        self._waiting[is_slow].join(one)
        self._seat()
        try:
            await asyncio.wait([one.seated], timeout=max(0.0, budget.left))
        except asyncio.CancelledError:
            self._withdraw(one)
            raise
        if budget.is_over or not one.seated.done():  # it may have got a seat in the last moment
            self._withdraw(one)
            raise OverloadedError(
                f"The question waited for {budget.seconds:g} s, in which others were answered, and was"
                " not begun. Ask again in a moment."
            )
        return one.seated.result()

    def give_back(self, seat: Seat) -> None:
        """Let the next one have a seat."""
        self._taken[seat.is_slow] -= 1
        self._seat()

    def is_slow_after_all(self, shape: Hashable, seat: Seat) -> bool:
        """Note that a quick question proves slow; return whether it may keep its seat."""
        self._slow_shapes[shape] = time.monotonic()
        self._slow_shapes.move_to_end(shape)
        while len(self._slow_shapes) > _MAX_REMEMBERED:
            self._slow_shapes.popitem(last=False)
        may_stay = self._taken[True] < self._slow_seats
        if may_stay:
            self._taken[False] -= 1
            self._taken[True] += 1
            seat.is_slow = self._last_was_slow = True
        for one in self._waiting[False].take_out(shape):
            try:
                self._waiting[True].join(one)
            except OverloadedError as error:
                one.seated.set_exception(error)
        self._seat()
        return may_stay

    def is_quick_after_all(self, shape: Hashable) -> None:
        """Note that a question was quick, whatever others like it were."""
        self._slow_shapes.pop(shape, None)

    def _withdraw(self, one: _Waiting) -> None:
        if any(lane.leave(one) for lane in self._waiting.values()):
            return
        if one.seated.exception() is None:
            self.give_back(one.seated.result())

    def _seat(self) -> None:
        while sum(self._taken.values()) < self._seats:
            is_slow = self._next_lane()
            if is_slow is None:
                return
            self._taken[is_slow] += 1
            self._last_was_slow = is_slow
            self._waiting[is_slow].next().seated.set_result(Seat(is_slow))

    def _next_lane(self) -> bool | None:
        """Return which lane is next, if any; slow questions cannot take the last seat."""
        may_be_slow = bool(self._waiting[True]) and self._taken[True] < self._slow_seats
        if not self._waiting[False]:
            return True if may_be_slow else None
        return may_be_slow and not (self._seats == 1 and self._last_was_slow)


def _too_many() -> OverloadedError:
    return OverloadedError(
        f"{MAX_WAITING} questions wait already, which is as many as this server takes. Ask again in a"
        " moment."
    )


def shape_of(value: Any, depth: int = _MAX_DEPTH) -> Hashable:
    """Return what questions have in common that differ in values only: operators and paths."""
    if is_dataclass(value) and depth:
        named = ((one.name, getattr(value, one.name)) for one in fields(value))
        parts = tuple(part if name in _NAMING else shape_of(part, depth - 1) for name, part in named)
        return type(value).__name__, parts
    if isinstance(value, (tuple, list)) and depth:
        return tuple(shape_of(part, depth - 1) for part in value[:_MAX_WIDTH])
    return type(value).__name__
