"""Appending to a lane: one write to a file per event, whatever threads, signals and disks do."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from madsci.client.spool.lane import Lane
from madsci.client.spool.lines import OVERHEAD, encode_line
from madsci.client.spool.segments import PRIVATE, Segment
from madsci.common.durability import make_private_folders, sync_folder
from madsci.common.own_file import OwnFile

SEGMENT_BYTES: Final = 4 << 20
MEMORY_BYTES: Final = 256_000_000
"""Memory for waiting events: a day of a quiet lab, and still nothing on an instrument's PC."""
_SHARE: Final = 8
"""A segment is at most this part of all the room, so that dropping one does not drop much."""
_PROBE_BYTES: Final = 1 << 16
_MAX_NOTICES: Final = 100
_MICROSECONDS: Final = 1_000_000
_now = time.time_ns


@dataclass(frozen=True)
class SpoolSettings:
    """How much a spool may hold, what happens when that is reached, and when it is synced.

    ``max_bytes`` is for the disk, ``memory_max_*`` for what waits without one.
    """

    max_bytes: int = 512 << 20
    full_policy: Literal["drop_oldest", "block"] = "drop_oldest"
    block_seconds: float = 1.0
    fsync: Literal["none", "interval", "always"] = "interval"
    fsync_interval: float = 0.5
    memory_max_events: int = 100_000
    memory_max_bytes: int = MEMORY_BYTES
    segment_bytes: int = SEGMENT_BYTES


