"""The frames of a write-ahead log, also where some of them, or its header, are damaged.

SQLite takes a log up to the first frame that is not as it should be. But each frame carries the sum of
itself and of the one before it, so that it can be checked alone: by the sum that stands in the frame
before it. So one damaged frame costs nothing but itself. See https://www.sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import itertools
import struct
from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from madsci.event_manager.stores.sqlite.salvage.raw_file import RawFile

HEADER: Final = 32
FRAME_HEADER: Final = 24
_MAGIC: Final = 0x377F0682
"""Begins a log whose sums are of little-endian words; with one more, of big-endian ones."""
_WORD: Final = 0xFFFF_FFFF
_GENERATIONS: Final = 1_000
"""So many times the log may have begun anew since a frame behind its end was written."""
_TRIED: Final = 16
"""Frames that tell how sums are made where the header does not."""

Sum = tuple[int, int]
Salts = tuple[int, int]


class Standing(IntEnum):
    """What a frame is to the database. The greater, the sooner a row is taken from it."""

    STALE = 0
    """Of an earlier use of the log: all of it was brought into the file, and may have changed since."""
    STRAY = 1
    """Its header is damaged, so that nobody knows which page it is."""
    UNFINISHED = 2
    """Of a transaction whose end is not there."""
    DOUBTFUL = 3
    """Of a transaction that ended, but the frame is not what was written."""
    SURE = 4
    """Of a transaction that ended, and as it was written."""


@dataclass
class Frame:
    """A page as a transaction left it. ``number`` counts from 1."""

    number: int
    page: int
    size: int
    """Pages of the database, where a transaction ends here; else 0."""
    offset: int
    """Of the page in the log, in bytes."""
    salts: Salts
    stored: Sum
    is_intact: bool = False
    standing: Standing = Standing.STALE
    until: int = 0
    """The last frame of its transaction."""


@dataclass
class Log:
    """The frames of a log in their order, and what is wrong with it, as sentences."""

    frames: list[Frame] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    pages: int | None = None
    """Pages that the database has after the last transaction, if there is one."""

    @property
    def is_damaged(self) -> bool:
        """Whether something in it is not what was written; a log that merely ends early is not."""
        return bool(self.faults)


def page_size_of_log(file: RawFile) -> int | None:
    """Return the size of pages that the log's header tells, if that can be."""
    return plausible_page_size(struct.unpack(">I", file.read(8, 4))[0])


def plausible_page_size(size: int) -> int | None:
    """Return a size of pages that SQLite knows, or ``None``."""
    return size if size in (512 << power for power in range(8)) else None


def read_log(file: RawFile, page_size: int) -> Log:
    """Return all frames of a log, each checked alone."""
    log = Log()
    header = file.read(0, HEADER)
    step = FRAME_HEADER + page_size
    whole = max(0, file.size - HEADER) // step
    for number in range(1, whole + 1):
        log.frames.append(_frame(file, number, HEADER + (number - 1) * step))
    _check_frames(log, file, header, page_size)
    salts = _current_salts(log, header)
    if salts is not None:
        _judge(log, salts)
    rest = max(0, file.size - HEADER - whole * step)
    if rest:
        offset = HEADER + whole * step
        torn = _frame(file, whole + 1, offset)
        torn.standing, torn.until = Standing.STRAY, torn.number
        log.frames.append(torn)
        log.faults.append(f"the log ends amid frame {torn.number} (byte {offset:,})")
    return log


def _frame(file: RawFile, number: int, offset: int) -> Frame:
    page, size, *rest = struct.unpack(">6I", file.read(offset, FRAME_HEADER))
    salts, stored = (rest[0], rest[1]), (rest[2], rest[3])
    return Frame(number, page, size, offset + FRAME_HEADER, salts, stored)


def checksum(data: bytes, start: Sum, order: str) -> Sum:
    """Return SQLite's sum of bytes; ``order`` is that of the bytes in a word, ``<`` or ``>``."""
    first, second = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & _WORD
        second = (second + other + first) & _WORD
    return first, second


def _header_is_intact(header: bytes) -> bool:
    magic = struct.unpack(">I", header[:4])[0]
    if magic & ~1 != _MAGIC:
        return False
    return checksum(header[:24], (0, 0), _order(magic)) == struct.unpack(">2I", header[24:])


def _order(magic: int) -> str:
    return ">" if magic & 1 else "<"


