"""What each node was at every instant of the window: the one way in which all reports find it."""

from __future__ import annotations

from dataclasses import dataclass

from madsci.event_manager.analytics.intervals import Intervals
from madsci.event_manager.analytics.spans import Span
from madsci.event_manager.analytics.timelines import NodeTimes, Timelines


@dataclass(frozen=True)
class NodeLife:
    """What a node did in a window, in parts that share nothing, and together are the window.

    Of what holds at an instant the first one counts, in the order of the parts.
    """

    node: NodeTimes
    workcell: str | None
    """To whose sessions, beside those of labs, it belongs; ``None``: to all."""
    sessions: Intervals
    """When any of these was on."""
    busy: Intervals
    error: Intervals
    unknown: Intervals
    """An action may have run, or it was up and gave no sign of life since, or it is still ahead."""
    idle: Intervals
    inactive: Intervals

    def up(self, window: Span) -> Intervals:
        """Return when it is known that it was busy, at fault or idle."""
        return (self.unknown | self.inactive).gaps(window)


def node_lives(lines: Timelines, until: int | None = None) -> dict[str, NodeLife]:
    """Return the life of each node, by its id. From ``until`` on only what was busy is known."""
    ahead = Intervals.of([(lines.known_until(until), lines.window[1])])
    workcells = {id_: lines.workcell_of(node) for id_, node in lines.nodes.items()}
    sessions = {workcell: lines.running_for(workcell) for workcell in {*workcells.values()}}
    return {
        id_: _life(lines.nodes[id_], workcell, sessions[workcell], lines.window, ahead)
        for id_, workcell in workcells.items()
    }


def _life(
    node: NodeTimes, workcell: str | None, sessions: Intervals, window: Span, ahead: Intervals
) -> NodeLife:
    busy, error = node.busy.known, node.faults - ahead
    unknown = Intervals.union((node.up.unknown, node.busy.unknown, ahead)) - error
    up = node.up.known if node.says_when_up else sessions
    idle = up - error - unknown
    inactive = Intervals.union((up, error, unknown)).gaps(window)
    # What it was busy with may be very many spans, so these are taken out last.
    return NodeLife(node, workcell, sessions, busy, error, unknown - busy, idle - busy, inactive - busy)
