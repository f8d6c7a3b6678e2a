"""Marks: that something in a lab began, ended, paused or failed, and when."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec


class Thing(str, Enum):
    """What has a life of its own in a lab."""

    SESSION = "s"
    NODE = "n"
    EXPERIMENT = "e"
    WORKFLOW = "w"
    STEP = "t"
    ACTION = "a"
    FAULT = "f"
    """Of a node, by the id of that; no mark is about it, it is concluded from those of the node."""


class Phase(str, Enum):
    """What a mark says of it."""

    QUEUED = "q"
    BEGIN = "b"
    PAUSE = "p"
    RESUME = "r"
    FAULT = "f"
    CLEAR = "c"
    """A node is well."""
    END = "e"


class Outcome(str, Enum):
    """How something ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That something came into a phase at an instant (microseconds since 1970), and what is known."""

    at: int
    thing: Thing
    phase: Phase
    id: str
    about: dict[str, str]
    """Whose it is and where it belongs (``node``, ``workflow``, ``experiment``, ``workcell``,
    ``campaign``, ``user``, ``author``, ``manager``), its ``name``, and of which ``kind`` it is. Marks
    of which the same is known may share it: it is not to be changed."""
    outcome: Outcome | None = None
    seconds: float | None = None
    """How long it took, where the event that ends it says that itself."""


_OF: Final = "\x1f"
"""Stands between a node and a word that names its actions, one after the other."""


def id_of_word(word: str, node: str) -> str:
    """Return the id of the action of a node that a word names at an instant."""
    return f"{node}{_OF}{word}"


def is_of_word(id_: str) -> bool:
    """Tell whether an id is one, which further actions have, too."""
    return _OF in id_


_ACTION, _NODE, _BEGIN, _COMPLETED = Thing.ACTION, Thing.NODE, Phase.BEGIN, Outcome.COMPLETED
"""Python takes longer to find a member of an enumeration than to compare with it."""


def shows_alive(mark: Mark | None) -> bool:
    """Tell whether an event that names a node as its source is a sign of life of it.

    What others say of the node, such as that a step or an action has failed, is none.
    """
    if mark is None or mark.thing is _NODE:
        return True
    return mark.thing is _ACTION and (mark.phase is _BEGIN or mark.outcome is _COMPLETED)
