"""Marks of one hour as a small document: columns, in which each text is once."""

from __future__ import annotations

from collections.abc import Sequence
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


class CodedMarks(msgspec.Struct, omit_defaults=True):
    """Some marks of an hour, in the order in which they came."""

    texts: list[str] = msgspec.field(default_factory=list)
    shapes: list[tuple[str, ...]] = msgspec.field(default_factory=list)
    """Names of what is known that some marks have, in one order."""
    abouts: list[tuple[int, ...]] = msgspec.field(default_factory=list)
    """What is known beside some marks: the place of its shape, and those of its texts."""
    at: list[int] = msgspec.field(default_factory=list)
    thing: list[Thing] = msgspec.field(default_factory=list)
    phase: list[Phase] = msgspec.field(default_factory=list)
    ids: list[str] = msgspec.field(default_factory=list)
    about: list[int] = msgspec.field(default_factory=list)
    """Places in ``abouts``."""
    outcome: list[Outcome | None] = msgspec.field(default_factory=list)
    seconds: dict[int, float] = msgspec.field(default_factory=dict)
    """By the number of the mark, which not many have."""
    full: list[Span] = msgspec.field(default_factory=list)
    """Of the one that is being filled: the first and last instants in the full ones of its hour."""

    @property
    def span(self) -> Span:
        """The first instant in it, and the last one."""
        return min(self.at), max(self.at)

    def marks(self) -> list[Mark]:
        """Return them."""
        text = self.texts.__getitem__
        abouts = [
            dict(zip(self.shapes[one[0]], map(text, one[1:]), strict=False)) for one in self.abouts
        ]
        about = map(abouts.__getitem__, self.about)
        seconds = map(self.seconds.get, range(len(self.at)))
        return list(map(Mark, self.at, self.thing, self.phase, self.ids, about, self.outcome, seconds))

    def extend(self, marks: Sequence[Mark], abouts: Sequence[int]) -> None:
        """Add marks, and the places of what is known beside them."""
        number = len(self.at)
        self.at += [mark.at for mark in marks]
        self.thing += [mark.thing for mark in marks]
        self.phase += [mark.phase for mark in marks]
        self.ids += [mark.id for mark in marks]
        self.about += abouts
        self.outcome += [mark.outcome for mark in marks]
        for place, mark in enumerate(marks, number):
            if mark.seconds is not None:
                self.seconds[place] = mark.seconds


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
        self._texts = Places(self._last.texts)
        self._shapes = {shape: place for place, shape in enumerate(self._last.shapes)}
        self._abouts = {about: place for place, about in enumerate(self._last.abouts)}

    def add(self, marks: Sequence[Mark]) -> None:
        """Add marks."""
        begin = 0
        while begin < len(marks):
            room = MOST - len(self._last.at)
            places = self._places(marks[begin : begin + room])
            if places:
                taken = marks[begin : begin + len(places)]
                self._last.extend(taken, places)
                self.first = min(self.first, *[mark.at for mark in taken])
                begin += len(places)
            else:
                self._turn()

    def _places(self, marks: Sequence[Mark]) -> list[int]:
        """Return the places of what is known beside the first marks: as many as there is room for."""
        places: list[int] = []
        known: dict[int, int] = {}
        for mark in marks:
            about = mark.about
            place = known.get(id(about))  # which is of this dict as long as the marks are there
            if place is None:
                if self._texts.length >= _MOST_TEXT:
                    break
                place = known[id(about)] = self._place(about)
            places.append(place)
        return places

    def _place(self, about: dict[str, str]) -> int:
        names = tuple(about)
        shape = self._shapes.setdefault(names, len(self._shapes))
        coded = (shape, *map(self._texts.__getitem__, about.values()))
        return self._abouts.setdefault(coded, len(self._abouts))

    def _turn(self) -> None:
        """Begin with further ones."""
        full = self.last()
        self.full.append(full)
        self._last = CodedMarks(full=[*full.full, full.span])
        full.full = []
        self._begin()

    def last(self) -> CodedMarks:
        """Return the marks that further ones are added to."""
        last = self._last
        last.shapes, last.texts, last.abouts = list(self._shapes), list(self._texts), list(self._abouts)
        return last


_decoder: Final = msgspec.json.Decoder(CodedMarks)


def encode_marks(marks: CodedMarks) -> str:
    """Return the document as JSON text."""
    return msgspec.json.encode(marks).decode()


def decode_marks(text: str) -> CodedMarks:
    """Return the document that a text is."""
    return _decoder.decode(text)
