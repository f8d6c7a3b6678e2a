"""The most frequent values of the members that people filter by."""

from __future__ import annotations

from typing import Any, Final

from madsci.common.errors import InvalidInputError
from madsci.common.nearest import did_you_mean
from madsci.event_manager.model.tally import GROUPINGS, Count, Grouping

DEFAULT_TOP: Final = 10
MAX_TOP: Final = 1_000
"""Values of one facet: more than anybody looks through."""


def parse_groupings(names: str | None) -> list[Grouping]:
    """Read names of groupings between commas; all of them for none.

    Raises:
        InvalidInputError: there is no grouping of a name.
    """
    if names is None:
        return list(GROUPINGS.values())
    return [grouping_named(name.strip()) for name in names.split(",")]


def grouping_named(name: str) -> Grouping:
    """Return the grouping of a name.

    Raises:
        InvalidInputError: there is none.
    """
    if name not in GROUPINGS:
        problem = f"{name!r:.40} is none of {', '.join(GROUPINGS)}"
        meant = _named_otherwise(name)
        raise InvalidInputError(f"by: {problem}.{meant}", [{"loc": ["query", "by"], "msg": problem}])
    return GROUPINGS[name]


def _named_otherwise(name: str) -> str:
    """Ask for the grouping by whose path, or in whose name, one was meant."""
    by_path = {path[-1]: one.name for one in GROUPINGS.values() for path in one.paths}
    meant = by_path.get(name.rpartition(".")[2])
    return f" Did you mean {meant}?" if meant else did_you_mean(name, GROUPINGS)


def facet(grouping: Grouping, counts: list[Count], total: int) -> dict[str, Any]:
    """Return a facet as it is sent: its values, the paths that they stand at, and the rest."""
    values = [one for one in counts if one.value is not None]
    missing = sum(one.count for one in counts if one.value is None)
    return {
        "paths": [".".join(path) for path in grouping.paths],
        "values": [{"value": one.value, "count": one.count} for one in values],
        "missing": missing,
        "other": max(0, total - missing - sum(one.count for one in values)),
    }
