"""The nearest right word for a wrong one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

_ALIKE: Final = 0.65
"""How much alike words are, from 0 to 1: a slip of a finger in words of four letters and more."""
_LONGEST: Final = 100
"""Characters that are looked at: comparing takes the square of them, and no right word has so many."""


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that is most like another one, in any letter case; ``None`` if none is."""
    from difflib import get_close_matches  # noqa: PLC0415  (only mistakes need it)

    folded = {one.lower(): one for one in words}
    found = get_close_matches(word[:_LONGEST].lower(), folded, 1, _ALIKE)
    return folded[found[0]] if found else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return a blank and a question with the nearest word, or nothing."""
    near = nearest(word, words)
    return f" Did you mean {near}?" if near else ""


def right_one(word: str, words: Collection[str]) -> str:
    """Return a sentence that names the nearest of some words, or all of them where none is near."""
    meant = nearest(word, words)
    return f"Did you mean {meant}?" if meant else f"Use one of {', '.join(words)}."
