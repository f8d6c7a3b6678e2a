"""Orders in which a question may want its answer.

An order is a list of paths, each ascending or descending; the id ends it, so that no two events are
equal and a cursor has one place. Values of different kinds stand in MongoDB's order of kinds; objects
and arrays are not looked into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from madsci.common.errors import InvalidInputError
from madsci.common.flattening import column_path
from madsci.common.types.members import OBJECTS, SCALARS
from madsci.event_manager.model.right_words import is_member, no_member
from madsci.event_manager.model.selector import Path
from madsci.event_manager.model.values import INT64, Kind, kind_of

MAX_KEYS: Final = 4
"""Paths in one order: people sort by one or two."""
_MAX_PATH: Final = 1_000
_UNSPEAKABLE: Final = frozenset('"\\' + "".join(map(chr, range(32))))
"""Characters that the paths of an engine have no way to say."""

PLAIN: Final = frozenset(
    "_id" if member.name == "event_id" else member.name for member in SCALARS if not member.may_lack
)
"""Members that every event has, of one kind each."""
NULLABLE: Final = frozenset(member.name for member in SCALARS if member.may_lack)
"""Members that hold a value of one kind or nothing."""


_COMMITTED: Final = "committed"
"""Stands for the place in the order of commits, which is no member."""


@dataclass(frozen=True)
class SortKey:
    """A path to sort by."""

    path: Path
    descending: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether every event has a value of one kind there, which is its own place."""
        return len(self.path) == 1 and self.path[0] in PLAIN | {_COMMITTED}

    @property
    def is_of_commits(self) -> bool:
        """Whether it is the order in which events were committed."""
        return self.path == (_COMMITTED,)

    @property
    def is_member(self) -> bool:
        """Whether it is a member of the event itself, with a value of one kind or none."""
        return len(self.path) == 1 and self.path[0] in PLAIN | NULLABLE


Sort = tuple[SortKey, ...]

_ID: Final = ("_id",)
NEWEST_FIRST: Final[Sort] = (SortKey(("event_timestamp",), True), SortKey(_ID, True))
OLDEST_FIRST: Final[Sort] = (SortKey(("event_timestamp",)), SortKey(_ID))
AS_COMMITTED: Final[Sort] = (SortKey((_COMMITTED,)), SortKey(_ID))
"""The order of the feed, of one server; where several write, that of their clocks at the receipt."""
LAST_COMMITTED_FIRST: Final[Sort] = (SortKey((_COMMITTED,), True), SortKey(_ID, True))


def parse_sort(value: object) -> Sort:
    """Read an order: a path, ``-`` before it for descending, or ``{path: 1 or -1}``, or a list.

    Where a path is named again, that has nothing left to order.

    Raises:
        InvalidInputError: it is no order, or a path that events cannot be sorted by.
    """
    listed = value if isinstance(value, list) else [value]
    if len(listed) == 2 and isinstance(listed[0], str) and listed[1] in (1, -1):  # noqa: PLR2004
        listed = [listed]  # one pair, as pymongo takes it
    keys = [key for one in listed for key in _keys(one)]
    if not keys or len(keys) > MAX_KEYS:
        raise _invalid(f"it needs 1 to {MAX_KEYS} paths, and has {len(keys)}")
    paths = [key.path for key in keys]
    keys = [key for place, key in enumerate(keys) if key.path not in paths[:place]]
    if any(key.is_of_commits for key in keys) and len(keys) > 1:
        raise _invalid(f"{_COMMITTED} is an order by itself. Leave out the other paths")
    if _ID not in paths:
        keys.append(SortKey(_ID, keys[-1].descending))
    return tuple(keys)


def _keys(value: object) -> list[SortKey]:
    if isinstance(value, str):
        return [_key(value.lstrip("+-"), -1 if value.startswith("-") else 1)]
    if isinstance(value, Mapping):
        return [_key(name, direction) for name, direction in value.items()]
    if isinstance(value, Sequence) and len(value) == 2:  # noqa: PLR2004 - [path, direction]
        return [_key(value[0], value[1])]
    raise _invalid(f"{value!r:.80} is neither a path nor {{path: 1 or -1}}")


def _key(name: object, direction: object) -> SortKey:
    if not isinstance(name, str) or type(direction) not in (int, float) or direction not in (1, -1):
        raise _invalid(f"{name!r:.80}: {direction!r:.40} is not a path and 1 or -1")
    try:
        path = column_path(name)
    except ValueError as error:
        raise _invalid(str(error)) from error
    if path[0] == "event_id":
        path = ("_id", *path[1:])
    if path == (_COMMITTED,):
        return SortKey(path, direction == -1)
    if not is_member(path):
        raise _invalid(no_member(path))
    is_known = path[0] in OBJECTS if len(path) > 1 else path[0] in PLAIN.union(NULLABLE, OBJECTS)
    if not is_known or len(name) > _MAX_PATH or not _UNSPEAKABLE.isdisjoint("".join(path)):
        raise _invalid(
            f"events cannot be sorted by {name!r:.80}. Use a member of events, or a path that begins"
            " with source, sender, event_data or extra"
        )
    return SortKey(path, direction == -1)


def _invalid(problem: str) -> InvalidInputError:
    message = f'sort: {problem}. Write for example "-event_timestamp" or {{"event_data.step": 1}}.'
    return InvalidInputError(message, [{"loc": ["sort"], "msg": problem}])


def place(document: Mapping[str, Any], sort: Sort) -> list[Any]:
    """Return the place of a document in the order: for each key one value, or three in any kinds."""
    values: list[Any] = []
    for key in sort:
        value: Any = document
        for name in key.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        values.extend([value] if key.is_plain else general_place(value))
    return values


def general_place(value: Any) -> tuple[int, int | float, str]:
    """Return kind, number and text of a value, which sort as it does; SQL has the same three."""
    kind = kind_of(value)
    number: int | float = 0
    if kind in (Kind.NUMBER, Kind.BOOLEAN):
        # Only whole numbers may be asked whether they are in a range: others are sought one by one.
        too_large = isinstance(value, int) and value not in INT64
        number = float(value) if too_large else value + 0
    return int(kind), number, value if kind is Kind.TEXT else ""


def directions(sort: Sort) -> list[bool]:
    """Return for each value of a place whether it descends."""
    return [key.descending for key in sort for _ in range(1 if key.is_plain else 3)]


Item = TypeVar("Item")


def in_order(items: list[tuple[list[Any], Item]], sort: Sort) -> list[tuple[list[Any], Item]]:
    """Return items, each with its place, in the order."""
    for index, descends in reversed(list(enumerate(directions(sort)))):
        items.sort(key=lambda pair, index=index: pair[0][index], reverse=descends)  # type: ignore[misc]
    return items


def is_behind(one: Sequence[Any], other: Sequence[Any], sort: Sort) -> bool:
    """Tell whether a place comes after another one in the order."""
    for value, other_value, descends in zip(one, other, directions(sort), strict=True):
        if value != other_value:
            return bool(value < other_value) is descends
    return False
