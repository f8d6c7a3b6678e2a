"""An alert as people read it: first what happened, then why, then what there is to see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from typing import Any, Final
from urllib.parse import quote, urlencode

from madsci.common.clock import from_us, iso
from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.evidence import Evidence
from madsci.event_manager.alerts.identity import identity
from madsci.event_manager.alerts.notice import Notice, Occasion
from madsci.event_manager.model.stored_event import StoredEvent, decode_json, encode_event

_LONGEST_TITLE: Final = 160
_LONGEST_LINE: Final = 300
_LONGEST_EVENT: Final = 12_000
_LONGEST_TRACEBACK: Final = 6_000
"""Characters: all of a message stays below what mail servers and phones take, whatever events hold."""
_MINUTE: Final = 60_000_000
_AHEAD: Final = {
    Occasion.OPENED: "ALERT", Occasion.AGAIN: "STILL", Occasion.RESOLVED: "RESOLVED",
    Occasion.DRILL: "DRILL",
}  # fmt: skip
_MESSAGE: Final = identity("message")
_SENDER: Final = identity("sender")


@dataclass(frozen=True)
class Section:
    """A part of a message; ``is_code`` where its lines are shown as they are."""

    heading: str
    lines: list[str]
    is_code: bool = False


class Rendering:
    """Makes messages. ``url`` is where people reach the server; times are in ``zone`` and in UTC."""

    def __init__(self, url: str, zone: tzinfo | None = None) -> None:
        self._url = url.rstrip("/") + "/"
        self._zone = zone

    def message(self, notice: Notice, evidence: Evidence) -> Message:
        """Return the message about an alert."""
        sections = list(self._sections(notice, evidence))
        title = title_of(notice, evidence)
        return Message(
            notice.key,
            title,
            _as_text(sections),
            _as_html(title, sections),
            notice.subject.severity,
            notice.subject.event_id,
            self._document(notice, evidence),
        )

    def _sections(self, notice: Notice, evidence: Evidence) -> Iterator[Section]:
        yield Section("", self._summary(notice))
        if notice.occasion is Occasion.DRILL:
            return
        yield Section("Where", _places(notice, evidence))
        event = evidence.event
        if event is not None:
            traceback = _traceback(event)
            if traceback:
                yield Section("Traceback", traceback, is_code=True)
        if evidence.around:
            yield Section("Before", [self._line(one) for one in evidence.around], is_code=True)
        yield Section("Links", self._links(notice, evidence))
        if event is not None:
            yield Section("Event", _pretty(event).splitlines(), is_code=True)

    def _summary(self, notice: Notice) -> list[str]:
        subject = notice.subject
        lines = [subject.title, "", subject.reason, "", f"When: {self._when(subject.opened_at)}"]
        if notice.occasion is Occasion.AGAIN and notice.since_last:
            lines.append(
                f"Since the last message: {notice.since_last:,} more, {subject.count:,} in all"
            )
        if notice.occasion is Occasion.RESOLVED and subject.resolved_at is not None:
            minutes = max(1, (subject.resolved_at - subject.opened_at) // _MINUTE)
            lines.append(f"Over since: {self._when(subject.resolved_at)}, after {minutes:,} min")
            lines.append(f"Events of it: {subject.count:,}")
        if subject.acknowledged_by is not None:
            lines.append(f"Seen to by: {subject.acknowledged_by}")
        return lines

    def _when(self, moment: int) -> str:
        utc = from_us(moment)
        return f"{utc.astimezone(self._zone):%a %Y-%m-%d %H:%M:%S %Z} ({utc:%H:%M:%S} UTC)"

    def _line(self, event: StoredEvent) -> str:
        document = event.document()
        level = EventLogLevel.at_or_below(event.log_level).name
        moment = from_us(event.event_timestamp).astimezone(self._zone)
        who = _SENDER.of(document) or ""
        text = f"{moment:%H:%M:%S} {level} {who} {event.event_type}: {_MESSAGE.of(document) or ''}"
        return _one_line(text, _LONGEST_LINE)

    def _links(self, notice: Notice, evidence: Evidence) -> list[str]:
        links = self._addresses(notice, evidence)
        lines = [f"{name}: {url}" for name, url in links.items()]
        if evidence.selector:
            lines.append(f"All of it: POST {self._url}events/query {json.dumps(evidence.selector)}")
        if notice.occasion is not Occasion.RESOLVED:
            act = json.dumps({"alert_id": notice.subject.alert_id, "by": "your name"})
            lines.append(f"To see to it: POST {self._url}alerts/acknowledge {act}")
        return lines

    def _addresses(self, notice: Notice, evidence: Evidence) -> dict[str, str]:
        subject, links = notice.subject, {}
        if subject.event_id is not None:
            links["Event"] = f"{self._url}event/{quote(subject.event_id, safe='')}"
        at = subject.opened_at if evidence.event is None else evidence.event.event_timestamp
        span = {"start_time": iso(at - 10 * _MINUTE), "end_time": iso(at + _MINUTE)}
        links["What happened then"] = f"{self._url}events?{urlencode(span)}"
        links["Alert"] = f"{self._url}alert/{subject.alert_id}"
        return links

    def _document(self, notice: Notice, evidence: Evidence) -> dict[str, Any]:
        subject = notice.subject
        severity = EventLogLevel.at_or_below(subject.severity).name
        event = evidence.event
        return {
            "type": f"alert.{notice.occasion.value}",
            "timestamp": iso(notice.made_at),
            "alert": {
                "alert_id": subject.alert_id, "rule": subject.rule, "severity": severity,
                "title": subject.title, "reason": subject.reason, "group": subject.group,
                "opened_at": iso(subject.opened_at), "count": subject.count,
                "since_last": notice.since_last, "acknowledged_by": subject.acknowledged_by,
                "resolved_at": None if subject.resolved_at is None else iso(subject.resolved_at),
            },
            "event": _for_programs(event),
            "names": dict(evidence.names),
            "links": self._addresses(notice, evidence),
        }  # fmt: skip


def title_of(notice: Notice, evidence: Evidence) -> str:
    """Return the line by which people know what it is about."""
    subject, event = notice.subject, evidence.event
    level = EventLogLevel.at_or_below(subject.severity).name
    ahead = f"{_AHEAD[notice.occasion]} ({level}): "
    if event is None or notice.occasion is Occasion.DRILL:
        return _one_line(ahead + subject.title, _LONGEST_TITLE)
    document = event.document()
    who = evidence.names.get(str(event.source.get("node_id"))) or _SENDER.of(document)
    said = _MESSAGE.of(document)
    more = f" ({notice.since_last:,} more)" if notice.occasion is Occasion.AGAIN else ""
    parts = [str(one) for one in (who, said) if one]
    return _one_line(f"{ahead}{event.event_type}{more} - {': '.join(parts)}", _LONGEST_TITLE)


def _places(notice: Notice, evidence: Evidence) -> list[str]:
    event = evidence.event
    ids: dict[str, Any] = {name: value for name, value in notice.subject.group.items() if value}
    if event is not None:
        ids.update(event.source)
        sender = None if event.sender is None else decode_json(event.sender)
        ids.update({f"sender {name}": value for name, value in (sender or {}).items()})
    return [
        _one_line(f"{name}: {evidence.names.get(str(value), '')} {value}", _LONGEST_LINE)
        for name, value in ids.items()
    ]


def _traceback(event: StoredEvent) -> list[str]:
    data = decode_json(event.event_data)
    text = data.get("traceback") if isinstance(data, dict) else None
    return text[-_LONGEST_TRACEBACK:].splitlines() if isinstance(text, str) else []


def _for_programs(event: StoredEvent | None) -> Any:
    if event is None:
        return None
    encoded = encode_event(event)
    if len(encoded) > _LONGEST_EVENT:
        return {"event_id": event.event_id, "event_type": event.event_type, "is_cut": True}
    return decode_json(encoded)


def _pretty(event: StoredEvent) -> str:
    text = json.dumps(decode_json(encode_event(event)), indent=2, ensure_ascii=False)
    return text if len(text) <= _LONGEST_EVENT else text[:_LONGEST_EVENT] + "\n… (cut)"


def _one_line(text: str, longest: int) -> str:
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _as_text(sections: list[Section]) -> str:
    parts = []
    for section in sections:
        heading = [section.heading, "-" * len(section.heading)] if section.heading else []
        parts.append("\n".join([*heading, *section.lines]))
    return "\n\n".join(parts) + "\n"


_PAGE: Final = "font-family:system-ui,sans-serif;line-height:1.45;max-width:44em"
_CODE: Final = (
    "font-family:ui-monospace,monospace;font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere"
)


def _as_html(title: str, sections: list[Section]) -> str:
    parts = [f'<!doctype html><title>{escape(title)}</title><div style="{_PAGE}">']
    for section in sections:
        if section.heading:
            parts.append(f"<h3>{escape(section.heading)}</h3>")
        text = escape("\n".join(section.lines))
        style = f' style="{_CODE}"' if section.is_code else ' style="white-space:pre-line"'
        parts.append(f"<div{style}>{text}</div>")
    parts.append("</div>")
    return "\n".join(parts)
