"""The course of simulated time: flows of work that wait, taken in the order of what they wait for.

A flow is a generator that yields what it waits for. Nothing here knows a lab, or a clock.
"""

from __future__ import annotations

import contextlib
import heapq
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

_T = TypeVar("_T")

Flow = Generator["Wait", bool, _T]
"""Work that yields what it waits for, and is told whether that was the signal (and not the instant)."""


class StoppedError(Exception):
    """Raised in a flow where it waits: its work is to stop. It may still tidy up, and take time."""


@dataclass(frozen=True)
class Wait:
    """Waiting until an instant, or until a signal is given, whichever comes first."""

    until: int | None = None
    signal: Signal | None = None


class Process:
    """A flow that is under way. ``over`` is given when it has ended."""

    def __init__(self, flow: Flow[None], over: Signal) -> None:
        self.flow = flow
        self.over = over
        self.has_begun = self.is_over = False
        self.turn = 0
        """How often it has waited: what is on the agenda for an earlier time is void."""


class Signal:
    """What flows can wait for. Giving it wakes those that wait now, and nobody later."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._waiting: list[tuple[Process, int]] = []

    def give(self) -> None:
        """Wake all who wait, in the order in which they came."""
        waiting, self._waiting = self._waiting, []
        for process, turn in waiting:
            self._course.wake(process, turn)

    def add(self, process: Process) -> None:
        """Have a process wait, unless something else wakes it before."""
        self._waiting.append((process, process.turn))


class Course:
    """Simulated time and what is to come in it; ``now`` is in microseconds since 1970."""

    def __init__(self, begin: int) -> None:
        self.now = begin
        self._agenda: list[tuple[int, int, Process, int, bool | None]] = []
        """Instant, order, who goes on, his turn, and what he is told; ``None``: to stop."""
        self._order = count()

    def begin(self, flow: Flow[None]) -> Process:
        """Let a flow begin now."""
        process = Process(flow, Signal(self))
        self._enter(self.now, process, is_signal=False)
        return process

    def stop(self, process: Process) -> None:
        """Raise ``StoppedError`` in a flow now, where it waits. One that has ended stays so."""
        process.turn += 1
        self._enter(self.now, process, is_signal=None)

    def wake(self, process: Process, turn: int) -> None:
        """Let a process go on now if it still waits for the same."""
        if process.turn == turn:
            process.turn += 1
            self._enter(self.now, process, is_signal=True)

    def run(self) -> None:
        """Go through time until nothing is to come."""
        while self._agenda:
            at, _, process, turn, is_signal = heapq.heappop(self._agenda)
            if process.turn == turn and not process.is_over:
                self.now = at
                self._go_on(process, is_signal=is_signal)

    def _enter(self, at: int, process: Process, *, is_signal: bool | None) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), process, process.turn, is_signal))

    def _go_on(self, process: Process, *, is_signal: bool | None) -> None:
        process.turn += 1
        with contextlib.suppress(StopIteration, StoppedError):
            wait = self._next_wait(process, is_signal=is_signal)
            if wait.signal is not None:
                wait.signal.add(process)
            if wait.until is not None:
                self._enter(max(wait.until, self.now), process, is_signal=False)
            return
        process.is_over = True
        process.over.give()

    @staticmethod
    def _next_wait(process: Process, *, is_signal: bool | None) -> Wait:
        if is_signal is None:
            return process.flow.throw(StoppedError())
        if process.has_begun:
            return process.flow.send(is_signal)
        process.has_begun = True
        return next(process.flow)  # a generator that has not begun takes nothing


class Places:
    """A number of places that flows take and give back; who comes first is served first."""

    def __init__(self, course: Course, number: int) -> None:
        self._course = course
        self._free = number
        self._line: deque[Signal] = deque()

    def take(self) -> Flow[None]:
        """Wait until there is a place, and have it."""
        if self._free:
            self._free -= 1
            return
        turn = Signal(self._course)
        self._line.append(turn)
        try:
            yield Wait(signal=turn)
        except StoppedError:
            if turn in self._line:
                self._line.remove(turn)
            else:
                self.give_back()
            raise

    def give_back(self) -> None:
        """Leave the place to the next who waits."""
        if self._line:
            self._line.popleft().give()
        else:
            self._free += 1
