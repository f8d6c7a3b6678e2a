"""The spool on disk: what was appended survives the end of the process, however it ends.

The directory belongs to one server. Every process appends to a lane of its own there; lanes of
processes that have ended are adopted and shipped, too (``backlog``). While the disk takes nothing
(full, read-only, somebody else's, gone), events wait in memory, in their place between those on disk.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from madsci.client.spool.adoption import directory_size, has_lanes, next_orphan
from madsci.client.spool.contract import (
    MAX_REJECTED,
    Backlog,
    RejectedEvent,
    SpooledEvent,
    SpoolStats,
)
from madsci.client.spool.lane import Lane
from madsci.client.spool.lane_writer import DiskSpoolSettings, LaneWriter
from madsci.client.spool.losses import Losses
from madsci.client.spool.rejected import DeadLetters
from madsci.common.ids import new_ulid

LOOK_INTERVAL: Final = 3.0
"""Seconds between two looks at the directory: for orphaned lanes, for its size, for its being there."""
_SOON: Final = 0.01
_MICROSECONDS: Final = 1_000_000


class DiskSpool:
    """Keeps events in files, as ``Spool`` promises; any thread appends, one reads and tends."""

    def __init__(self, directory: Path, settings: DiskSpoolSettings | None = None) -> None:
        self.directory = directory
        self.settings = settings or DiskSpoolSettings()
        self._dead_letters = DeadLetters(directory)
        self._rejected: deque[RejectedEvent] = deque(maxlen=MAX_REJECTED)
        self._dead = self._dropped = 0
        self._begin()

    def _begin(self) -> None:
        # Re-entrant, because a signal handler may log while the same thread is inside append().
        self._lock = threading.RLock()
        self._lane = self._make_lane()
        self._writer = LaneWriter(self._lane, self.settings)
        self._inherited: Lane | None = None
        self._look_at = self._adopt_at = float("-inf")

    def _make_lane(self, position: int = 0) -> Lane:
        lane = Lane(self.directory, f"{new_ulid()}-{os.getpid()}", self._lock, self._bury_damaged)
        lane.last_position = position
        return lane

    def append(self, event_id: str, body: bytes) -> int:  # noqa: ARG002 - the body has it, too
        """Append an event to the file; return how many are waiting now."""
        return self._writer.append(body)

    # Reading, by the tending thread.

    def read(self, max_events: int, max_bytes: int) -> list[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits."""
        return self._lane.read(max_events, max_bytes)

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position: the server has them."""
        self._lane.acknowledge(position)
        self._writer.make_known()

    def reject(self, event: SpooledEvent, reason: str) -> None:
        """Put the event into the file of dead letters."""
        self._dead_letters.bury(event.body, reason)
        self._dead += 1
        self._rejected.append(RejectedEvent(event.event_id, reason, event.body))

    @property
    def rejected(self) -> Sequence[RejectedEvent]:
        """The last rejected events."""
        return list(self._rejected)

    @property
    def last_position(self) -> int:
        """The position of the newest event that was ever appended."""
        return self._lane.last_position

    @property
    def settled_position(self) -> int:
        """The position up to which every event is settled."""
        return self._lane.settled_position

    def has_backlog(self) -> bool:
        """Tell whether other processes have left files here, dead or alive."""
        return has_lanes(self.directory, self._lane.token)

    def backlog(self) -> Backlog | None:
        """Return a lane whose process has ended, the oldest first, until it is empty."""
        lane = self._inherited
        if lane is not None:
            if lane.waiting:
                return lane
            self._bequeath(lane)
        now = time.monotonic()
        if now < self._adopt_at:
            return None
        self._inherited = next_orphan(self.directory, self._lane.token, self._bury_damaged)
        if self._inherited is None:
            self._adopt_at = now + LOOK_INTERVAL
        return self._inherited

    def _bequeath(self, lane: Lane) -> None:
        """Let go of a lane that is empty; what it lost is now ours to tell."""
        self._inherited = None
        with self._lock:
            self._dropped += lane.lost
            losses = lane.losses
            self._lane.losses.add(losses.count, losses.first_moment, losses.last_moment)
        lane.remove()

    def losses(self) -> Losses:
        """Return what was lost and what the server was not told of."""
        with self._lock:
            lost = self._lane.losses
            return Losses(lost.count, lost.first_moment, lost.last_moment)

    def forget_losses(self) -> None:
        """Note that an event tells the server of them."""
        self._lane.forget_losses()

    def _bury_damaged(self, raw: bytes) -> None:
        self._dead_letters.bury(raw, "damaged on disk: the checksum does not fit")
        self._writer.notices.append(f"An event in {self.directory} was damaged on disk and put aside.")

    # Tending, by the thread that reads.

    def tend(self) -> Sequence[str]:
        """Sync, close and delete what is due; return what a person should know."""
        self._writer.tend()
        self._lane.clear_away()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_INTERVAL
            self._share_room()
            self._writer.look_around()
        told, notices = [], self._writer.notices
        while notices:
            told.append(notices.popleft())
        return told

    def sync_due(self) -> None:
        """Do only what keeps the promise about power loss: for a reading thread that waits."""
        self._writer.tend()

    def next_tending(self) -> float:
        """Return after how many seconds ``tend`` is due at the latest."""
        look = max(self._look_at - time.monotonic(), _SOON)
        return min(self._writer.next_tending() or look, look)

    def _share_room(self) -> None:
        """Make room at the cost of what was inherited, and see how much the others leave."""
        total = directory_size(self.directory)
        limit, lane = self.settings.max_bytes, self._inherited
        while lane is not None and total > limit and lane.segments:
            total -= lane.segments[0].size
            lost = lane.drop_oldest()
            lane.clear_away()
            self._writer.notices.append(
                f"{lost} events of an earlier process were dropped: {self.directory} is full."
            )
        with self._lock:
            # However much the others hold, there is room for something of ours.
            others = max(total - self._lane.size, 0)
            self._writer.limit = max(limit - others, 2 * self._writer.segment_bytes)

    # Ends.

    def stats(self) -> SpoolStats:
        """Count what waits, here and in what was adopted, and what was lost."""
        with self._lock:
            lanes = [self._lane, *([self._inherited] if self._inherited else [])]
            waiting = [lane for lane in lanes if lane.waiting]
            oldest = min((lane.oldest_moment for lane in waiting), default=None)
            now = time.time_ns() // 1000
            return SpoolStats(
                queued=sum(lane.waiting for lane in lanes),
                dead=self._dead,
                dropped=self._dropped + sum(lane.lost for lane in lanes),
                oldest_age=None if oldest is None else max(now - oldest, 0) / _MICROSECONDS,
                spool_bytes=sum(
                    segment.waiting_bytes
                    for lane in waiting
                    for segment in lane.segments
                    if segment.is_on_disk
                ),
            )

    def forget_parent(self) -> None:
        """Begin with an empty lane after a fork: what waits is the parent's, which will send it."""
        self.abandon()
        self._rejected.clear()
        self._begin()

    def abandon(self) -> None:
        """Close all files as the end of the process does, and delete none."""
        for lane in (self._lane, self._inherited):
            if lane is not None:
                lane.abandon()
        self._inherited = None

    def close(self) -> None:
        """Delete what is empty, and bring the rest to the disk, where the next process finds it."""
        inherited = self._inherited
        if inherited is not None:
            if inherited.waiting:
                self._inherited = None
                inherited.abandon()
            else:
                self._bequeath(inherited)
        with self._lock:
            self._writer.count_all()
            lane = self._lane
            if lane.waiting or lane.losses.count:
                self._writer.finish()
                return
            self._dropped += lane.lost
            self._lane = self._make_lane(lane.last_position)
            self._writer.change_lane(self._lane)
            lane.remove()
