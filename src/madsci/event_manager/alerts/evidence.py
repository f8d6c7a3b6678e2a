"""What people want to see with an alert: the event, what came before it, and names for its ids.

An alert goes out though the store is slow or away: then there is less of it, and nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from madsci.common.clock import FIRST_US, iso
from madsci.common.errors import InvalidInputError, QueryTimeoutError, StoreError
from madsci.common.types.ownership_ids import OWNERSHIP_IDS
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector import And, Equals, In, Selector
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import NEWEST_FIRST
from madsci.event_manager.model.stored_event import StoredEvent, decode_json
from madsci.event_manager.stores.base import EventReader

AROUND: Final = 20
"""Events that are shown: a screen of a phone, scrolled once or twice."""
SECONDS: Final = 2.0
"""Time for each of three parts: the event, what is around it, the names. People wait for the alert."""

_TELLING: Final = {
    "node_id": ("node_start", "node_create"),
    "workcell_id": ("workcell_start", "workcell_create"),
    "manager_id": ("manager_start",),
    "workflow_id": ("workflow_start", "workflow_create"),
    "step_id": ("workflow_step_start",),
    "experiment_id": ("experiment_start", "experiment_create"),
    "campaign_id": ("campaign_start", "campaign_create"),
    "lab_id": ("lab_start", "lab_create"),
}
"""The types of events that tell the name of what an id stands for. All stores list events by type."""
_TRIED: Final = 3
"""Events of these that are looked at: of a node that is started every day the last ones."""
_LONGEST_NAME: Final = 200
"""Characters; what is longer is no name, and no id that anybody would look for."""
_MAX_GROUP: Final = 20
"""Paths of a group that are asked for."""
_LISTED: Final = frozenset(
    {"_id", "event_id", "event_type", "trace_id", "sender.name", "sender.host"}.union(
        *({f"source.{name}", f"event_data.{name}"} for name in OWNERSHIP_IDS)
    )
)
"""Paths of which some index lists the events."""
_LOOKED_BACK: Final = 3_600_000_000
"""Microseconds before an alert in which events are looked for that no index lists: an hour of a lab."""


@dataclass(frozen=True)
class Evidence:
    """What was found in time."""

    event: StoredEvent | None = None
    around: list[StoredEvent] = field(default_factory=list)
    """The oldest first; the event itself is the last one, where it is known."""
    names: dict[str, str] = field(default_factory=dict)
    """Of ids, as far as events tell them."""
    query: dict[str, Any] = field(default_factory=dict)
    """The selector whose last events ``around`` has; empty where nothing was asked."""


class _AwayError(Exception):
    """The store does not answer; there is no use in asking again."""


def gather(reader: EventReader, notice: Notice, seconds: float = SECONDS) -> Evidence:
    """Return the evidence for what is to be told. Blocks for three times ``seconds`` or so at most.

    It may be longer where a store that is away takes longer to say so. Raises nothing of the store's.
    """
    subject = notice.subject
    ask = _Asking(reader, seconds)
    event: StoredEvent | None = None
    around: list[StoredEvent] = []
    query: dict[str, Any] = {}
    names: dict[str, str] = {}
    try:
        if subject.event_id:
            event = next(iter(ask.newest(Equals(("_id",), subject.event_id), 1)), None)
        until = event.event_timestamp if event is not None else notice.made_at
        around, query = _around(ask.anew(), event, subject.group, until)
        names.update(_names_told(around))
        _find_names(ask.anew(), _ids(event, subject.group), names)
    except _AwayError:
        pass
    if event is not None and not around:
        around = [event]
    return Evidence(event, around, names, query)


class _Asking:
    """Asks the store within a budget of time; when that is used up, nothing is found any more."""

    def __init__(self, reader: EventReader, seconds: float) -> None:
        self._reader = reader
        self._budget = Budget(seconds)

    def anew(self) -> _Asking:
        return _Asking(self._reader, self._budget.seconds)

    def newest(
        self, selector: Selector, limit: int, before: StoredEvent | None = None
    ) -> list[StoredEvent]:
        """Return the last events that match, before an event in the store's order; the newest first."""
        if self._budget.is_over:
            return []
        after = None if before is None else before.order
        query = Query(selector, limit, after=after, sort=NEWEST_FIRST, budget=self._budget)
        try:
            return self._reader.find(query).events
        except QueryTimeoutError:
            return []
        except StoreError as error:
            raise _AwayError from error


