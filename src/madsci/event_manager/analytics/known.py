"""What is known whenever it was told: what nodes are called, where they are, and what sessions began.

It is kept for all together, so that a report of any window says the same of them. What a wrong clock
has begin later than the present is not known to have begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from madsci.common.clock import LAST_US
from madsci.event_manager.analytics.marks import Mark, Phase, Thing

_MOST: Final = 5_000
_MOST_BYTES: Final = 900_000
"""Nodes of which it is kept, and what that may take: it is one document."""
_ACTION, _NODE = Thing.ACTION, Thing.NODE
_TELLS: Final = {Phase.BEGIN, Phase.END}


class Told(NamedTuple):
    """What was told, and when: the earliest holds."""

    at: int
    text: str


class KnownNode(msgspec.Struct, omit_defaults=True):
    """What is known of a node."""

    tells: int | None = None
    """When it first said that it is up, or was."""
    name: Told | None = None
    workcell: Told | None = None

    def learn(self, mark: Mark) -> bool:
        """Take what a mark says of it; tell whether that is new."""
        is_node, about = mark.thing is _NODE, mark.about
        is_new = False
        if is_node and mark.phase in _TELLS and (self.tells is None or mark.at < self.tells):
            self.tells, is_new = mark.at, True
        name = about.get("name") if is_node else None
        if name is not None and (self.name is None or (mark.at, name) < self.name):
            self.name, is_new = Told(mark.at, name), True
        workcell = about.get("workcell")
        if workcell is not None and (self.workcell is None or (mark.at, workcell) < self.workcell):
            self.workcell, is_new = Told(mark.at, workcell), True
        return is_new


KnownNodes = dict[str, KnownNode]
_encoder: Final = msgspec.json.Encoder(order="sorted")
_decoder: Final = msgspec.json.Decoder(KnownNodes)


def nodes_in(text: str | None, until: int = LAST_US) -> KnownNodes:
    """Return what a document says of nodes, and whether they told by an instant when they are up."""
    nodes = {} if text is None else _decoder.decode(text)
    for one in nodes.values():
        if one.tells is not None and one.tells > until:
            one.tells = None
    return nodes


def learned(text: str | None, marks: Iterable[Mark]) -> str | None:
    """Return the document with what marks say of nodes; ``None`` if that is not new.

    Of more nodes than it has room for nothing is kept.
    """
    nodes = nodes_in(text)
    is_new = False
    for mark in marks:
        if mark.thing is _ACTION:
            node = mark.about.get("node")
        elif mark.thing is _NODE:
            node = mark.id
        else:
            continue
        if node is None:
            continue
        known = nodes.get(node)
        if known is None:
            if len(nodes) >= _MOST:
                continue
            known = nodes[node] = KnownNode()
        is_new |= known.learn(mark)
    if not is_new:
        return None
    changed = _encoder.encode(nodes).decode()
    return changed if len(changed) <= _MOST_BYTES else None


class KnownSession(NamedTuple):
    """What is known of the sessions of an id."""

    at: int
    """When the first one began."""
    workcell: str | None
    """Whose things alone belong to them; ``None`` where all do."""


KnownSessions = dict[str, KnownSession]
_session_decoder: Final = msgspec.json.Decoder(KnownSessions)
_MOST_SESSIONS: Final = 2_000
"""Ids of sessions that are kept: a lab has some workcells, each with one id for all its sessions."""


def sessions_in(text: str | None, until: int = LAST_US) -> KnownSessions:
    """Return the sessions of a document that had begun by an instant."""
    sessions = {} if text is None else _session_decoder.decode(text)
    return {id_: one for id_, one in sessions.items() if one.at <= until}


def with_sessions(text: str | None, marks: Iterable[Mark]) -> str | None:
    """Return the document with the sessions that begin with marks; ``None`` if it has them."""
    known = sessions_in(text)
    is_new = False
    for mark in marks:
        former = known.get(mark.id)
        if mark.phase is not Phase.BEGIN or (former is None and len(known) >= _MOST_SESSIONS):
            continue
        if former is None or mark.at < former.at:
            known[mark.id] = KnownSession(mark.at, scope_of(mark.id, mark.about))
            is_new = True
    return _encoder.encode(known).decode() if is_new else None


def scope_of(session: str, about: Mapping[str, str]) -> str | None:
    """Return the workcell whose things alone belong to a session, ``None`` if all do."""
    return about.get("workcell", session) if about.get("kind") == "workcell" else None
