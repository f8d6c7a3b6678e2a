"""The waiting events of one process: a lock file that says whose they are, and segments in order.

Whoever holds the lock owns the lane: first the process that logs, which alone appends, and when that
has ended one other process, which ships what is left. The lock file also remembers what is settled,
so that a lane is not sent from its beginning again. A cursor that is behind costs a few duplicates,
which the server knows by their ids; it is never ahead.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from madsci.client.spool.contract import SpooledEvent, event_id_of
from madsci.client.spool.cursor import Cursor
from madsci.client.spool.lane_lock import LaneLock
from madsci.client.spool.losses import Losses
from madsci.client.spool.segments import MemorySegment, Segment, file_name, parse_file_name
from madsci.common.own_file import NotAFileError


class _Mark(NamedTuple):
    """Where an event that was read ends."""

    position: int
    offset: int
    done: int
    moment: int


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
        self._on_damage = on_damage
        self._marks: deque[_Mark] = deque()
        self._retired: list[Segment] = []
        self._lock_file = LaneLock(directory, token)

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
        self._lock_file.secure(self._cursor())

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
        """Delete the files of a lane in which nothing waits."""
        for segment in [*self._retired, *self.segments]:
            segment.close()
            segment.delete()
        self._retired.clear()
        self.segments.clear()
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
                if not self.segments or self.segments[0].waiting_bytes <= 0:
                    return []
                segment = self.segments[0]
                limit, count = segment.size, segment.count
            try:
                batch = self._read_segment(segment, limit, max_events, max_bytes)
            except FileNotFoundError:
                self._drop(segment)
                continue
            if batch:
                return batch
            with self.changing():  # only a torn line is left, or damage has hidden where events end
                if segment in self.segments:
                    self._settle(segment, limit, count)

    def close_unless_next(self, segment: Segment) -> None:
        """Close the file of a segment that is not being read; it is opened again when it is."""
        with self.lock:
            if not self.segments or self.segments[0] is not segment:
                segment.close()

    def acknowledge(self, position: int) -> None:
        """Forget every event up to and including the position."""
        with self.changing():
            last: _Mark | None = None
            while self._marks and self._marks[0].position <= position:
                last = self._marks.popleft()
            if last is None or not self.segments:
                return
            self._settle(self.segments[0], last.offset, last.done)
            self.oldest_moment = self._marks[0].moment if self._marks else last.moment
            self._pass_finished()
            self._lock_file.write(self._cursor())
        self.clear_away()

    def drop_oldest(self, *, on_disk: bool = True) -> int:
        """Give up the oldest segment of a kind; return how many events are lost by that."""
        with self.changing():
            for segment in self.segments:
                if segment.is_on_disk is on_disk:
                    return self._drop(segment)
        return 0

    def clear_away(self) -> None:
        """Delete the segments that are done with. Only the reading thread closes their files."""
        with self.changing():
            retired, self._retired = self._retired, []
        for segment in retired:
            segment.close()
            segment.delete()

    def forget_losses(self) -> None:
        """Note that the server will be told of what was lost."""
        with self.changing():
            self.losses = Losses()
            self._lock_file.write(self._cursor())

    def _read_segment(
        self, segment: Segment, limit: int, max_events: int, max_bytes: int
    ) -> list[SpooledEvent]:
        batch: list[SpooledEvent] = []
        marks: deque[_Mark] = deque()
        done, size = segment.done, 0
        for line in segment.lines(segment.offset, limit):
            if line.body is None:
                if batch:
                    break
                self._on_damage(line.raw)
                with self.changing():
                    done = min(done + 1, segment.count)
                    self.lose(1, segment.first_moment, segment.last_moment)
                    self._settle(segment, line.end, done)
                continue
            size += len(line.body) + 1
            if batch and (size > max_bytes or len(batch) >= max_events):
                break
            done = min(done + 1, segment.count)
            event_id, position = event_id_of(line.body), segment.base + done
            batch.append(SpooledEvent(position, event_id, line.body, line.moment / 1e6))
            marks.append(_Mark(position, line.end, done, line.moment))
        with self.changing():
            if batch and self.segments and self.segments[0] is segment:  # not dropped meanwhile
                self._marks = marks
                self.oldest_moment = marks[0].moment
        return batch

    # Below, the lock is held.

    def _settle(self, segment: Segment, offset: int, done: int) -> None:
        if offset >= segment.size:
            missing = segment.count - done - segment.is_torn
            if missing > 0:
                self.lose(missing, segment.first_moment, segment.last_moment)
            done = segment.count
        self.waiting -= done - segment.done
        segment.offset, segment.done = offset, done

    def _pass_finished(self) -> None:
        while self.segments:
            segment = self.segments[0]
            if not segment.is_sealed or segment.waiting_bytes > 0:
                return
            self._settle(segment, segment.size, segment.count)
            self._retire(segment)

    def _drop(self, segment: Segment) -> int:
        with self.changing():
            if segment not in self.segments:
                return 0
            lost = segment.waiting
            if segment is self.segments[0]:
                self._marks.clear()
            segment.is_sealed = True
            self.waiting -= lost
            self._retire(segment)
            segment.delete()  # at once, if the system can: the disk needs the room
            self.lose(lost, segment.first_moment, segment.last_moment)
            self._lock_file.write(self._cursor())
            return lost

    def lose(self, count: int, first_moment: int, last_moment: int) -> None:
        """Count events that are gone. Moments are microseconds since the epoch."""
        self.lost += count
        self.losses.add(count, first_moment, last_moment)

    def _retire(self, segment: Segment) -> None:
        self.segments.remove(segment)
        self._retired.append(segment)
        if segment.is_on_disk:
            self.size -= segment.size

    def _cursor(self) -> Cursor:
        head = self.segments[0] if self.segments else None
        number, offset = (head.number, head.offset) if head and head.is_on_disk else (0, 0)
        return Cursor(number, offset, self.losses)

    def _load(self) -> None:
        cursor = self._lock_file.read()
        self.losses = cursor.losses
        for path, number in segments_of(self.directory, self.token):
            settled = cursor.offset if number == cursor.number else 0
            try:
                segment = Segment.existing(path, number, self.last_position, settled)
            except NotAFileError:  # somebody put a link, a pipe or a device there: not ours to follow
                continue
            if number < cursor.number:  # all of it is settled, and the end came before it was deleted
                self._retired.append(segment)
                continue
            self.segments.append(segment)
            self.last_position += segment.count
            self.waiting += segment.count
            self.size += segment.size
        if self.segments:
            self.oldest_moment = self.segments[0].first_moment

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
        return segment

    def begin_memory(self, number: int, limit: int, max_events: int) -> Segment:
        """Begin a new segment in memory behind all others, for so many bytes and events."""
        segment = MemorySegment(number, self.last_position, limit, max_events)
        self.segments.append(segment)
        return segment

    def note(self, segment: Segment, size: int, moment: int) -> None:
        """Count a line that was appended."""
        segment.note(size, moment)
        self.last_position += 1
        if segment.is_on_disk:
            self.size += size
        self.waiting += 1
        if self.waiting == 1:
            self.oldest_moment = moment

    def recount(self, found: Iterable[tuple[Segment, tuple[int, int]]], moment: int) -> None:
        """Set the bytes and events of segments to what was found in them, and all sums anew."""
        for segment, (size, count) in found:
            segment.size, segment.count = size, count
            segment.last_moment = moment
            segment.first_moment = segment.first_moment or moment
            self.last_position = max(self.last_position, segment.base + count)
        self.size = sum(segment.size for segment in self.segments if segment.is_on_disk)
        self.waiting = sum(segment.waiting for segment in self.segments)
        self.oldest_moment = self.oldest_moment or moment


def segments_of(directory: Path, token: str) -> list[tuple[Path, int]]:
    """List the segments of a lane on disk in their order."""
    found = []
    for path in directory.iterdir():
        parsed = parse_file_name(path.name)
        if parsed and parsed[0] == token:
            found.append((path, parsed[1]))
    return sorted(found, key=lambda pair: pair[1])
