"""A session of a workcell: it and its nodes come up, work is done, and all go down again."""

from __future__ import annotations

from typing import Final

from madsci.common.types.event_type import EventType
from madsci.demo.course import Flow, Places, Process, Signal, Wait
from madsci.demo.experiments import arrivals
from madsci.demo.floor import Floor
from madsci.demo.node_life import NodeLife
from madsci.demo.shifts import LATE_BEGIN, SECOND
from madsci.demo.truth import SessionTruth
from madsci.demo.workflows import Bench

_RUNNING_WORKFLOWS: Final = 3
"""Workflows that a workcell runs at once; others are queued."""


def session(floor: Floor) -> Flow[None]:
    """Do all of a shift. What is under way when the workcell closes may end, within limits."""
    yield floor.between(0, LATE_BEGIN / SECOND)
    begin = floor.now
    _tell(floor, EventType.WORKCELL_START, "came up")
    nodes = {node.id: NodeLife(node, floor) for node in floor.workcell.nodes}
    for life in nodes.values():
        yield floor.between(0.4, 6)
        life.come_up()
    yield floor.between(1, 20)
    yield from _work(floor, nodes)
    for life in nodes.values():
        yield floor.between(0.2, 3)
        life.go_down()
    yield floor.between(0.2, 2)
    _tell(floor, EventType.WORKCELL_STOP, "went down")
    workcell = floor.workcell
    truth = SessionTruth(workcell.id, "workcell", workcell.name, begin, floor.now)
    floor.chronicle.sessions.append(truth)


def _work(floor: Floor, nodes: dict[str, NodeLife]) -> Flow[None]:
    course = floor.course
    closing = Signal(course)
    bench = Bench(floor, nodes, Places(course, _RUNNING_WORKFLOWS))
    experiments: list[Process] = []
    others = [course.begin(arrivals(bench, closing, experiments.append))]
    for life in nodes.values():
        others += [course.begin(life.troubles()), course.begin(life.remarks())]
    yield Wait(floor.shift.closing)
    course.stop(others[0])
    closing.give()
    yield from _end_of(floor, experiments)
    for process in others:
        course.stop(process)
        if not process.is_over:
            yield Wait(signal=process.over)


def _end_of(floor: Floor, processes: list[Process]) -> Flow[None]:
    """Wait until all have ended; those that have not in time are stopped."""
    for process in processes:
        if not process.is_over:
            yield Wait(floor.shift.stop, process.over)
    for process in processes:
        if not process.is_over:
            floor.course.stop(process)
    for process in processes:
        if not process.is_over:
            yield Wait(signal=process.over)


def _tell(floor: Floor, event_type: EventType, what: str) -> None:
    workcell = floor.workcell
    data = {"workcell_name": workcell.name, "message": f"Workcell {workcell.name} {what}"}
    floor.tell(event_type, {"workcell_id": workcell.id}, data)
