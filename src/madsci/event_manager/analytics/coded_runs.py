"""Runs of one kind as columns: small to keep, and quick to read by the hundred thousand.

Those of which the beginning and the end are known, which are nearly all, are columns, those of a node
side by side; what several have in common is kept once. Others, and what there are few of, are kept as
they are, in the order in which they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from madsci.event_manager.analytics.marks import Outcome, Thing
from madsci.event_manager.analytics.places import Places
from madsci.event_manager.analytics.runs import Run
from madsci.event_manager.analytics.spans import Span

MOST: Final = 2_000
"""Runs of one document."""
_MOST_TEXT: Final = 80_000
"""Characters of their texts, which take 6 bytes at most: a document has to stay below a megabyte."""
_A_TIME: Final = 3
"""Characters that take as much as an instant does."""
_A_RUN: Final = 50
"""Those that take as much as the names of the members of a run, and its times."""
_FEW: Final = {Thing.NODE, Thing.FAULT}
OUTCOMES: Final = (None, *Outcome)
PLACES: Final = {outcome: place for place, outcome in enumerate(OUTCOMES)}
"""What outcomes are in columns."""

_Row = tuple[Run, int, int, int, int]
"""A run with its begin and end, the place of its name, and that of whose it is."""


class Whose(NamedTuple):
    """What some runs have in common besides their node; places of texts, 0 for none."""

    workflow: int = 0
    experiment: int = 0
    workcell: int = 0
    campaign: int = 0
    user: int = 0
    author: int = 0
    kind: int = 0
    manager: int = 0


_WHOSE: Final = Whose._fields
"""What is known of many together; ``node`` and ``name`` are known of each."""


class Columns(msgspec.Struct, omit_defaults=True, dict=True):
    """Runs of one kind. Texts are places in ``texts``, where the first one stands for none."""

    thing: Thing
    texts: list[str] = msgspec.field(default_factory=lambda: [""])
    raw_ids: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"[]"))
    """A list of texts, decoded when somebody asks for it: each of them is another one."""
    nodes: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """Places of nodes, and how many runs of each come there one after the other."""
    begin: list[int] = msgspec.field(default_factory=list)
    end: list[int] = msgspec.field(default_factory=list)
    outcome: list[int] = msgspec.field(default_factory=list)
    name: list[int] = msgspec.field(default_factory=list)
    whose: list[int] = msgspec.field(default_factory=list)
    """Places in ``owners``."""
    owners: list[Whose] = msgspec.field(default_factory=list)
    queued: dict[int, int] = msgspec.field(default_factory=dict)
    seconds: dict[int, float] = msgspec.field(default_factory=dict)
    paused: dict[int, list[Span]] = msgspec.field(default_factory=dict)
    """What few have, by the number of the run."""
    still_paused: list[int] = msgspec.field(default_factory=list)
    """Numbers of runs that ended in a pause."""
    others: list[Run] = msgspec.field(default_factory=list)
    """Those that are in no columns."""

    @cached_property
    def ids(self) -> list[str]:
        """The ids of those in columns."""
        return _ids.decode(self.raw_ids)

    @cached_property
    def of_nodes(self) -> list[tuple[int, int, int]]:
        """The place of each node, and from where on up to where its runs are."""
        beyond = list(accumulate(count for _, count in self.nodes))
        return list(zip((node for node, _ in self.nodes), [0, *beyond], beyond, strict=False))

    def runs(self) -> Iterator[Run]:
        """Yield all of them."""
        texts = self.texts
        common = [
            {name: texts[place] for name, place in zip(_WHOSE, one, strict=True) if place}
            for one in self.owners
        ]
        still_paused = {*self.still_paused}
        for node, first, beyond in self.of_nodes:
            of_node = {"node": texts[node]} if node else {}
            for number in range(first, beyond):
                about = {**common[self.whose[number]], **of_node}
                if name := self.name[number]:
                    about["name"] = texts[name]
                yield Run(
                    self.thing, self.ids[number], self.begin[number], self.end[number], None, None,
                    self.queued.get(number), OUTCOMES[self.outcome[number]], self.seconds.get(number),
                    self.paused.get(number, []), about, None, number in still_paused,
                )  # fmt: skip
        yield from self.others


def columns(runs: Sequence[Run]) -> list[Columns]:
    """Return runs as columns, one or more of each kind, each small enough for a document."""
    found: list[Columns] = []
    for thing in Thing:
        some = [run for run in runs if run.thing is thing]
        while some:
            filling = _Filling(thing)
            some = filling.take(some)
            found.append(filling.columns())
    return found


class _Filling:
    """Makes one document."""

    def __init__(self, thing: Thing) -> None:
        self._thing = thing
        self._places = Places([""])
        self._owners: dict[tuple[str, ...], int] = {}
        self._of_nodes: defaultdict[str, list[_Row]] = defaultdict(list)
        self._others: list[Run] = []

    def take(self, runs: list[Run]) -> list[Run]:
        """Take runs until it is full; return those that are left."""
        places, taken = self._places, 0
        for run in runs[:MOST]:
            if places.length >= _MOST_TEXT:
                break
            taken += 1
            places.length += len(run.id) + 2 * _A_TIME * len(run.paused)
            if run.begin is None or run.end is None or run.thing in _FEW:
                places.length += _A_RUN + sum(map(len, run.about.values()))
                self._others.append(run)
                continue
            about = run.about
            whose = tuple([about.get(name, "") for name in _WHOSE])
            owner = self._owners.get(whose)
            if owner is None:
                owner = self._owners[whose] = len(self._owners)
            row = (run, run.begin, run.end, places[about.get("name", "")], owner)
            self._of_nodes[about.get("node", "")].append(row)
        return runs[taken:]

    def columns(self) -> Columns:
        """Return what was taken."""
        place = self._places.__getitem__
        rows = [row for some in self._of_nodes.values() for row in some]
        runs = [row[0] for row in rows]
        return Columns(
            self._thing,
            nodes=[(place(node), len(some)) for node, some in self._of_nodes.items()],
            begin=[row[1] for row in rows],
            end=[row[2] for row in rows],
            outcome=[PLACES[run.outcome] for run in runs],
            name=[row[3] for row in rows],
            whose=[row[4] for row in rows],
            owners=[Whose._make(map(place, one)) for one in self._owners],
            queued={at: one.queued for at, one in enumerate(runs) if one.queued is not None},
            seconds={at: one.seconds for at, one in enumerate(runs) if one.seconds is not None},
            paused={at: one.paused for at, one in enumerate(runs) if one.paused},
            still_paused=[at for at, one in enumerate(runs) if one.is_paused],
            others=self._others,
            raw_ids=msgspec.Raw(_encoder.encode([run.id for run in runs])),
            texts=list(self._places),
        )


_encoder: Final = msgspec.json.Encoder()
_ids: Final = msgspec.json.Decoder(list[str])
_decoder: Final = msgspec.json.Decoder(Columns)


def encode_columns(runs: Columns) -> str:
    """Return the columns as JSON text."""
    return _encoder.encode(runs).decode()


def decode_columns(text: str) -> Columns:
    """Return the columns that a text is."""
    return _decoder.decode(text)
