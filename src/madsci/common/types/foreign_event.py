"""What other loggers call the members of an event: their log lines, read as events.

``MESSAGES``, ``LEVELS`` and ``TIMES`` are the table of ``docs/reference/events.md``, with the names of
the sender in ``foreign_sender``. Known are GELF
(https://go2docs.graylog.org/current/getting_in_log_data/gelf.html), CLEF (https://clef-json.org), the
JSON of pino, bunyan, winston, zap, slog, logrus, zerolog, structlog, loguru, python-json-logger,
log4j2, logstash, ECS, Rust's tracing, .NET, Docker and journald, and records of OpenTelemetry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

from madsci.common.clock import parse_instant
from madsci.common.named_values import free_name
from madsci.common.types.extended_json import plain_document
from madsci.common.types.foreign_sender import find_sender
from madsci.common.types.log_level import EventLogLevel, level_number
from madsci.common.types.members import NAMES

MESSAGES: Final = (
    "message", "msg", "short_message", "@m", "renderedmessage", "@mt", "messagetemplate", "event",
    "body", "log",
)  # fmt: skip
LEVELS: Final = (
    "level", "severity", "levelname", "level_name", "loglevel", "log.level", "lvl", "@l",
    "severity_text", "severitytext", "severity_number", "severitynumber", "levelno", "priority",
)  # fmt: skip
TIMES: Final = (
    "@timestamp", "timestamp", "@t", "time", "ts", "datetime", "asctime", "instant", "timemillis",
    "timeunixnano", "observedtimeunixnano", "__realtime_timestamp",
)  # fmt: skip
"""Names in lower case, since any letter case is read; those that stand first are looked at first."""
_TRACES: Final = {
    "trace_id": ("traceid", "trace.id", "@tr"),
    "span_id": ("spanid", "span.id", "@sp"),
}
_BESIDE: Final = frozenset({"message", "msg", "short_message"})
"""Texts that also go to an ``event_data`` that has none."""
_CONTAINERS: Final = ("record", "fields")
"""Objects of loguru and of tracing in which the members of the line stand."""
_KNOWN: Final = frozenset(
    {*MESSAGES, *LEVELS, *TIMES, *_CONTAINERS, *(name for names in _TRACES.values() for name in names)}
)
_OTEL: Final = frozenset({"severity_text", "severitytext", "severity_number", "severitynumber"})
_EARLIEST: Final = 100_000_000
"""Seconds since 1970: a number below is a duration or a count, and would be of before 1974."""
_HIGHEST: Final = 60
"""Python's numbers end at 50; beyond are those of others, which would be unknown errors."""
_FINER: Final = re.compile(r"[.,]\d{6}\d*[1-9]|^\d{16}(?:\d*[1-9]\d*)$", re.ASCII)
"""A time that says more than microseconds."""
_DIGITS: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_HOLE: Final = re.compile(r"\{[@$]?(\w+)[^{}]*\}")

_SYSLOG: Final = (50, 50, 50, 40, 30, 20, 20, 10)
"""Levels by the numbers of RFC 5424, from emergency to debug."""
_OF_OTEL: Final = (10, 10, 20, 30, 40, 50)
"""Levels by four numbers each: https://opentelemetry.io/docs/specs/otel/logs/data-model/."""
_OF_PINO: Final = (10, 10, 10, 20, 30, 40, 50)
"""Levels by tens, as pino and bunyan count them: trace, debug, info, warn, error, fatal."""


def as_event(
    document: Mapping[str, Any], naive_zone: tzinfo | None = None
) -> tuple[Mapping[str, Any], list[str]]:
    """Return a log line of another logger with the members of an event, and what was understood.

    Our own members stay as they are; the others fill what is absent. The message and whatever has no
    place of its own go to ``event_data``, as from a log call. An event that has ``event_data`` gets a
    message, a level and a time from its other members, which stay where they are otherwise. A value
    that says more than what was made of it is kept as it was sent. A document that tells nothing of
    all this is returned as it is.
    """
    if not any(name not in NAMES and name.lower() in _KNOWN for name in document):
        return document, []
    line = _Line(plain_document(document), naive_zone)
    line.read()
    return (line.event(), [line.sentence()]) if line.told else (document, [])


