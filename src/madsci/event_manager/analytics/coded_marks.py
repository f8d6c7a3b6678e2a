"""Marks of one hour as a small document: each text is in it once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from madsci.common.clock import LAST_US
from madsci.event_manager.analytics.marks import Mark, Outcome, Phase, Thing
from madsci.event_manager.analytics.places import Places
from madsci.event_manager.analytics.spans import Span

MOST: Final = 256
"""Marks of one document: few enough to be written anew for each that comes."""
_MOST_TEXT: Final = 50_000
"""Characters of the texts of one document beside ids, of which each has 200. A character takes 6
bytes at most, and a document has to stay below a megabyte."""


class _Row(msgspec.Struct, array_like=True, gc=False):
    """A mark; of what is known beside it, the place of the names, and the places of the texts."""

    at: int
    thing: Thing
    phase: Phase
    id: str
    shape: int
    texts: list[int]
    outcome: Outcome | None = None
    seconds: float | None = None


class CodedMarks(msgspec.Struct, omit_defaults=True):
    """Some marks of an hour, in the order in which they came."""

    shapes: list[tuple[str, ...]] = msgspec.field(default_factory=list)
    """Names of what is known that some marks have, in one order."""
    texts: list[str] = msgspec.field(default_factory=list)
    rows: list[_Row] = msgspec.field(default_factory=list)
    full: list[Span] = msgspec.field(default_factory=list)
    """Of the one that is being filled: the first and last instants in the full ones of its hour."""

    @property
    def span(self) -> Span:
        """The first instant in it, and the last one."""
        times = [row.at for row in self.rows]
        return min(times), max(times)

    def marks(self) -> list[Mark]:
        """Return them."""
        shapes, text = self.shapes, self.texts.__getitem__
        return [
            Mark(
                row.at, row.thing, row.phase, row.id,
                dict(zip(shapes[row.shape], map(text, row.texts), strict=False)),
                row.outcome, row.seconds,
            )
            for row in self.rows
        ]  # fmt: skip


class MarksOfHour:
    """The marks of an hour while further ones are added, in the order in which they come."""

    def __init__(self, last: CodedMarks | None) -> None:
        self.full: list[CodedMarks] = []
        """Those that became full."""
        self.first = LAST_US
        """When the earliest was that was added."""
        self._last = last or CodedMarks()
        self._begin()

    def _begin(self) -> None:
        self._rows = self._last.rows
        self._texts = Places(self._last.texts)
        self._shapes = {shape: place for place, shape in enumerate(self._last.shapes)}

    def add(self, marks: Iterable[Mark]) -> None:
        """Add marks."""
        rows, texts, shapes = self._rows, self._texts, self._shapes
        first = self.first
        for mark in marks:
            if len(rows) >= MOST or texts.length >= _MOST_TEXT:
                self._turn()
                rows, texts, shapes = self._rows, self._texts, self._shapes
            about, at = mark.about, mark.at
            first = min(first, at)
            names = tuple(about)
            shape = shapes.get(names)
            if shape is None:
                shape = shapes[names] = len(shapes)
            places = list(map(texts.__getitem__, about.values()))
            rows.append(
                _Row(at, mark.thing, mark.phase, mark.id, shape, places, mark.outcome, mark.seconds)
            )
        self.first = first

    def _turn(self) -> None:
        """Begin with further ones."""
        full = self.last()
        self.full.append(full)
        self._last = CodedMarks(full=[*full.full, full.span])
        full.full = []
        self._begin()

    def last(self) -> CodedMarks:
        """Return the marks that further ones are added to."""
        self._last.shapes, self._last.texts = list(self._shapes), list(self._texts)
        return self._last


_decoder: Final = msgspec.json.Decoder(CodedMarks)


def encode_marks(marks: CodedMarks) -> str:
    """Return the document as JSON text."""
    return msgspec.json.encode(marks).decode()


def decode_marks(text: str) -> CodedMarks:
    """Return the document that a text is."""
    return _decoder.decode(text)
