"""The spool of a process: what was appended survives the end of the process, however it ends.

The directory belongs to one server. Every process appends to a lane of its own there; lanes of
processes that have ended are adopted and shipped, too (``backlog``). While the disk takes nothing
(full, read-only, somebody else's, gone), events wait in memory, in their place between those on disk.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from madsci.client.spool.adoption import directory_size, has_lanes, next_orphan
from madsci.client.spool.contract import Backlog, RejectedEvent, SpooledEvent, SpoolStats
from madsci.client.spool.lane import Lane
from madsci.client.spool.lane_writer import LaneWriter, SpoolSettings
from madsci.client.spool.losses import Losses
from madsci.client.spool.rejected import FILE_NAME, RejectedFile
from madsci.client.spool.tending import Tender
from madsci.common.forking import is_held_for_good
from madsci.common.ids import new_ulid
from madsci.common.telling import Teller

LOOK_INTERVAL: Final = 3.0
"""Seconds between two looks at the directory: for orphaned lanes, for its size, for its being there."""
MAX_REJECTED: Final = 100
"""Rejected events that are kept to be looked at; all are counted."""
NEVER: Final = 1 << 62
"""More events than ever wait."""
_SOON: Final = 0.01
_PATIENCE: Final = 1.0
"""Seconds to wait for the thread that tends: a disk that is stuck holds it up."""
_MICROSECONDS: Final = 1_000_000
_log = logging.getLogger(__name__)
_is_finalizing = sys.is_finalizing


class Spool:
    """Keeps events until the server has them: in files of a directory, or in memory without one.

    Any thread appends, one at a time reads and settles; a small thread of its own tends the files.

    * ``append`` waits for no network, and for the disk or for room only if the settings say so. It
      never fails: a full spool loses its *oldest* events and counts them, because the newest say what
      is wrong now.
    * ``read`` returns events in order, the oldest first, beginning after the last settled position.
    * An event is settled when it was acknowledged, rejected or lost.
    * ``bell`` is called by the append with which so many events wait as ``ring_at`` said, once.
    """

    def __init__(self, directory: Path | None, settings: SpoolSettings | None = None) -> None:
        self.directory = directory
        self.settings = settings or SpoolSettings()
        self.bell: Callable[[], object] = lambda: None
        self._rejected_file = RejectedFile(directory) if directory else None
        self._rejected: deque[RejectedEvent] = deque(maxlen=MAX_REJECTED)
        self._rejected_count = self._lost = 0
        self._teller = Teller(_log)
        self._tender = Tender(self.tend)
        self._begin()

    def _begin(self) -> None:
        # Re-entrant, because a signal handler may log while the same thread is inside append().
        self._lock = threading.RLock()
        self._lane = self._make_lane()
        is_in_memory = self.directory is None
        on_unsynced = (lambda: None) if is_in_memory else self._tender.start
        self._writer = LaneWriter(self._lane, self.settings, on_unsynced, in_memory=is_in_memory)
        self._inherited: Lane | None = None
        self._ring_at = 1
        self._look_at = self._adopt_at = float("-inf")
        self._looks = 0
        """How often somebody asked for another look at the directory."""

    def _make_lane(self, position: int = 0) -> Lane:
        token = f"{new_ulid()}-{os.getpid()}"
        lane = Lane(self.directory or Path(), token, self._lock, self._reject_damaged)
        lane.last_position = position
        return lane

    def append(self, body: bytes) -> None:
        """Add an event as encoded JSON."""
        if _is_finalizing():
            self._append_last(body)
        elif self._writer.append(body) >= self._ring_at:
            self._ring_at = NEVER  # one call is enough, and it is not cheap
            self.bell()

    def _append_last(self, body: bytes) -> None:
        """Add an event while Python is being taken apart, and nobody is left to send it.

        A lane that a thread was amid is left to the next process, as after a kill.
        """
        if is_held_for_good(self._lock):
            self._begin()
        self._writer.append(body)

    def ring_at(self, waiting: int) -> None:
        """Have the bell rung once so many events wait; ``NEVER`` for not at all."""
        self._ring_at = waiting

    # Reading, by one thread.

    def read(self, max_events: int, max_bytes: int) -> list[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits."""
        batch = self._lane.read(max_events, max_bytes)
        self._tell_missing(self._lane)
        return batch

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position: the server has them."""
        self._lane.acknowledge(position)
        self._writer.make_known()

    def reject(self, event: SpooledEvent, reason: str) -> None:
        """Put aside an event that the server will never take.

        It is settled by its position, as all others: the caller acknowledges past it.
        """
        if self._rejected_file is not None:
            self._rejected_file.add(event.body, reason)
        self._rejected_count += 1
        self._rejected.append(RejectedEvent(event.event_id, reason, event.body))

    @property
    def rejected(self) -> Sequence[RejectedEvent]:
        """The last rejected events."""
        return list(self._rejected)

    @property
    def last_position(self) -> int:
        """The position of the newest event that was ever appended; 0 before the first."""
        return self._lane.last_position

    @property
    def settled_position(self) -> int:
        """The position up to which every event is settled."""
        return self._lane.settled_position

    @property
    def waiting(self) -> int:
        """How many events of this process are not settled."""
        return self._lane.waiting

    @property
    def has_room(self) -> bool:
        """Whether another event fits in without pushing out an old one."""
        return self._lane.size + self._writer.segment_bytes <= self._writer.limit

    @property
    def last_trouble(self) -> str | None:
        """What a person was last to be told of."""
        return self._teller.last

    def has_backlog(self) -> bool:
        """Tell whether other processes have left files here, dead or alive."""
        return self.directory is not None and has_lanes(self.directory, self._lane.token)

    def backlog(self) -> Backlog | None:
        """Return what a process that has ended left behind, for this one to send; the oldest first.

        It is returned until it is empty, and then the next.
        """
        if self.directory is None:
            return None
        lane = self._inherited
        if lane is not None:
            if lane.waiting:
                return lane
            self._bequeath(lane)
        now = time.monotonic()
        if now < self._adopt_at:
            return None
        looks = self._looks
        self._inherited = next_orphan(self.directory, self._lane.token, self._reject_damaged)
        if self._inherited is None:
            self._adopt_at = now + LOOK_INTERVAL
            if self._looks != looks:  # while this one looked, which may have been too early
                self.look_again()
        return self._inherited

    def look_again(self) -> None:
        """Have the next call of ``backlog`` look at the directory, however recent the last look is."""
        self._looks += 1
        self._adopt_at = float("-inf")

    def _bequeath(self, lane: Lane) -> None:
        """Let go of a lane that is empty; what it lost is now ours to tell."""
        self._inherited = None
        self._tell_missing(lane)
        losses = lane.losses
        with self._lane.changing():
            self._lost += lane.lost
            self._lane.losses.add(losses.count, losses.first_moment, losses.last_moment)
            if losses.count:
                with contextlib.suppress(OSError):  # then it is remembered as long as we live
                    self._lane.secure()
                    self._lane.remember()
        lane.remove()

    def losses(self) -> Losses:
        """Return what was lost and what the server was not told of yet."""
        with self._lock:
            lost = self._lane.losses
            return Losses(lost.count, lost.first_moment, lost.last_moment)

    def forget_losses(self) -> None:
        """Note that an event that was appended tells the server of them."""
        self._lane.forget_losses()

    def _reject_damaged(self, raw: bytes) -> None:
        if self._rejected_file is not None:
            self._rejected_file.add(raw, "damaged on disk: the checksum does not fit")
        self._teller.tell(f"An event in {self.directory} was damaged on disk and put aside.", "damage")

    def _tell_missing(self, lane: Lane) -> None:
        missing, lane.untold = lane.untold, 0
        if missing:
            self._teller.tell(
                f"{missing} events that were logged are missing in {self.directory}: files were cut,"
                f" deleted or damaged. What is left of damaged ones is in {FILE_NAME} there.",
                "missing",
            )

    # Tending, by the spool's own thread.

    def tend(self) -> float | None:
        """Sync and close what is due; return the seconds to the next time, if there is one."""
        self._writer.tend()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_INTERVAL
            self._share_room()
            self._writer.look_around()
        notices = self._writer.notices
        while notices:
            self._teller.tell(notices.popleft(), "files")
        if not self._lane.waiting and self._inherited is None:
            return self._writer.next_tending()
        look = max(self._look_at - time.monotonic(), _SOON)
        return min(self._writer.next_tending() or look, look)

    def _share_room(self) -> None:
        """Make room at the cost of what was inherited, and see how much the others leave."""
        if self.directory is None:
            return
        total = directory_size(self.directory)
        limit, lane = self.settings.max_bytes, self._inherited
        while lane is not None and total > limit and lane.segments:
            total -= lane.segments[0].size
            lost = lane.drop_oldest()
            self._writer.notices.append(
                f"{lost} events of an earlier process are lost: {self.directory} is full."
            )
        with self._lock:
            # However much the others hold, there is room for something of ours.
            others = max(total - self._lane.size, 0)
            self._writer.limit = max(limit - others, 2 * self._writer.segment_bytes)

    # Ends.

    @property
    def prospects(self) -> str:
        """What becomes of that which waits when the process ends, as a sentence."""
        if self.directory is None:
            return "They are lost, since spool_enabled is off."
        return f"They wait in {self.directory}: the next process that logs to this server sends them."

    def stats(self) -> SpoolStats:
        """Count what waits, here and in what was adopted, and what was lost."""
        with self._lock:
            lanes = [self._lane, *([self._inherited] if self._inherited else [])]
            waiting = [lane for lane in lanes if lane.waiting]
            oldest = min((lane.oldest_moment for lane in waiting), default=None)
            now = time.time_ns() // 1000
            return SpoolStats(
                queued=sum(lane.waiting for lane in lanes),
                rejected=self._rejected_count,
                lost=self._lost + sum(lane.lost for lane in lanes),
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
        self._tender.forget_parent()
        self.abandon()
        self._rejected.clear()
        self._begin()

    def abandon(self) -> None:
        """Close all files as the end of the process does, and delete none."""
        self._tender.close(_PATIENCE)
        for lane in (self._lane, self._inherited):
            if lane is not None:
                lane.abandon()

    def rest(self) -> None:
        """Delete what is empty and close all files; the next append makes new ones.

        What waits is brought to the disk instead, where the next process finds it.
        """
        inherited, self._inherited = self._inherited, None
        if inherited is not None:
            if inherited.waiting:
                inherited.abandon()
            else:
                self._bequeath(inherited)
        with self._lock:
            self._writer.count_all()
            lane = self._lane
            is_empty = not lane.waiting and not lane.losses.count
        if not is_empty:
            self._writer.finish()
            return
        with self._lock:
            if lane.waiting:
                return
            self._lost += lane.lost
            self._lane = self._make_lane(lane.last_position)
            self._writer.change_lane(self._lane)
            self._tender.stop()
        lane.remove()  # without the lock, since it waits for the disk
