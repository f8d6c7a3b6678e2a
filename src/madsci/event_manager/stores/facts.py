"""Facts about the lab that all servers of a store share: small documents that are kept once."""

from __future__ import annotations

from typing import Final

from madsci.event_manager.model.tables import FACTS, fact_of, kept_fact, put_if_absent
from madsci.event_manager.stores.base import Tables

_AT_ONCE: Final = 1_000
"""Facts in one page."""


def remember(tables: Tables, key: str, value: str) -> str:
    """Keep a fact durably the first time it is given; return the fact that is kept."""
    kept = tables.read(FACTS, key)
    if kept is None:
        tables.apply([put_if_absent(FACTS, key, kept_fact(value))])
        kept = tables.read(FACTS, key)
    return value if kept is None else fact_of(kept)


def facts_about_the_lab(tables: Tables) -> dict[str, str]:
    """Return everything that ``remember`` has kept, by key."""
    found: dict[str, str] = {}
    while page := tables.scan(FACTS, after=next(reversed(found), None), limit=_AT_ONCE):
        found.update((key, fact_of(document)) for key, document in page)
    return found