def _around(
    ask: _Asking, event: StoredEvent | None, group: Mapping[str, Any], until: int
) -> tuple[list[StoredEvent], dict[str, Any]]:
    """Return the last events up to one, or to an instant, and the selector that tells of which."""
    own = [] if event is None else [event]
    found: list[StoredEvent] = []
    asked: list[dict[str, Any]] = []
    for same in _having_in_common(event, group):
        selector = _parsed(_until(same, until))
        if selector is None:
            continue
        before = ask.newest(selector, AROUND - len(own), event)
        if before or not asked:
            asked = [*asked, same] if found else [same]
        found += before
    if not asked:
        return own, {}
    newest = sorted({one.event_id: one for one in found}.values(), key=lambda one: one.order)
    query = _until(asked[0] if len(asked) == 1 else {"$or": asked}, until)
    return [*newest[len(own) - AROUND :], *own], query


def _until(selector: dict[str, Any], until: int) -> dict[str, Any]:
    """Return the selector of what matches up to an instant; without an index, what is not long ago."""
    times = {"$lte": iso(until)}
    if selector and _LISTED.isdisjoint(selector) and "$or" not in selector:
        times = {"$gte": iso(max(FIRST_US, until - _LOOKED_BACK)), **times}
    return {**selector, "event_timestamp": times}


def _having_in_common(event: StoredEvent | None, group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield selectors, each to be asked by itself: for ids there are indexes, and for an $or none."""
    if event is not None:
        workflow = _workflow(event)
        if workflow is not None:
            yield {"source.workflow_id": workflow}
            yield {"event_data.workflow_id": workflow}
            return
        for path, value in (("source.node_id", _id_in(event.source, "node_id")), _sender(event)):
            if value is not None:
                yield {path: value}
                return
    if event is not None or group:  # else it is about nothing that events tell
        yield dict(list(group.items())[:_MAX_GROUP])


def _workflow(event: StoredEvent) -> str | None:
    found = _id_in(event.source, "workflow_id")
    return found or _id_in(decode_json(event.event_data), "workflow_id")


def _sender(event: StoredEvent) -> tuple[str, str | None]:
    sender = {} if event.sender is None else decode_json(event.sender)
    return "sender.name", _id_in(sender, "name")


def _id_in(members: Any, name: str) -> str | None:
    value = members.get(name) if isinstance(members, dict) else None
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME else None


def _parsed(selector: dict[str, Any]) -> Selector | None:
    try:
        return parse_selector(selector)
    except InvalidInputError:  # a group by what selectors cannot say
        return None


def _ids(event: StoredEvent | None, group: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids that an event or a group has, by what they are ids of."""
    known = {path.rpartition(".")[2]: value for path, value in group.items()}
    if event is not None:
        data = decode_json(event.event_data)
        known = {**known, **(data if isinstance(data, dict) else {}), **event.source}
    found = ((kind, _id_in(known, kind)) for kind in _TELLING)
    return {kind: value for kind, value in found if value is not None}


def _find_names(ask: _Asking, ids: Mapping[str, str], names: dict[str, str]) -> None:
    """Add a name for each id that has none yet, from the newest event that tells one."""
    for kind, value in ids.items():
        for path in (f"source.{kind}", f"event_data.{kind}"):
            if value not in names:
                types = In(("event_type",), _TELLING[kind])
                found = ask.newest(And((Equals(tuple(path.split(".")), value), types)), _TRIED)
                told = _names_told(reversed(found)).get(value)
                names.update({} if told is None else {value: told})


def _names_told(events: Iterable[StoredEvent]) -> dict[str, str]:
    """Return the names that events tell of ids; of several for one the last."""
    names: dict[str, str] = {}
    for event in events:
        if 'name"' in event.event_data:
            data = decode_json(event.event_data)
            names.update(told for kind in _TELLING for told in _told(event, kind, data))
    return names


def _told(event: StoredEvent, kind: str, data: Any) -> Iterator[tuple[str, str]]:
    """Yield an id of a kind with its name, if an event tells them.

    That is ``workflow_name`` in any event, and ``name`` in one of those that begin a workflow; both may
    stand in an object ``workflow``, too. An id beside the name goes before that of the source.
    """
    word = kind.removesuffix("_id")
    inner = data.get(word) if isinstance(data, dict) else None
    for members in (inner, data):
        value = _id_in(members, kind) or _id_in(data, kind) or _id_in(event.source, kind)
        name = _id_in(members, f"{word}_name")
        if name is None and event.event_type in _TELLING[kind]:
            name = _id_in(members, "name")
        if value is not None and name is not None and name.strip():
            yield value, name
