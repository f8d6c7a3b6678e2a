"""What a message shows besides the alert: its event, what came before it, and names for ids."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from madsci.common.errors import MadsciError
from madsci.event_manager.alerts.identity import identity
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import And, Compare, Selector
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import NEWEST_FIRST
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import EventReader

_logger = logging.getLogger(__name__)

LAST: Final = 20
"""Events that a message shows of what came before."""
_SECONDS: Final = 5.0
"""For all of it: an alert goes out though the store is slow, with less."""
_NAMES: Final = {
    "node_id": ("node_name",),
    "workflow_id": ("workflow_name", "name"),
    "experiment_id": ("experiment_name", "name"),
    "workcell_id": ("workcell_name",),
    "campaign_id": ("campaign_name",),
}
"""Members of an event's data that name what an id of its source is of."""
_NAMERS: Final = {
    "node_id": "node_start", "workflow_id": "workflow_start", "experiment_id": "experiment_start",
}  # fmt: skip
"""The types of events that tell a name."""
_LONGEST_NAME: Final = 100


@dataclass(frozen=True)
class Evidence:
    """The event that an alert is about, and what came up to it, the last one last."""

    event: StoredEvent | None = None
    around: list[StoredEvent] = field(default_factory=list)
    selector: dict[str, Any] = field(default_factory=dict)
    """What those are that came before, as a selector that anybody can ask."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Of ids, as far as they are known."""


class Reader(EventReader, Protocol):
    """Finds events, and one by its id."""

    def get(self, event_id: str) -> StoredEvent | None:
        """Return the event with this id."""
        ...


def gather(events: Reader, notice: Notice) -> Evidence:
    """Return what there is to show; what the store does not tell in time is left out."""
    budget = Budget(_SECONDS)
    subject = notice.subject
    event: StoredEvent | None = None
    around: list[StoredEvent] = []
    asked: dict[str, Any] = {}
    names: dict[str, str] = {}
    try:
        event = None if subject.event_id is None else events.get(subject.event_id)
        asked = _surroundings(event, subject.group)
        if asked:
            last = notice.made_at if event is None else event.event_timestamp
            around = _last(events, asked, last, budget)
        names = _names_in(around if event is None else [*around, event])
        _look_up(events, event, names, budget)
    except MadsciError as error:
        _logger.warning("An alert goes out with less than there is: %s", error.message)
    return Evidence(event, around, asked, names)


def _surroundings(event: StoredEvent | None, group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the selector of what belongs to an alert: its workflow, else its node or sender."""
    if event is not None:
        document = event.document()
        for path in ("source.workflow_id", "event_data.workflow_id", "source.node_id", "sender.name"):
            value = identity(path).of(document)
            if value is not None:
                return {path: value}
    for name, value in group.items():
        if value is not None:
            places = [".".join(place) for place in identity(name).places]
            return {places[0]: value} if len(places) == 1 else {"$or": [{one: value} for one in places]}
    return {}


def _last(events: EventReader, asked: dict[str, Any], until: int, budget: Budget) -> list[StoredEvent]:
    earlier: Selector = Compare(("event_timestamp",), "$lte", until)
    selector = And((parse_selector(asked), earlier))
    return events.find(Query(selector, LAST, sort=NEWEST_FIRST, budget=budget)).events[::-1]


def _names_in(found: Iterable[StoredEvent]) -> dict[str, str]:
    names: dict[str, str] = {}
    for event in found:
        ids = {member: event.source[member] for member in _NAMES if member in event.source}
        data = event.document()["event_data"] if ids else None
        if isinstance(data, Mapping):
            for member, one in ids.items():
                name = _name_of(member, event.event_type, data)
                if isinstance(one, str) and name is not None:
                    names[one] = name
    return names


def _name_of(member: str, event_type: str, data: Mapping[str, Any]) -> str | None:
    """Return the name that an event tells for one of the ids of its source."""
    own, *others = _NAMES[member]
    is_about_it = event_type.startswith(member.removesuffix("_id"))
    texts = [data.get(own), *(data.get(name) for name in others if is_about_it)]
    return next((text[:_LONGEST_NAME] for text in texts if isinstance(text, str) and text), None)


def _look_up(
    events: EventReader, event: StoredEvent | None, names: dict[str, str], budget: Budget
) -> None:
    for member, kind in _NAMERS.items():
        one = None if event is None else event.source.get(member)
        if isinstance(one, str) and one not in names:
            selector = parse_selector({f"source.{member}": one, "event_type": kind})
            page = events.find(Query(selector, 1, sort=NEWEST_FIRST, budget=budget))
            names.update(_names_in(page.events))
