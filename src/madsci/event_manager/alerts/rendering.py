"""A notice with its evidence as a message: a title, a text, HTML, and a document for programs.

A message has 60 kB at most, whatever the events hold: where that is not enough, less is shown of texts.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

from madsci.common.clock import iso
from madsci.event_manager.alerts.account import (
    Room,
    account_of,
    is_to_acknowledge,
    may_be_asked,
)
from madsci.event_manager.alerts.account_html import as_html
from madsci.event_manager.alerts.account_text import as_text
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.event_words import level_name, what, who
from madsci.event_manager.alerts.evidence import Evidence
from madsci.event_manager.alerts.links import Links
from madsci.event_manager.alerts.notice import Notice, Occasion, Subject
from madsci.event_manager.alerts.shortening import cut, one_line, shortened
from madsci.event_manager.model.stored_event import (
    StoredEvent,
    decode_json,
    encode_event,
    json_size,
)
from madsci.event_manager.model.text_search import message_of

LARGEST: Final = 60_000
"""Bytes of title, text, HTML and document together: mail programs cut what is larger."""
LONGEST_TITLE: Final = 150
"""Characters of a title: what lists of mails and notifications show is shorter still."""
_SHARES: Final = (1.0, 0.5, 0.25, 0.1, 0.03)
"""How much of the texts of events is shown: the first that is small enough; else next to nothing."""
_MAX_NAMES: Final = 20
"""Names of ids: those of the event itself, and some of what is around it."""


def render(notice: Notice, evidence: Evidence, links: Links, zone: tzinfo | None = None) -> Message:
    """Return the message; ``zone`` is that of the people told, by default that of this machine."""
    for share in _SHARES:
        message = _rendered(notice, evidence, links, zone, Room(share))
        if _size(message) <= LARGEST:
            return message
    return _rendered(notice, evidence, links, zone, Room(0.0))


def _size(message: Message) -> int:
    texts = (message.title, message.text, message.html or "")
    return sum(len(one.encode(errors="replace")) for one in texts) + json_size(message.document)


def _rendered(
    notice: Notice, evidence: Evidence, links: Links, zone: tzinfo | None, room: Room
) -> Message:
    account = account_of(notice, evidence, links, zone, room)
    return Message(
        notice.key,
        title_of(notice, evidence),
        as_text(account),
        as_html(account),
        notice.subject.severity,
        notice.subject.event_id,
        _document(notice, evidence, links, room),
    )


def title_of(notice: Notice, evidence: Evidence) -> str:
    """Return the title: why somebody is told, how serious it is, and what it is, in one line."""
    subject = notice.subject
    level = level_name(subject.severity)
    if notice.occasion is Occasion.RESOLVED:
        return one_line(f"RESOLVED: {subject.title}", LONGEST_TITLE)
    if notice.occasion is Occasion.DRILL:
        return one_line(f"DRILL: {subject.title}", LONGEST_TITLE)
    if notice.occasion is Occasion.AGAIN:
        more = f", {notice.since_last:,} more" if notice.since_last else ""
        return one_line(f"STILL ({level}): {subject.title}", LONGEST_TITLE - len(more)) + more
    if evidence.event is None or subject.count > 1:
        return one_line(f"ALERT ({level}): {subject.title}", LONGEST_TITLE)
    return _of_one_event(f"ALERT ({level})", evidence.event, evidence)


def _of_one_event(before: str, event: StoredEvent, evidence: Evidence) -> str:
    by = who(event, evidence.names, 40)
    said = one_line(message_of(decode_json(event.event_data)), LONGEST_TITLE)
    rest = ": ".join(one for one in (by, said) if one)
    title = f"{before}: {one_line(event.event_type, 60)}"
    return cut(f"{title} - {rest}" if rest else title, LONGEST_TITLE)


def _document(notice: Notice, evidence: Evidence, links: Links, room: Room) -> dict[str, Any]:
    event = evidence.event
    return {
        "type": f"alert.{notice.occasion.value}",
        "key": notice.key,
        "made_at": iso(notice.made_at),
        "alert": _alert(notice.subject, notice.since_last, room),
        "event": None if event is None else _as_rest_shows(event, room),
        "around": [_in_short(one, evidence, room) for one in evidence.around],
        "names": _names(evidence, room),
        "query": evidence.query if may_be_asked(evidence) else None,
        "links": _addresses(notice, evidence, links),
    }


def _alert(subject: Subject, since_last: int, room: Room) -> dict[str, Any]:
    return {
        "alert_id": subject.alert_id,
        "rule": cut(subject.rule, room.of(200)),
        "severity": subject.severity,
        "severity_name": level_name(subject.severity),
        "title": cut(subject.title, room.of(500)),
        "reason": cut(subject.reason, room.of(1_000)),
        "group": shortened(subject.group, room.of(2_000)),
        "opened_at": iso(subject.opened_at),
        "resolved_at": None if subject.resolved_at is None else iso(subject.resolved_at),
        "count": subject.count,
        "since_last": since_last,
        "event_id": subject.event_id,
        "acknowledged_by": subject.acknowledged_by and cut(subject.acknowledged_by, room.of(200)),
    }


def _as_rest_shows(event: StoredEvent, room: Room) -> Any:
    return shortened(decode_json(encode_event(event)), room.of(10_000))


def _in_short(event: StoredEvent, evidence: Evidence, room: Room) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "event_timestamp": iso(event.event_timestamp),
        "event_type": cut(event.event_type, room.of(60)),
        "log_level": event.log_level,
        "who": who(event, evidence.names, room.of(60)),
        "what": what(event, room.of(200)),
    }


def _names(evidence: Evidence, room: Room) -> dict[str, str]:
    own = [] if evidence.event is None else list(evidence.event.source.values())
    kept = sorted(evidence.names, key=lambda one: one not in own)[:_MAX_NAMES]
    return {one: cut(evidence.names[one], room.of(100)) for one in kept}


def _addresses(notice: Notice, evidence: Evidence, links: Links) -> dict[str, str]:
    subject, event = notice.subject, evidence.event
    last = notice.made_at if event is None else event.event_timestamp
    first = evidence.around[0].event_timestamp if evidence.around else last
    addresses = {"around": links.around(first, last), "query": links.query()}
    if subject.event_id:
        addresses["event"] = links.event(subject.event_id)
    if is_to_acknowledge(notice):
        addresses["acknowledge"] = links.acknowledge()
    return addresses
