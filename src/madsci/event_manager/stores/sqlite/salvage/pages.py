"""The pages of an event file: as the last transaction left them, and all their earlier copies."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from madsci.event_manager.stores.sqlite.salvage.log import (
    Frame,
    Log,
    Standing,
    page_size_of_log,
    plausible_page_size,
    read_log,
)
from madsci.event_manager.stores.sqlite.salvage.raw_file import RawFile

MAGIC: Final = b"SQLite format 3\0"
_NEWEST: Final = 1 << 40
"""Beyond every frame of a log."""
_USUAL: Final = 4096
_SIZES: Final = tuple(512 << power for power in range(8))
_TRIED: Final = 64
"""Pages whose beginnings tell the size of pages where no header does."""
_KINDS: Final = {2: 12, 5: 12, 10: 8, 13: 8}
"""The kinds of pages in trees, and how long their headers are."""


@dataclass(frozen=True)
class Image:
    """A copy of a page. ``number`` is 0 where nobody knows which page it is."""

    number: int
    data: bytes
    frame: int = 0
    """The frame of the log, 0 for the file itself."""
    until: int = 0
    """The frame up to which the pages that belong to it are looked for."""
    standing: Standing = Standing.SURE
    offset: int = 0

    @property
    def is_newest(self) -> bool:
        """Whether it is what the last transaction left."""
        return self.until == _NEWEST

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        if self.frame:
            return f"frame {self.frame:,} of the log (byte {self.offset:,})"
        return f"page {self.number:,} (byte {self.offset:,})"


class Pages:
    """The pages of a file and its log, either of which may be missing. Reads, and changes nothing."""

    def __init__(self, file: RawFile | None, log_file: RawFile | None) -> None:
        self._file, self._log_file = file, log_file
        header = file.read(0, 100) if file else bytes(100)
        self.has_header = header.startswith(MAGIC)
        self.size = _page_size(header if self.has_header else bytes(100), file, log_file)
        reserved = header[20] if self.has_header else 0
        self.usable = self.size - (reserved if reserved <= self.size - 480 else 0)
        """Bytes of a page that SQLite uses."""
        self.log_name = log_file.path.name if log_file else ""
        self.log = read_log(log_file, self.size) if log_file else Log()
        self._in_file = -(-file.size // self.size) if file else 0
        told = self.log.pages or self._told_by_header(header)
        self.count = max(told or 0, self._in_file if not told else 0) or self._most()
        self._frames: dict[int, list[Frame]] = {}
        most = max(self.count, self._in_file) + len(self.log.frames)
        for frame in self.log.frames:
            if frame.standing >= Standing.UNFINISHED:
                if not 1 <= frame.page <= most:
                    frame.standing = Standing.STRAY
                else:
                    self._frames.setdefault(frame.page, []).append(frame)

    def _told_by_header(self, header: bytes) -> int | None:
        """Return the number of pages that the header tells, where that can be."""
        told = int(struct.unpack(">I", header[28:32])[0])
        return told if self.has_header and 0 < told <= (self._in_file + 1) * 4 else None

    def _most(self) -> int:
        frames = [frame.page for frame in self.log.frames if frame.is_intact]
        return max([self._in_file, *frames])

    def newest(self, number: int) -> Image | None:
        """Return a page as the last transaction left it, as far as that is sure, or ``None``."""
        image = self.as_of(number, _NEWEST, doubtful=False)
        return None if image is None else replace(image, until=_NEWEST)

    def is_current(self, number: int) -> bool:
        """Tell whether ``newest`` is the last copy: no damaged one of it follows in the log."""
        frames = self._ended(number)
        return not frames or frames[-1].standing is Standing.SURE

    def is_last(self, image: Image) -> bool:
        """Tell whether no later copy of its page is known."""
        if not image.number or image.standing is Standing.UNFINISHED:
            return True
        frames = self._ended(image.number)
        return image.frame == (frames[-1].number if frames else 0)

    def _ended(self, number: int) -> list[Frame]:
        """Return the copies of a page that are of transactions with an end."""
        frames = self._frames.get(number, ())
        return [frame for frame in frames if frame.standing is not Standing.UNFINISHED]

    def as_of(self, number: int, frame: int, *, doubtful: bool = True) -> Image | None:
        """Return a page as it was when a frame was written."""
        for one in reversed(self._frames.get(number, ())):
            if one.standing is Standing.UNFINISHED and frame == _NEWEST:
                continue
            if one.number <= frame and (doubtful or one.standing is Standing.SURE):
                return self._image_of_frame(one)
        return self._image_of_file(number)

    def images(self) -> Iterator[Image]:
        """Return every copy of every page, the latest and surest first.

        Copies of transactions without an end come only from a log that is damaged: otherwise these
        transactions were never acknowledged.
        """
        frames = reversed(self.log.frames)
        ended = [one for one in frames if one.standing in (Standing.SURE, Standing.DOUBTFUL)]
        yield from map(self._image_of_frame, ended)
        for number in range(1, self._in_file + 1):
            image = self._image_of_file(number)
            if image is not None:
                yield image
        others = [Standing.STRAY, Standing.STALE]
        if self.log.is_damaged:
            others.insert(0, Standing.UNFINISHED)
        for standing in others:
            for frame in reversed(self.log.frames):
                if frame.standing is standing:
                    yield self._image_of_frame(frame)

    def _image_of_frame(self, frame: Frame) -> Image:
        assert self._log_file is not None  # noqa: S101 - frames come from it
        data = self._log_file.read(frame.offset, self.size)
        number = 0 if frame.standing is Standing.STRAY else frame.page
        return Image(number, data, frame.number, frame.until, frame.standing, frame.offset)

    def _image_of_file(self, number: int) -> Image | None:
        if self._file is None or not 1 <= number <= self._in_file:
            return None
        offset = (number - 1) * self.size
        return Image(number, self._file.read(offset, self.size), offset=offset)

    def refused(self) -> list[str]:
        """Return where the disk refused to read, as sentences."""
        files = (self._file, self._log_file)
        return [sentence for file in files if file for sentence in file.refusals()]


def _page_size(header: bytes, file: RawFile | None, log_file: RawFile | None) -> int:
    told = struct.unpack(">H", header[16:18])[0]
    size = plausible_page_size(65_536 if told == 1 else told)
    if size is None and log_file is not None:
        size = page_size_of_log(log_file)
    if size is not None:
        return size
    if file is None:
        return _USUAL
    parts = {one: _part_of_pages(file, one) for one in _SIZES}
    most = max(parts.values())
    # Where pages are small, those of twice the size begin like pages, too.
    return next(one for one in _SIZES if parts[one] >= most * 0.75) if most else _USUAL


def _part_of_pages(file: RawFile, size: int) -> float:
    """Return which part of the first places looks like the beginning of a page of a tree."""
    offsets = range(size, min(file.size, size * _TRIED), size)
    number = 0
    for offset in offsets:
        kind, _, cells, content = struct.unpack(">BHHH", file.read(offset, 7))
        length, content = _KINDS.get(kind), content or 65_536
        # Cells fill a page from its end on: one without any has its content begin there.
        fits = length is not None and length + 2 * cells <= content <= size
        number += fits and (cells > 0 or content == size)
    return number / len(offsets) if offsets else 0.0