def _check_frames(log: Log, file: RawFile, header: bytes, page_size: int) -> None:
    """Say of each frame whether it is what was written."""
    magic = struct.unpack(">I", header[:4])[0]
    order = _order(magic)
    if magic & ~1 != _MAGIC:
        order = max("<>", key=lambda one: _number_intact(log, file, one, page_size))
    starts = [struct.unpack(">2I", header[24:]), checksum(header[:24], (0, 0), order)]
    computed: Sum | None = None  # of the frame before, where it is not what stands there
    previous: Frame | None = None
    for frame in log.frames:
        content = file.read(frame.offset - FRAME_HEADER, 8) + file.read(frame.offset, page_size)
        sums = [checksum(content, start, order) for start in starts]
        frame.is_intact = frame.page > 0 and frame.stored in sums  # the sum of nothing is nothing
        if frame.is_intact and computed is not None and frame.stored == sums[-1] and previous:
            previous.is_intact = True  # nothing but its own sum was damaged
        starts, computed = [frame.stored], None
        if not frame.is_intact:
            computed = sums[0]
            starts.append(computed)
        previous = frame


def _number_intact(log: Log, file: RawFile, order: str, page_size: int) -> int:
    number = 0
    for frame, following in itertools.pairwise(log.frames[:_TRIED]):
        content = file.read(following.offset - FRAME_HEADER, 8) + file.read(following.offset, page_size)
        number += checksum(content, frame.stored, order) == following.stored
    return number


def _current_salts(log: Log, header: bytes) -> Salts | None:
    """Return the numbers that all frames of the present use of the log carry."""
    if not any(header) and not any(any(frame.salts) for frame in log.frames):
        return None
    told: Salts = struct.unpack(">2I", header[16:24])
    if _header_is_intact(header):
        if not log.frames or any(frame.salts == told for frame in log.frames):
            return told
    else:
        log.faults.append("the header of the log is damaged")
    often = Counter(frame.salts for frame in log.frames)
    for frame in log.frames:
        if any(frame.salts) and (frame.is_intact or often[frame.salts] > 1):
            return frame.salts
    return told


def _judge(log: Log, salts: Salts) -> None:
    """Say of each frame what it is to the database."""
    members: set[int] = set()
    for frame in log.frames:
        if frame.salts == salts or (frame.is_intact and frame.number - 1 in members):
            members.add(frame.number)
    last = max(members, default=0)
    ends = [frame.number for frame in log.frames if frame.number in members and frame.size]
    for frame in log.frames:
        frame.standing = _standing(frame, members, last, ends[-1] if ends else 0, salts)
    damaged = [
        frame for frame in log.frames if not frame.is_intact and frame.standing is not Standing.STALE
    ]
    log.faults += _sentences(damaged)
    _mark_transactions(log, ends)
    sure = [frame.size for frame in log.frames if frame.number in ends and frame.is_intact]
    log.pages = sure[-1] if sure else None


def _sentences(damaged: list[Frame]) -> list[str]:
    """Name damaged frames, those that follow each other together."""
    groups: list[list[Frame]] = []
    for frame in damaged:
        if groups and groups[-1][-1].number == frame.number - 1:
            groups[-1].append(frame)
        else:
            groups.append([frame])
    return [
        f"frame{f's {group[0].number:,} to' if group[1:] else ''} {group[-1].number:,} of the log (from"
        f" byte {group[0].offset - FRAME_HEADER:,}) {'are' if group[1:] else 'is'} not what was written"
        for group in groups
    ]


def _standing(frame: Frame, members: set[int], last: int, end: int, salts: Salts) -> Standing:
    if frame.number in members:
        if frame.number > end:
            return Standing.UNFINISHED
        return Standing.SURE if frame.is_intact else Standing.DOUBTFUL
    if frame.number < last:
        return Standing.STRAY
    uses_ago = (salts[0] - frame.salts[0]) & _WORD
    is_of_earlier_use = 0 < uses_ago < _GENERATIONS or frame.is_intact
    return Standing.STALE if is_of_earlier_use else Standing.STRAY


def _mark_transactions(log: Log, ends: list[int]) -> None:
    places = iter(ends)
    end = next(places, 0)
    for frame in log.frames:
        if frame.number > end:
            end = next(places, len(log.frames))
        frame.until = max(end, frame.number)
