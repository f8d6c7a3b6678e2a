"""What is told of an alert, apart from the form: what happened, when, where, how often, what led to it.

The most important comes first. Everything in it is bounded, and holds nothing that is not seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from shlex import quote
from typing import Any, Final

from madsci.common.lengths import duration
from madsci.common.types.ownership_ids import OWNERSHIP_IDS
from madsci.event_manager.alerts.event_words import level_name, traceback_in, what, who
from madsci.event_manager.alerts.evidence import Evidence
from madsci.event_manager.alerts.links import Links
from madsci.event_manager.alerts.notice import Notice, Occasion, Subject
from madsci.event_manager.alerts.shortening import last_lines, lines_of, one_line
from madsci.event_manager.alerts.time_words import time_beside, times
from madsci.event_manager.model.stored_event import (
    StoredEvent,
    decode_json,
    encode_json,
    json_size,
)
from madsci.event_manager.model.text_search import message_of

_WHERE: Final = (
    "node_id", "workcell_id", "manager_id", "workflow_id", "step_id", "experiment_id", "campaign_id",
    "project_id", "user_id", "lab_id",
)  # fmt: skip
"""In the order in which somebody goes there."""
_MAX_SHOWN: Final = 12
"""Ids, and members of the data, that are shown; all of them are behind the link."""
_NOT_DATA: Final = frozenset({"message", "traceback", "event_type", *OWNERSHIP_IDS})
"""What stands elsewhere."""
_LARGEST_QUERY: Final = 2_000
"""Bytes of a selector that somebody copies."""
_LEAST: Final = 20
"""Characters of a text of which there is hardly room for any."""
_SECOND: Final = 1_000_000


@dataclass(frozen=True)
class Room:
    """How much of the texts of events is shown: a share of what there is room for usually."""

    share: float = 1.0

    def of(self, most: int) -> int:
        """Return so many characters, or the share of them."""
        return max(_LEAST, int(most * self.share))


@dataclass(frozen=True)
class Fact:
    """Something in a line or a few."""

    label: str
    lines: list[str]


@dataclass(frozen=True)
class Block:
    """A text with lines of its own; in a list each of them stands for itself."""

    label: str
    text: str
    is_list: bool = False


@dataclass(frozen=True)
class Link:
    """An address that a browser opens."""

    label: str
    url: str


@dataclass(frozen=True)
class Account:
    """All of it, in the order in which it is told."""

    severity: int
    occasion: Occasion
    heading: str
    reason: str
    message: Block | None
    """What the event says, where the heading does not say it."""
    facts: list[Fact]
    blocks: list[Block] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    ways: list[Block] = field(default_factory=list)
    """What else can be asked and said, and how."""


def account_of(
    notice: Notice, evidence: Evidence, links: Links, zone: tzinfo | None, room: Room
) -> Account:
    """Return what is told; ``zone`` is that of people, by default that of this machine."""
    teller = _Teller(notice, evidence, zone, room)
    return Account(
        notice.subject.severity,
        notice.occasion,
        teller.heading(),
        one_line(notice.subject.reason, room.of(1_000)),
        teller.message(),
        list(teller.facts()),
        list(teller.blocks()),
        list(_links(notice, evidence, links)),
        list(_ways(notice, evidence, links)),
    )


class _Teller:
    """Makes the parts of one account."""

    def __init__(self, notice: Notice, evidence: Evidence, zone: tzinfo | None, room: Room) -> None:
        self._notice = notice
        self._subject = notice.subject
        self._evidence = evidence
        self._zone = zone
        self._room = room
        self._data = None if evidence.event is None else decode_json(evidence.event.event_data)

    def heading(self) -> str:
        before = {
            Occasion.OPENED: "",
            Occasion.AGAIN: "Still open: ",
            Occasion.RESOLVED: "Resolved: ",
            Occasion.DRILL: "This is a drill, nothing happened: ",
        }[self._notice.occasion]
        return before + one_line(self._subject.title, self._room.of(300))

    def message(self) -> Block | None:
        if self._evidence.event is None:
            return None
        text = lines_of(message_of(self._data), self._room.of(3_000))
        if not text.strip() and not isinstance(self._data, dict) and self._data is not None:
            text = one_line(encode_json(self._data), self._room.of(3_000))
        is_told = not text.strip() or text in self.heading()
        return None if is_told else Block("Message", text)

    def facts(self) -> Iterator[Fact]:
        subject, event = self._subject, self._evidence.event
        happened = subject.opened_at if event is None else event.event_timestamp
        yield Fact("When", times(happened, self._zone))
        if abs(happened - subject.opened_at) > _SECOND:
            yield Fact("Open since", times(subject.opened_at, self._zone))
        if subject.resolved_at is not None:
            lasted = duration(max(0, subject.resolved_at - subject.opened_at))
            yield Fact("Resolved", [*times(subject.resolved_at, self._zone), f"after {lasted}"])
        where = list(self._where())
        if where:
            yield Fact("Where", where)
        if self._notice.occasion is not Occasion.DRILL:
            yield Fact("How many", [_how_many(subject, self._notice.since_last)])
        yield Fact("Severity", [f"{level_name(subject.severity)} ({subject.severity})"])
        yield Fact("Rule", [one_line(subject.rule, self._room.of(100))])
        if subject.acknowledged_by:
            yield Fact("Acknowledged by", [one_line(subject.acknowledged_by, self._room.of(100))])
        data = list(self._other_data())
        if data:
            yield Fact("Data", data)

    def _where(self) -> Iterator[str]:
        """Yield the ids of the event, of whom it was sent, and what else the group has in common."""
        event, group = self._evidence.event, self._subject.group
        known = {_label(path): value for path, value in group.items()}
        if isinstance(self._data, dict):
            known = {**known, **{one: self._data[one] for one in _WHERE if one in self._data}}
        if event is not None:
            known = {**known, **event.source}
        ordered = sorted(known, key=lambda one: _WHERE.index(one) if one in _WHERE else len(_WHERE))
        for name in ordered[:_MAX_SHOWN]:
            yield self._named(name, known[name])
        yield from _rest(len(ordered))
        sender = decode_json(event.sender) if event is not None and event.sender else {}
        most = self._room.of(100)
        if sender.get("name"):
            host = sender.get("host")
            on = f" on {one_line(host, most)}" if host else ""
            yield f"sender {one_line(sender['name'], most)}{on}"

    def _named(self, name: str, value: Any) -> str:
        """Return an id behind what it is an id of, with its name where that is known."""
        most = self._room.of(100)
        text = one_line(value if isinstance(value, str) else encode_json(value), most)
        told = self._evidence.names.get(value) if isinstance(value, str) else None
        label = one_line(name.removesuffix("_id"), most)
        return f"{label} {text}" if told is None else f"{label} {one_line(told, most)} ({text})"

    def _other_data(self) -> Iterator[str]:
        if not isinstance(self._data, dict):
            return
        others = [name for name in self._data if name not in _NOT_DATA]
        most = self._room.of(160)
        for name in others[:_MAX_SHOWN]:
            value = self._data[name]
            text = value if isinstance(value, str) else encode_json(value)
            yield f"{one_line(name, self._room.of(60))} = {one_line(text, most)}"
        yield from _rest(len(others))

    def blocks(self) -> Iterator[Block]:
        traceback = traceback_in(self._data)
        if traceback:
            yield Block("Traceback", last_lines(traceback, self._room.of(5_000)))
        if len(self._evidence.around) > 1 or (self._evidence.around and self._evidence.event is None):
            label = "The last events" if self._evidence.event is None else "What led to it"
            yield Block(label, "\n".join(map(self._line, self._evidence.around)), is_list=True)

    def _line(self, event: StoredEvent) -> str:
        reference = self._evidence.event
        last = self._notice.made_at if reference is None else reference.event_timestamp
        mark = ">" if reference is not None and event.event_id == reference.event_id else " "
        moment, level = (
            time_beside(event.event_timestamp, last, self._zone),
            level_name(event.log_level),
        )
        by = who(event, self._evidence.names, self._room.of(30))
        said = what(event, self._room.of(140))
        return f"{mark} {moment} {level} {by or '-'}: {said}"


def _label(path: str) -> str:
    last = path.rpartition(".")[2]
    return last if last in _WHERE else path


def _rest(number: int) -> Iterator[str]:
    if number > _MAX_SHOWN:
        yield f"and {number - _MAX_SHOWN} more"


def _how_many(subject: Subject, since_last: int) -> str:
    events = "1 event" if subject.count == 1 else f"{subject.count:,} events"
    return f"{events}, {since_last:,} since you were told" if since_last else events


def _links(notice: Notice, evidence: Evidence, links: Links) -> Iterator[Link]:
    event, event_id = evidence.event, notice.subject.event_id
    if event_id:
        yield Link("The event", links.event(event_id))
    if event is not None or evidence.around:
        last = notice.made_at if event is None else event.event_timestamp
        first = evidence.around[0].event_timestamp if evidence.around else last
        yield Link("All events around it", links.around(first, last))


def _ways(notice: Notice, evidence: Evidence, links: Links) -> Iterator[Block]:
    if is_to_acknowledge(notice):
        body = _as_ascii({"alert_id": notice.subject.alert_id, "by": "your name"})
        command = f"curl {quote(links.acknowledge())} -d {quote(body)}"
        yield Block("To say that you see to it", command)
    if may_be_asked(evidence):
        body = _as_ascii({"selector": evidence.query, "limit": 100})
        yield Block("To see more of what led to it", f"curl {quote(links.query())} -d {quote(body)}")


def _as_ascii(value: Any) -> str:
    """Return JSON in ASCII, so that what is copied is what is seen."""
    return json.dumps(value).replace("\x7f", "\\u007f")


def is_to_acknowledge(notice: Notice) -> bool:
    """Tell whether somebody has still to say that he sees to it."""
    is_open = notice.occasion in (Occasion.OPENED, Occasion.AGAIN)
    return is_open and notice.subject.acknowledged_by is None


def may_be_asked(evidence: Evidence) -> bool:
    """Tell whether there is a question about what is around, short enough to be handed on."""
    return bool(evidence.query) and json_size(evidence.query) <= _LARGEST_QUERY
