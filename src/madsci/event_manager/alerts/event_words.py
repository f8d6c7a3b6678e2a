"""An event in a few words: whose it is, what it says, how serious it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.shortening import one_line
from madsci.event_manager.model.stored_event import StoredEvent, decode_json
from madsci.event_manager.model.text_search import message_of


def level_name(severity: int) -> str:
    """Return the level that a severity is, or is above."""
    return EventLogLevel.at_or_below(severity).name


def who(event: StoredEvent, names: Mapping[str, str], most: int) -> str:
    """Return whose event it is in a word: the name of its node, its sender's, or the node's id."""
    node = event.source.get("node_id")
    sender = {} if event.sender is None else decode_json(event.sender)
    node = node if isinstance(node, str) else ""
    return one_line(names.get(node) or sender.get("name") or node, most)


def what(event: StoredEvent, most: int) -> str:
    """Return what an event says in a line: its message, behind its type where that tells something."""
    message = one_line(message_of(decode_json(event.event_data)), most)
    if not message or not event.event_type.startswith(("log", "unknown")):
        return one_line(f"{event.event_type}: {message}" if message else event.event_type, most)
    return message


def traceback_in(data: Any) -> str | None:
    """Return the traceback in the data of an event, or in an exception that is one of its members."""
    members = data if isinstance(data, dict) else {}
    for one in (members, *members.values()):
        found = one.get("traceback") if isinstance(one, dict) else None
        if isinstance(found, str) and found.strip():
            return found
    return None
