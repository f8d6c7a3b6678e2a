"""The waiting events of one process: a lock file that says whose they are, and segments in order.

Whoever holds the lock owns the lane: first the process that logs, which alone appends, and when that
has ended one other process, which ships what is left. The lock file also remembers what is settled,
so that a lane is not sent from its beginning again. A cursor that is behind costs a few duplicates,
which the server knows by their ids; it is never ahead. Each line has its number: where one is missing,
the file is looked through once more, and then the event is lost, counted, and told.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from madsci.client.spool.contract import SpooledEvent
from madsci.client.spool.cursor import Cursor
from madsci.client.spool.inheritance import take_over
from madsci.client.spool.lane_lock import LaneLock
from madsci.client.spool.lines import Line
from madsci.client.spool.losses import Losses
from madsci.client.spool.segment_reading import Mark, Reading, read_segment
from madsci.client.spool.segments import MemorySegment, Segment, file_name
from madsci.common.own_file import NotAFileError

_KEPT_BYTES: Final = 1 << 16
"""Damaged bytes that are put aside, at most: more than people look at."""


class Lane:
    """The events of one process. Appending and dropping hold ``lock``; one thread at a time reads.

    Whoever holds the lock may be interrupted by himself: a finalizer, which Python runs amid any
    code, may log. While ``is_busy``, what it appends is only written, and counted by the holder
    (``on_change``) before the lock is free.
    """

    def __init__(
        self,
        directory: Path,
        token: str,
        lock: threading.RLock | None = None,
        on_damage: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self.directory = directory
        self.token = token
        self.lock = lock or threading.RLock()
        self.is_busy = False
        self.on_change: Callable[[], object] = lambda: None
        self.segments: deque[Segment] = deque()
        self.losses = Losses()
        self.last_position = 0
        self.waiting = 0
        self.size = 0
        """Bytes of the segments on disk."""
        self.oldest_moment = 0
        self.lost = 0
        self.untold = 0
        """Events that were found to be missing, until somebody sets it back."""
        self._on_damage = on_damage
        self._marks: deque[Mark] = deque()
        self._retired: list[Segment] = []
        self._new_folders: list[Path] = []
        self._next_number = 0  # above all segments that are done with
        self._gone = 0  # of what a process left behind: what it counted as lost itself
        self._settled_before = 0
        self._damaged_to: tuple[int, int] = (0, 0)  # where damage was last put aside
        self._lock_file = LaneLock(directory, token)
        self.written = self._lock_file.written

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock for a change that a finalizer of this thread must not come into."""
        with self.lock:
            was_busy, self.is_busy = self.is_busy, True
            try:
                yield
            finally:
                self.is_busy = was_busy
                if not was_busy:
                    self.on_change()

    # Owning.

    def secure(self) -> None:
        """Make directory and lock file where they are missing, and take the lock.

        Raises:
            OSError: the directory cannot be written, or knows no locks.
        """
        self._new_folders += self._lock_file.secure(self._cursor())
        self.written = self._lock_file.written

    def take_new_folders(self) -> list[Path]:
        """Return folders with new names in them, which are to be synced, once."""
        folders, self._new_folders = self._new_folders, []
        return folders

    def remember(self) -> bool:
        """Note durably how far the lane goes and is settled; tell whether that succeeded."""
        with self.changing():
            return self._lock_file.write(self._cursor())

    @classmethod
    def adopt(
        cls, directory: Path, token: str, on_damage: Callable[[bytes], None] = lambda _: None
    ) -> Lane | None:
        """Take over the lane of a process that has ended; ``None`` if it has an owner.

        Raises:
            OSError: it cannot be read.
        """
        lane = cls(directory, token, on_damage=on_damage)
        if not lane._lock_file.take():
            return None
        try:
            lane._load()
        except OSError:
            lane.abandon()
            raise
        return lane

    def abandon(self) -> None:
        """Close everything and leave it as it is: for a process that ends, and for forked children."""
        for segment in [*self.segments, *self._retired]:
            segment.close()
        self._lock_file.release()

    def remove(self) -> None:
        """Delete the files of a lane in which nothing waits, and whose losses others tell."""
        self.losses = Losses()
        self.remember()
        self._retired.extend(self.segments)
        self.segments.clear()
        self.clear_away()
        self._lock_file.delete()

    # Reading, by one thread.

    @property
    def settled_position(self) -> int:
        """The position up to which every event is settled."""
        with self.lock:
            for segment in self.segments:
                if segment.waiting:
                    return segment.base + segment.done
            return self.last_position

    def read(self, max_events: int, max_bytes: int) -> list[SpooledEvent]:
        """Return the oldest waiting events within the bounds, but at least one if any waits.

        Raises:
            OSError: a file cannot be read for now.
        """
        while True:
            with self.changing():
                self._pass_finished()
                if not self.segments or not self.segments[0].waiting:
                    return []
                segment = self.segments[0]
                limit = None if segment.is_sealed else segment.size
            try:
                reading = read_segment(segment, limit, max_events, max_bytes)
            except (FileNotFoundError, NotAFileError):
                self.untold += self._drop(segment)
                continue
            if reading.damage is not None:
                self._put_aside(segment, reading.damage)
            with self.changing():
                if not self.segments or self.segments[0] is not segment:  # dropped meanwhile
                    if reading.events:
                        return reading.events
                elif reading.events:
                    self._marks = reading.marks
                    self.oldest_moment = reading.marks[0].moment
                    return reading.events
                else:
                    self._pass(segment, reading)

    def close_unless_next(self, segment: Segment) -> None:
        """Close the file of a segment that is not being read; it is opened again when it is."""
        with self.lock:
            if not self.segments or self.segments[0] is not segment:
                segment.close()

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position."""
        with self.changing():
            last: Mark | None = None
            while self._marks and self._marks[0].position <= position:
                last = self._marks.popleft()
            if last is None or not self.segments:
                return
            self._settle(self.segments[0], last.offset, last.done)
            self.oldest_moment = self._marks[0].moment if self._marks else last.moment
            self._pass_finished()
            is_known = self.remember()
        if is_known:
            self.clear_away()

    def drop_oldest(self, *, on_disk: bool = True) -> int:
        """Give up the oldest segment of a kind; return how many events are lost by that."""
        with self.changing():
            for segment in self.segments:
                if segment.is_on_disk is on_disk:
                    return self._drop(segment)
        return 0

    def restore(self) -> None:
        """Write anew what somebody deleted and we had open, and count what was not open as lost.

        Raises:
            OSError: it cannot be written.
        """
        for segment in list(self.segments):
            if segment.is_lost():
                self.untold += self._drop(segment)
            elif segment.is_sealed:
                segment.restore()
                self.close_unless_next(segment)

    def clear_away(self) -> None:
        """Delete the segments that are done with. Only the reading thread closes their files."""
        with self.changing():
            retired, self._retired = self._retired, []
        if any(segment.is_on_disk for segment in retired):
            self._lock_file.sync()  # or, after a loss of power, they would seem to be missing
        for segment in retired:
            segment.close()
            segment.delete()

    def forget_losses(self) -> None:
        """Note that the server will be told of what was lost."""
        with self.changing():
            self.losses = Losses()
            self.remember()

    def _put_aside(self, segment: Segment, damage: Line) -> None:
        place = (segment.number, damage.end)
        if place > self._damaged_to:  # not again, where a file is read twice
            self._damaged_to = place
            self._on_damage(damage.raw[:_KEPT_BYTES])

    # Below, the lock is held.

    def _pass(self, segment: Segment, reading: Reading) -> None:
        """Go on behind what is damaged or missing."""
        if reading.damage is not None:
            segment.offset = reading.damage.end
        elif not reading.gap and not segment.is_sealed:
            segment.seal()  # and look once more: so nothing can come after that look
        elif not segment.rewind():
            self._miss(segment, reading.gap or segment.count)

    def _settle(self, segment: Segment, offset: int, done: int) -> None:
        more = max(done - segment.count, 0)  # more than there should be
        segment.count += more
        self.waiting -= done - segment.done - more
        segment.offset, segment.done = offset, done

    def _miss(self, segment: Segment, done: int) -> None:
        """Pass over events that are not there."""
        begin, end = segment.base + segment.done, segment.base + done
        self.waiting -= end - begin
        segment.done = done
        missing = max(end - max(begin, self._settled_before), 0)
        known = min(missing, self._gone)
        self._gone -= known
        self.waiting += known
        self.untold += missing - known
        self.lose(missing - known, segment.first_moment, segment.last_moment)

    def _pass_finished(self) -> None:
        while self.segments:
            segment = self.segments[0]
            if not segment.is_sealed or segment.waiting > 0:
                return
            self._retire(segment)

    def _drop(self, segment: Segment) -> int:
        with self.changing():
            if segment not in self.segments:
                return 0
            if segment is self.segments[0]:
                self._marks.clear()
            before, untold = self.lost, self.untold
            self._miss(segment, segment.count)
            self.untold = untold
            segment.seal()
            self._retire(segment)
            segment.delete()  # at once, if the system can: the disk needs the room
            self.remember()
            return self.lost - before

    def lose(self, count: int, first_moment: int, last_moment: int) -> None:
        """Count events that are gone. Moments are microseconds since the epoch."""
        self.lost += count
        self.losses.add(count, first_moment, last_moment)

    def _retire(self, segment: Segment) -> None:
        self.segments.remove(segment)
        self._retired.append(segment)
        self._next_number = max(self._next_number, segment.number + 1)
        if segment.is_on_disk:
            self.size -= segment.size

    def _cursor(self) -> Cursor:
        head = self.segments[0] if self.segments else None
        number = head.number if head else self._next_number
        offset = head.offset if head and head.is_on_disk and not head.is_rewound else 0
        settled = self.settled_position
        gone = max(self.last_position - settled - self.waiting, 0)
        return Cursor(number, offset, settled, self.last_position, gone, self.losses)

    def _load(self) -> None:
        cursor = self._lock_file.read()
        self.written = self._lock_file.written
        written = max(self.written[0], cursor.written if cursor else 0)
        left = take_over(self.directory, self.token, cursor, written)
        self.segments.extend(left.segments)
        self._retired, self._gone, self.last_position = left.settled, left.gone, left.last_position
        self.size = sum(segment.size for segment in left.segments)
        self.waiting = sum(segment.waiting for segment in left.segments) - left.gone
        if left.segments:
            self.oldest_moment = left.segments[0].first_moment
        if cursor is not None:
            self.losses, self._settled_before = cursor.losses, cursor.settled
            self._next_number = cursor.number
        self.untold = left.missing
        self.lose(left.missing, 0, 0)

    # Appending, by the owner.

    def begin_segment(self, number: int, limit: int) -> Segment:
        """Begin a new segment on disk behind all others, for so many bytes.

        Raises:
            OSError: there is no place for it.
        """
        self.secure()
        path = self.directory / file_name(self.token, number)
        segment = Segment.create(path, number, self.last_position, limit)
        self.segments.append(segment)
        self.remember()
        return segment

    def begin_memory(self, number: int, limit: int, max_events: int) -> Segment:
        """Begin a new segment in memory behind all others, for so many bytes and events."""
        segment = MemorySegment(number, self.last_position, limit, max_events)
        self.segments.append(segment)
        return segment

    def note(self, segment: Segment, size: int, moment: int) -> None:
        """Count a line that was appended."""
        segment.size += size
        segment.last_moment = moment
        count = segment.count = segment.count + 1
        if count == 1:
            segment.first_moment = moment
        if count == segment.max_count:
            segment.limit = 0
        self.written[0] = self.last_position = self.last_position + 1
        if segment.is_on_disk:
            self.size += size
        waiting = self.waiting = self.waiting + 1
        if waiting == 1:
            self.oldest_moment = moment

    def recount(self, found: Iterable[tuple[Segment, tuple[int, int]]], moment: int) -> None:
        """Set the bytes and events of segments to what was found in them, and all sums anew."""
        for segment, (size, count) in found:
            segment.size, segment.count = size, max(count, segment.count)
            segment.last_moment = moment
            segment.first_moment = segment.first_moment or moment
            self.last_position = max(self.last_position, segment.base + segment.count)
        self.written[0] = self.last_position
        self.size = sum(segment.size for segment in self.segments if segment.is_on_disk)
        self.waiting = sum(segment.waiting for segment in self.segments)
        self.oldest_moment = self.oldest_moment or moment
