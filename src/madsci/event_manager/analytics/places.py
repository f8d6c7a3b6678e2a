"""Texts of a document, of which each is in it once: what is said with one says its place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count


class Places(dict[str, int]):
    """The places of texts in a list; whatever is not yet in it comes to its end."""

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__(zip(known, count(), strict=False))
        self.length = sum(map(len, known))
        """Characters of all of them, and what else is counted."""

    def __missing__(self, new: str) -> int:
        place = self[new] = len(self)
        self.length += len(new)
        return place
