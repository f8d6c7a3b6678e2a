"""How programs say which events they mean, and what of them: the types of arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

Moment = datetime | date | str | float
"""A time, of this machine's zone if it has none, a day, or a relative time (``-1h``, ``today``).

``datetime.min`` and ``max`` mean no bound.
"""
SortKey = str | Mapping[str, int] | tuple[str, int]
Sort = SortKey | Sequence[SortKey]
"""A path, with ``-`` in front for descending; or ``{path: 1 or -1}``; or several of these."""
Fields = str | Sequence[str] | Mapping[str, int]
"""Paths that are wanted, in a list or a text; or ``{path: 1}``; or with ``{path: 0}`` all but these."""