class _Line:
    """A log line on its way to an event: ``rest`` is what has not found its place yet."""

    def __init__(self, document: Mapping[str, Any], zone: tzinfo | None) -> None:
        self.zone = zone
        self.told: list[str] = []
        self.missed: list[str] = []
        self.own = {name: value for name, value in document.items() if name in NAMES}
        self.has_data = "event_data" in self.own
        others = {name: value for name, value in document.items() if name not in NAMES}
        self.rest = others if self.has_data else _unfolded(others)
        self.names: dict[str, str] = {}
        for name in self.rest:
            self.names.setdefault(name.lower(), name)
        self.is_gelf = "short_message" in self.names
        self.is_otel = not _OTEL.isdisjoint(self.names)
        # With a level that is a number, these are pino or bunyan.
        self.is_pino = "msg" in self.names and not self.names.keys().isdisjoint({"time", "hostname"})

    def read(self) -> None:
        """Find the message, the level, the time, the ids of a trace and the sender."""
        line = dict(self.rest)
        message = self._message()
        level = self._level() if self._lacks("log_level") else None
        if self._lacks("event_timestamp"):
            self._time()
        for member, names in _TRACES.items():
            found = next((self.names[name] for name in names if name in self.names), None)
            if found is not None and self._lacks(member) and isinstance(self.rest[found], str):
                self.own[member] = self.rest.pop(found)
                self.told.append(f"{found} is {member}")
        if self.told and self._lacks("sender"):
            sender, told = find_sender(line, is_pino=self.is_pino and type(line.get("level")) is int)
            self.told += told
            if sender:
                self.own["sender"] = sender
        if message is not None:
            data = {} if not self.has_data else self.own["event_data"]
            self.own["event_data"] = {"message": message, **data}
        is_text = message is not None or level is not None
        if is_text and not self.has_data and self._lacks("event_type"):
            self.own["event_type"] = f"log_{level.name.lower()}" if level else "log"

    def event(self) -> dict[str, Any]:
        """Return the event; what is left goes to its data, unless it had some."""
        if self.has_data:
            return {**self.own, **self.rest}
        data = self.own.setdefault("event_data", {})
        for name, value in self.rest.items():
            bare = name[1:] if self.is_gelf and name.startswith("_") else name
            is_free = bare and bare not in self.rest and bare not in data
            data[free_name(bare if is_free else name, data)] = value
        return self.own

    def sentence(self) -> str:
        """Say what was understood."""
        others = "extra" if self.has_data else "event_data"
        rest = f"; what else there is stands in {others}" if self.rest else ""
        return f"Read as a log line: {', '.join(self.told + self.missed)}{rest}."

    def _lacks(self, member: str) -> bool:
        return self.own.get(member) is None

    def _message(self) -> Any:
        if self.has_data:
            data = self.own["event_data"]
            if not isinstance(data, Mapping) or "message" in data:
                return None
        for folded in MESSAGES:
            name = self.names.get(folded)
            if name is None or self.rest[name] is None or not self._is_message(folded):
                continue
            self.told.append(f"{name} is event_data.message")
            value = self.rest[name]
            if folded == "@mt" and (text := _rendered(value, self.rest)) != value:
                return text
            if folded == "body" and isinstance(value, Mapping) and set(value) == {"stringValue"}:
                value = value["stringValue"]
            del self.rest[name]
            return value
        return None

    def _is_message(self, folded: str) -> bool:
        if self.has_data:
            return folded in _BESIDE
        if folded == "event":
            return isinstance(self.rest[self.names[folded]], str)  # an object is that of ECS
        if folded == "body":
            return self.is_otel
        return folded != "log" or "stream" in self.names

    def _level(self) -> EventLogLevel | None:
        found = [self.names[folded] for folded in LEVELS if folded in self.names]
        found = [name for name in found if name == "PRIORITY" or name.lower() != "priority"]
        for name in found:
            value = self.rest[name]
            if isinstance(value, Mapping):
                value = value.get("name")  # loguru's
            number = self._level_number(name, value)
            if number is None:
                continue
            level = EventLogLevel(number)
            self.own["log_level"] = number
            self.told.append(f"{name} {value!r:.40} is log_level {level.name}")
            if self.rest[name] == number or str(self.rest[name]).upper() == level.name:
                del self.rest[name]
            return level
        for name in found[:1]:
            if not self.has_data and self.rest[name] is not None:
                self.missed.append(f"{name} {self.rest[name]!r:.40} is no level that is known")
        return None

    def _level_number(self, name: str, value: Any) -> int | None:
        """Return which of our levels a value means, by the numbers of its dialect."""
        folded = name.lower()
        number = level_number(value)
        if number is None or not _is_number(value):
            return number
        if folded == "priority" or (self.is_gelf and folded == "level"):
            return _SYSLOG[number] if 0 <= number < len(_SYSLOG) else None
        if folded.startswith("severity") and self.is_otel:
            return _OF_OTEL[(number - 1) // 4] if 1 <= number <= 24 else None  # noqa: PLR2004
        if folded == "level" and self.is_pino:
            return _OF_PINO[number // 10] if 0 <= number < 10 * len(_OF_PINO) else None
        is_python = number == 0 or EventLogLevel.DEBUG <= number <= _HIGHEST
        return int(EventLogLevel.at_or_below(number)) if is_python else None

    def _time(self) -> None:
        found = [self.names[folded] for folded in TIMES if folded in self.names]
        for name in found:
            value = _moment(self.rest[name])
            try:
                parse_instant(value, self.zone)
            except ValueError:
                continue
            if _is_number(value) and abs(float(value)) < _EARLIEST:
                continue
            self.own["event_timestamp"] = value
            self.told.append(f"{name} is event_timestamp")
            if not _FINER.search(str(value)):
                del self.rest[name]
            return
        for name in found[:1]:
            if not self.has_data and self.rest[name] is not None:
                self.missed.append(f"{name} {self.rest[name]!r:.40} is no time")


def _unfolded(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a line with those of loguru's record, or tracing's fields, among them."""
    for name in _CONTAINERS:
        inner = members.get(name)
        if not isinstance(inner, Mapping) or "message" not in inner or "message" in members:
            continue
        flat = {key: value for key, value in members.items() if key != name}
        extra = inner.get("extra") if name == "record" else None
        for key, value in inner.items():
            if key != "extra" or not isinstance(extra, Mapping):
                flat[free_name(key, flat)] = value
        for key, value in extra.items() if isinstance(extra, Mapping) else ():
            flat[free_name(key, flat)] = value
        return flat
    return members


def _moment(value: Any) -> Any:
    """Return a time that is an object, of loguru or log4j2, in a form that is read."""
    if not isinstance(value, Mapping):
        return value
    second, nano = value.get("epochSecond"), value.get("nanoOfSecond", 0)
    if type(second) is int and type(nano) is int:
        return second * 1_000_000_000 + nano
    return value.get("repr")


def _rendered(template: Any, members: Mapping[str, Any]) -> Any:
    """Return a message template with the values of its holes; others stay."""
    if not isinstance(template, str):
        return template

    def fill(hole: re.Match[str]) -> str:
        value = members.get(hole[1])
        return str(value) if isinstance(value, (str, int, float)) else hole[0]

    return _HOLE.sub(fill, template)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _DIGITS.fullmatch(value.strip()) is not None
    return isinstance(value, (int, float))
