"""Runs side by side, as arrays: those of one kind of which the beginning and the end are known.

They are kept in documents, of which each has numbers for its own texts; here all have the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise

import numpy as np

from madsci.event_manager.analytics.coded_runs import Columns, Whose
from madsci.event_manager.analytics.intervals import Column, Flags, column

_OF_EACH = ("begin", "end", "node", "name", "outcome", "owner")


@dataclass(frozen=True)
class Rows:
    """Runs in the order of nodes; what is told with a text is its number in ``texts``, 0 for none."""

    texts: Sequence[str]
    owners: Column
    """Whose runs are: a row for each owner, with the columns of ``Whose``."""
    begin: Column
    end: Column
    node: Column
    name: Column
    outcome: Column
    """As in ``coded_runs``."""
    owner: Column
    """Which of the owners has it."""

    @classmethod
    def of(cls, parts: Sequence[Columns]) -> Rows:
        """Return what some documents have as columns."""
        places = {"": 0}
        texts = column([places.setdefault(one, len(places)) for part in parts for one in part.texts])
        # What is added to a number of each document, so that it is one of all of them.
        text = _firsts([len(part.texts) for part in parts])
        owner = _firsts([len(part.owners) for part in parts])
        runs = column([len(part.begin) for part in parts])
        owners = _joined(chain.from_iterable(part.owners) for part in parts)
        owners = owners.reshape(-1, len(Whose._fields))
        owners += text.repeat(column([len(part.owners) for part in parts]))[:, np.newaxis]
        nodes = column([place for part in parts for place, _ in part.nodes])
        nodes += text.repeat(column([len(part.nodes) for part in parts]))
        rows = cls(
            list(places),
            texts[owners],
            _joined(part.begin for part in parts),
            _joined(part.end for part in parts),
            texts[nodes].repeat(column([count for part in parts for _, count in part.nodes])),
            texts[_joined(part.name for part in parts) + text.repeat(runs)],
            _joined(part.outcome for part in parts),
            _joined(part.whose for part in parts) + owner.repeat(runs),
        )
        return rows.taken(np.argsort(rows.node, kind="stable"))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.begin)

    def taken(self, which: Column | Flags | slice) -> Rows:
        """Return some of them: by their numbers, in that order; where a flag is set; or a slice."""
        return replace(self, **{name: getattr(self, name)[which] for name in _OF_EACH})

    def whose(self, name: str) -> Column:
        """Return what is known of the owner of each: the number of a text."""
        of_owners: Column = self.owners[:, Whose._fields.index(name)]
        return of_owners[self.owner]

    def by(self, name: str) -> Iterator[tuple[str, Rows]]:
        """Yield each text of a column, ``node`` or ``name``, and the runs with it, in their order."""
        numbers: Column = getattr(self, name)
        rows = self
        if (numbers[1:] < numbers[:-1]).any():
            rows = self.taken(np.argsort(numbers, kind="stable"))
            numbers = getattr(rows, name)
        edges = [0, *(np.flatnonzero(numbers[1:] != numbers[:-1]) + 1).tolist(), len(numbers)]
        for first, beyond in pairwise(edges):
            if first < beyond:
                yield self.texts[numbers[first]], rows.taken(slice(first, beyond))


def _joined(numbers: Iterable[Iterable[int]]) -> Column:
    return np.fromiter(chain.from_iterable(numbers), np.int64)


def _firsts(counts: Sequence[int]) -> Column:
    """Return the number of the first of each, where so many of each come one after the other."""
    return column(list(accumulate(counts, initial=0))[:-1])