class LaneWriter:
    """The only one to append to a lane. Any thread may append, one tends."""

    def __init__(
        self,
        lane: Lane,
        settings: SpoolSettings,
        on_unsynced: Callable[[], object] = lambda: None,
        *,
        in_memory: bool = False,
    ) -> None:
        """``on_unsynced`` is called when there is something to sync again, and so to tend."""
        self.lane = lane
        self._on_unsynced = on_unsynced
        lane.on_change = self._count_interrupting
        self.limit = settings.max_bytes
        """Bytes that the lane may have on disk: what other processes hold there is taken off."""
        self.segment_bytes = min(settings.segment_bytes, settings.max_bytes // _SHARE)
        self.notices: deque[str] = deque(maxlen=_MAX_NOTICES)
        self._settings = settings
        self._lock = lane.lock
        self._room = threading.Condition(lane.lock)
        self._is_blocking = settings.full_policy == "block"
        self._is_synced_always = settings.fsync == "always"
        self._late = 2 * settings.fsync_interval * _MICROSECONDS
        self._current: Segment | None = None
        self._sealed: list[Segment] = []  # to be synced and closed by the tending thread
        self._number = 0
        self._in_memory = in_memory
        self._interrupting: list[tuple[Segment | None, bytes, int, int]] = []
        self._unsynced_since = 0
        self._trouble: str | None = None

    def append(self, body: bytes) -> int:
        """Append an event to the file; return how many are waiting now."""
        moment = _now() // 1000
        with self._lock:
            lane = self.lane
            if lane.is_busy:  # a signal handler or a finalizer, amid what this thread does to the lane
                return self._append_interrupting(body, moment)
            if self._is_blocking:
                self._await_room(len(body) + OVERHEAD)
            lane.is_busy = True
            is_counted = False
            try:
                segment = self._put(body, moment)
                is_counted = True
                if self._is_synced_always:
                    self._sync([segment])
                since = self._unsynced_since
                if since == 0:
                    self._unsynced_since = moment
                    self._on_unsynced()
                elif not 0 <= moment - since < self._late:
                    self._sync_late(segment, moment)
            finally:
                if not is_counted:
                    self._recount(is_whole=True)
                lane.is_busy = False
                if self._interrupting:
                    self._recount()
            return lane.waiting

    def _await_room(self, size: int) -> None:
        lane = self.lane
        if lane.size + size > self.limit:
            self._room.wait_for(lambda: lane.size + size <= self.limit, self._settings.block_seconds)

    def _put(self, body: bytes, moment: int) -> Segment:
        lane, segment = self.lane, self._current
        position = self._next_position() if self._interrupting else lane.last_position + 1
        line = encode_line(body, position, moment)
        size = len(line)
        if segment is None or segment.size + size > segment.limit or lane.size + size > self.limit:
            segment = self._make_room(size)
            position = self._next_position()  # a handler may have come
            line = encode_line(body, position, moment)
        if not segment.count:
            segment.base = position - 1
        try:
            segment.write(line)
        except OSError as error:
            segment, line = self._write_elsewhere(segment, body, moment, error)
        lane.note(segment, len(line), moment)
        return segment

    def _next_position(self) -> int:
        """Return the number of the next line: never higher than that of lines written, plus one."""
        written = sum(one[0] is not None for one in self._interrupting)
        return self.lane.last_position + written + 1

    def _write_elsewhere(
        self, segment: Segment, body: bytes, moment: int, error: OSError
    ) -> tuple[Segment, bytes]:
        """Write what one file did not take into another, or into memory; return where, and the line."""
        with contextlib.suppress(OSError):
            if segment.has_vanished():
                return self._write_first(self._roll(), body, moment)
        return self._write_first(self._leave_disk(str(error)), body, moment)

    def _write_first(self, segment: Segment, body: bytes, moment: int) -> tuple[Segment, bytes]:
        position = self._next_position()
        line = encode_line(body, position, moment)
        segment.base = position - 1
        segment.write(line)
        return segment, line

    def count_all(self) -> None:
        """Count what an append has left uncounted because an exception came out of a signal handler."""
        with self._lock:
            if self.lane.is_busy or self._interrupting:
                self._recount(is_whole=True)

    def _count_interrupting(self) -> None:
        if self._interrupting:
            self._recount()

    def make_known(self) -> None:
        """Tell threads that wait for room to look again."""
        with self._lock:
            self._room.notify_all()

    def tend(self) -> None:
        """Sync, close and make anew what is due."""
        self.count_all()
        with self._lock:
            sealed, self._sealed = self._sealed, []
            current, since = self._current, self._unsynced_since
        settings = self._settings
        is_due = abs(time.time_ns() // 1000 - since) >= settings.fsync_interval * _MICROSECONDS / 2
        if since and is_due:
            self._unsynced_since = 0
            self.lane.remember()
            if current is not None:
                sealed.append(current)
        if settings.fsync == "interval":
            self._sync([segment for segment in sealed if segment.waiting])
        self._keep_files()
        for segment in sealed:
            if segment.is_sealed and not segment.has_vanished():
                self.lane.close_unless_next(segment)  # one open file is enough, however long the outage

    def _keep_files(self) -> None:
        """See that files which somebody deleted are there again."""
        segment = self._current
        if segment is None or self._in_memory or self._trouble is not None:
            return
        with contextlib.suppress(OSError):
            has_vanished = segment.has_vanished()
            with self.lane.changing():
                if self._current is not segment:  # settled meanwhile
                    return
                if has_vanished:
                    self._roll()
                else:
                    self.lane.secure()
            if has_vanished:
                self.lane.restore()

    def next_tending(self) -> float | None:
        """Return after how many seconds something is to be synced or noted; ``None`` for nothing."""
        if self._unsynced_since:
            return self._settings.fsync_interval / 2
        return None

    def look_around(self) -> None:
        """See whether a disk that was in trouble works again."""
        segment = self._current
        if segment is None or self._trouble is None:
            return
        with contextlib.suppress(OSError):
            self._probe()
            with self.lane.changing():
                if self._current is segment:  # else it was settled meanwhile
                    self._trouble = None
                    self._roll()

    def finish(self) -> None:
        """Bring everything to the disk, before the process ends or is idle for long."""
        with self._lock:
            segments = [*self._sealed, *([self._current] if self._current is not None else [])]
            self._unsynced_since = 0
        self.lane.remember()
        if self._settings.fsync != "none":
            self._sync([segment for segment in segments if segment.waiting])

    def change_lane(self, lane: Lane) -> None:
        """Go on in another lane with the same lock; with the lock held."""
        lane.on_change = self._count_interrupting
        self.lane, self._current = lane, None
        self._unsynced_since = 0
        for segment in self._sealed:
            segment.close()
        self._sealed.clear()

    # Signals, with the lock held.

    def _append_interrupting(self, body: bytes, moment: int) -> int:
        """Append in a signal handler that came amidst an append, which counts this one, too.

        Where there is no file yet, or the disk takes nothing, that one also writes it.
        """
        segment, size = self._current, 0
        try:
            if segment is not None and segment.limit:
                line = encode_line(body, self.lane.last_position + 1, moment)  # or one more
                size = len(line)
                segment.write(line)
            else:
                segment = None
        except OSError:
            segment = None
        self._interrupting.append((segment, body, size, moment))
        return self.lane.waiting

    def _recount(self, *, is_whole: bool = False) -> None:
        """Count what was written but not counted, because a signal came in between.

        All of it anew, if an exception came out of a handler: it may have come amidst counting.
        """
        while True:
            self.lane.is_busy = True  # a handler that comes now leaves its event to this loop
            if is_whole:
                self._count_anew()
            while self._interrupting:
                self._note_interrupting(*self._interrupting[0])
                del self._interrupting[0]
            self.lane.is_busy = False
            if not self._interrupting:
                return

    def _note_interrupting(self, segment: Segment | None, body: bytes, size: int, moment: int) -> None:
        if segment is None:
            self._put(body, moment)
        elif segment in self.lane.segments:
            self.lane.note(segment, size, moment)
        else:  # to make room, it was dropped before this was counted
            self.lane.lose(1, moment, moment)

    def _count_anew(self) -> None:
        lane, current = self.lane, self._current
        for segment in lane.segments:
            if segment is not current and not segment.is_sealed:
                segment.is_sealed = True
                self._sealed.append(segment)
        while True:
            pending = self._interrupting[:]
            touched = {one[0] for one in pending} | {current}
            found = [(one, one.measure()) for one in lane.segments if one in touched]
            if len(self._interrupting) == len(pending):
                break
        self._interrupting[: len(pending)] = [one for one in pending if one[0] is None]
        lane.recount(found, time.time_ns() // 1000)
        for one, _, _, moment in pending:
            if one is not None and one not in lane.segments:
                lane.lose(1, moment, moment)

    # Room, with the lock held.

    def _make_room(self, size: int) -> Segment:
        """Return the segment to append to: a new one, and old ones dropped, where it must be."""
        lane, segment = self.lane, self._current
        if segment is None or segment.size + size > segment.limit:
            segment = self._roll()
        while lane.size > 0 and lane.size + size > self.limit:
            if not any(one.is_on_disk for one in lane.segments if one is not segment):
                segment = self._roll()  # the only one must go, and may not while it is appended to
            lost = lane.drop_oldest(on_disk=True)
            self._tell_lost(lost, "the spool is full. Bring the Event Manager back, or raise"
                            " spool_max_bytes")  # fmt: skip
        return segment

    def _roll(self) -> Segment:
        """Begin a new segment: on disk, if it is well."""
        if self._in_memory or self._trouble is not None:
            return self._replace(self._begin_memory())
        try:
            return self._replace(self.lane.begin_segment(self._next_number(), self.segment_bytes))
        except OSError as error:
            return self._leave_disk(str(error))

    def _replace(self, segment: Segment) -> Segment:
        old, self._current = self._current, segment
        if old is not None:
            old.is_sealed = True
            self._sealed.append(old)
        return segment

    def _leave_disk(self, reason: str) -> Segment:
        if self._trouble is None:
            self._trouble = reason
            self.notices.append(
                f"Events cannot be kept in {self.lane.directory} ({reason}): they wait in memory and"
                " are lost if this process ends before they are sent. Free the disk, or set spool_dir"
                " to a directory that can be written."
            )
        return self._replace(self._begin_memory())

    def _begin_memory(self) -> Segment:
        settings = self._settings
        limit = min(self.segment_bytes, settings.memory_max_bytes // _SHARE)
        events = max(settings.memory_max_events // _SHARE, 1)
        held = [one for one in self.lane.segments if not one.is_on_disk]
        while held and (
            sum(one.waiting for one in held) + events > settings.memory_max_events
            or sum(one.size for one in held) + limit > settings.memory_max_bytes
        ):
            self._tell_lost(
                self.lane.drop_oldest(on_disk=False), "the memory for waiting events is full"
            )
            held.pop(0)
        return self.lane.begin_memory(self._next_number(), limit, events)

    def _tell_lost(self, count: int, reason: str) -> None:
        if count:
            self.notices.append(f"{count} events are lost: {reason} ({self.lane.directory}).")

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _probe(self) -> None:
        """Write a file that holds more than nothing: a full disk still lets one make empty ones."""
        make_private_folders(self.lane.directory)
        path = self.lane.directory / f"{self.lane.token}.probe"
        path.unlink(missing_ok=True)
        file = OwnFile(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, PRIVATE)
        try:
            file.append(bytes(_PROBE_BYTES))
        finally:
            file.close()
            path.unlink(missing_ok=True)

    # The disk.

    def _sync_late(self, segment: Segment, moment: int) -> None:
        """Sync in a log call: the tending thread did not get to it, or the clock was set back."""
        self._unsynced_since = moment
        if self._settings.fsync == "interval":
            self._sync([segment])

    def _sync(self, segments: Sequence[Segment]) -> None:
        try:
            for folder in self.lane.take_new_folders():
                sync_folder(folder)
            for segment in segments:
                segment.sync()
        except OSError as error:
            self.notices.append(f"Events in {self.lane.directory} could not be synced: {error}")
