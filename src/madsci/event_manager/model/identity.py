"""What events have in common: by paths, and by words for what labs write in several places."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from madsci.common.errors import InvalidInputError
from madsci.common.nearest import nearest
from madsci.event_manager.model.right_words import is_member, no_member
from madsci.event_manager.model.stored_event import encode_json

_LONGEST: Final = 200
"""Characters of a value that a group has: what people read, and what a key is made of."""
_PLACES: Final[dict[str, tuple[str, ...]]] = {
    "node": (
        "source.node_id", "event_data.node_id", "event_data.node_name", "event_data.node",
        "sender.name",
    ),
    "workflow": ("source.workflow_id", "event_data.workflow_id"),
    "experiment": (
        "source.experiment_id", "event_data.experiment_id", "event_data.experiment.experiment_id",
        "event_data.experiment._id",
    ),
    "action": (
        "event_data.action_id", "event_data.action", "event_data.task_id", "event_data._id",
        "event_data.id",
    ),
    "action_name": ("event_data.action_name", "event_data.name", "event_data.action"),
    "workflow_name": ("event_data.workflow_name", "event_data.name"),
    "sender": ("sender.name", "sender.host"),
    "type": ("event_type",),
    "message": ("event_data.message", "event_data"),
}  # fmt: skip
"""Where each is looked for, first to last; labs and releases differ in it."""


@dataclass(frozen=True)
class Identity:
    """A word or a path as somebody wrote it, and the places where its value is looked for."""

    name: str
    places: tuple[tuple[str, ...], ...]

    def of(self, document: Mapping[str, Any]) -> str | int | float | bool | None:
        """Return the first plain value there is, ``None`` for none."""
        for place in self.places:
            value = _value_at(document, place)
            if value is not None:
                return value
        return None


def _value_at(document: Mapping[str, Any], place: tuple[str, ...]) -> str | int | float | bool | None:
    value: Any = document
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value[:_LONGEST]
    return value if isinstance(value, (int, float)) else None


def identity(text: str) -> Identity:
    """Return the identity that a word or a path stands for.

    Raises:
        InvalidInputError: it is neither.
    """
    if text in _PLACES:
        return Identity(text, tuple(tuple(place.split(".")) for place in _PLACES[text]))
    path = tuple(text.split("."))
    if not all(path) or not is_member(path):
        meant = nearest(text, _PLACES)
        rest = f"Did you mean {meant}?" if meant else no_member(path)
        raise InvalidInputError(
            f"{text!r:.80} is nothing that events have in common: {rest} Use a path such as"
            f" event_data.plate, or one of {', '.join(_PLACES)}."
        )
    return Identity(text, (path,))


def group_of(identities: Sequence[Identity], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an event by the names of the identities."""
    return {one.name: one.of(document) for one in identities}


def key_of(*parts: Any) -> str:
    """Return a short text that differs where any of the parts, which JSON has, differs."""
    return hashlib.blake2b(encode_json(parts).encode(), digest_size=10).hexdigest()


def who(document: Mapping[str, Any]) -> str:
    """Return whom people know an event to be from: a name where there is one, or an id."""
    found = _NAMED.of(document)
    return "somebody" if found is None else str(found)


_NAMED: Final = Identity(
    "who",
    tuple(
        tuple(place.split("."))
        for place in ("event_data.node_name", "sender.name", "source.node_id", "event_data.node_id")
    ),
)
