"""Choosing members of events: which ones, and the event with only these.

The choice is MongoDB's projection: the members to show or those to leave out. A path that meets a list
goes on in each object of it; where members are shown, the other items of such a list are left out.
The id is always there. Paths may be the names of columns of an export.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

import msgspec

from madsci.common.clock import iso
from madsci.common.errors import InvalidInputError
from madsci.common.flattening import column_name, column_path, split_names
from madsci.common.types.members import INSTANTS
from madsci.event_manager.model.right_words import is_member, no_member
from madsci.event_manager.model.selector import Path
from madsci.event_manager.model.stored_event import StoredEvent, decode_json

MAX_FIELDS: Final = 200
"""Paths in one choice: more than a table for people has columns."""
MAX_PATH: Final = 1_000
"""Characters of a path."""

_IDS: Final = ("_id", "event_id")
_EXAMPLE: Final = '"event_timestamp,event_data.message" or {"event_data.raw": 0}'

_NOTHING: Final[dict[str, Any]] = {}

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class Fields:
    """Members of events: only these, or with ``excluding`` all but these."""

    paths: tuple[Path, ...]
    excluding: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of their columns, in the order in which they were given."""
        return tuple(map(column_name, self.paths))

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The paths by their names: a tree of dicts, ``None`` where a path ends. Ids are settled."""
        tree: dict[str, Any] = {}
        for path in sorted(self.paths, key=len):  # what a shorter path covers needs no longer one
            _grow(tree, path)
        for name in _IDS:
            if self.excluding:
                tree.pop(name, None)
            else:
                tree[name] = None
        return tree

    def project(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of the document of an event with the chosen members, in its order."""
        project = _without if self.excluding else _only
        chosen: dict[str, Any] = project(document, self.tree)
        return chosen


def _grow(tree: dict[str, Any], path: Path) -> None:
    for name in path[:-1]:
        if tree.setdefault(name, {}) is None:
            return
        tree = tree[name]
    tree[path[-1]] = None


def parse_fields(value: object) -> Fields | None:
    """Read a choice of members; ``None`` when it is empty, which means all of them.

    It is a list of paths to show, the same as text with commas, or an object that says 1 for each
    path to show or 0 for each to leave out. The id may be named in any of them and is always shown.

    Raises:
        InvalidInputError: it is no such choice, too large, or shows some and leaves out others.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _showing(split_names(value))
    if isinstance(value, Mapping):
        return _of_object(value)
    if isinstance(value, (list, tuple)):
        return _showing(value)
    raise _invalid(f"{value!r:.80} is neither paths nor an object of paths")


def _showing(names: Iterable[object]) -> Fields | None:
    paths = _paths(names)
    return Fields(tuple(paths)) if paths else None


def _of_object(choice: Mapping[Any, Any]) -> Fields | None:
    shown = {name: _is_shown(name, flag) for name, flag in choice.items()}
    others = {shown[name] for name in shown if name not in _IDS}
    if len(others) > 1:
        raise _invalid("it shows some members and leaves out others; say 1 for all or 0 for all")
    if others == {False} or not any(shown.values()):
        paths = [path for path in _paths(shown) if path != ("event_id",)]
        return Fields(tuple(paths), excluding=True) if paths else None
    return _showing(shown)


def _is_shown(name: object, flag: object) -> bool:
    if isinstance(flag, (bool, int, float)) and flag in (0, 1):
        return bool(flag)
    raise _invalid(f"{name!r:.80} is given {flag!r:.40}; say 1 to show it or 0 to leave it out")


def _paths(names: Iterable[object]) -> list[Path]:
    """Return the paths without repetitions, in their order."""
    bounded = list(islice(names, MAX_FIELDS + 1))
    if len(bounded) > MAX_FIELDS:
        raise _invalid(f"it has more than {MAX_FIELDS} paths")
    return list(dict.fromkeys(_path(name) for name in bounded))


def _path(name: object) -> Path:
    if not isinstance(name, str):
        raise _invalid(f"{name!r:.80} is no path")
    if len(name) > MAX_PATH:
        raise _invalid(f"the path {name[:40]!r}... has more than {MAX_PATH} characters")
    try:
        path = column_path(name)
    except ValueError as error:
        raise _invalid(str(error)) from error
    if path == ("_id",):
        return ("event_id",)
    # An empty name is meant only where brackets show it.
    if all(path) or '["' in name:
        if not is_member(path):
            raise _invalid(no_member(path))
        return path
    raise _invalid(
        f"{name!r:.80} leads nowhere. Use a member of events, or a path that begins with source,"
        " event_data or extra"
    )


def _invalid(problem: str) -> InvalidInputError:
    message = f"fields: {problem}. Write for example {_EXAMPLE}."
    return InvalidInputError(message, [{"loc": ["fields"], "msg": problem}])


def encode_projected(event: StoredEvent, fields: Fields) -> bytes:
    """Return the event as the REST API shows it, with the chosen members only."""
    return _encoder.encode(_projected(event, fields))


def encode_projected_by_id(events: Iterable[StoredEvent], fields: Fields) -> bytes:
    """Return ``{id: event, ...}`` in the order of the events, each with the chosen members only."""
    return _encoder.encode({event.event_id: _projected(event, fields) for event in events})


def _projected(event: StoredEvent, fields: Fields) -> dict[str, Any]:
    is_looked_into = fields.tree.get("event_data") is not None
    data = decode_json(event.event_data) if is_looked_into else msgspec.Raw(event.event_data)
    document = {"_id": event.event_id, "event_id": event.event_id, **event.document_with(data)}
    for name in INSTANTS:
        if document[name] is not None:
            document[name] = iso(document[name])
    return fields.project(document)


def _only(value: Any, tree: dict[str, Any]) -> Any:
    """Return of an object its members in the tree; of a list each object or list, treated alike."""
    if isinstance(value, list):
        return [_only(item, tree) for item in value if isinstance(item, (dict, list))]
    shown = {}
    for name, member in value.items():
        below = tree.get(name, _NOTHING)
        if below is None:
            shown[name] = member
        elif below and isinstance(member, (dict, list)):
            shown[name] = _only(member, below)
    return shown


def _without(value: Any, tree: dict[str, Any]) -> Any:
    """Return an object without its members in the tree; a list with each object treated alike."""
    if isinstance(value, list):
        return [_without(item, tree) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for name, member in value.items():
        below = tree.get(name, _NOTHING)
        if below is not None:
            shown[name] = _without(member, below) if below else member
    return shown
