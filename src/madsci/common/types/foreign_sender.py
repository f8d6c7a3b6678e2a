"""Who sent a log line of another logger: what loggers call the program, the machine and the process.

``NAMES``, ``HOSTS`` and ``PROCESSES`` are the table of ``docs/reference/events.md``. What is found
stays where it is, too, since ``host`` or ``name`` may be a datum that only looks like a sender.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from madsci.common.types.sender_reading import read_member

NAMES: Final = (
    "service.name", "syslog_identifier", "appname", "app_name", "app-name", "ident", "program",
    "name", "logger", "logger_name", "loggername", "log.logger", "sourcecontext",
)  # fmt: skip
HOSTS: Final = ("host.name", "hostname", "_hostname", "machinename", "host")
PROCESSES: Final = (
    "process.pid", "process.id", "pid", "_pid", "syslog_pid", "procid", "processid", "process_id",
    "process",
)  # fmt: skip
"""Names in lower case, since any letter case is read; those that stand first are looked at first. A dot
also leads into an object."""
_SYSLOG: Final = frozenset({"facility", "ident", "appname", "procid", "pid"})
_PYTHON: Final = frozenset({"levelname"})
BESIDE: Final = {
    "name": _PYTHON,
    "process": _PYTHON,
    "host": _SYSLOG | {"short_message"},
    "ident": _SYSLOG - {"ident"},
    "program": _SYSLOG,
}
"""Names that may be anything, and beside which others they are those of a sender. ``name`` is also
that of pino."""

_TABLE: Final = {"name": NAMES, "host": HOSTS, "process": PROCESSES}
_RESOURCES: Final = ("resource", "attributes")
"""Objects of OpenTelemetry in which the names of a resource stand, one in the other."""
_WRAPPED: Final = frozenset({"stringValue", "intValue"})
"""How OTLP's JSON writes values."""
_MOST: Final = 128
"""Attributes of a resource that are looked at, as many as OpenTelemetry keeps by default."""


def find_sender(line: Mapping[str, Any], *, is_pino: bool) -> tuple[dict[str, Any], list[str]]:
    """Return what a log line tells of its sender, and sentences of where it does.

    ``is_pino``: it is of pino or bunyan. ``line`` holds the members that are not the event's own.
    """
    found = {name.lower(): (name, value) for name, value in (*line.items(), *_of_resource(line))}
    sender: dict[str, Any] = {}
    told: list[str] = []
    for member, names in _TABLE.items():
        for name in names:
            if not _is_of_sender(name, found, is_pino=is_pino):
                continue
            as_written, value = found.get(name) or _inside(found, name)
            read = read_member(member, value)
            if read is not None:
                sender[member] = read
                told.append(f"{as_written} is sender.{member}")
                break
    return sender, told


def _is_of_sender(name: str, found: Mapping[str, Any], *, is_pino: bool) -> bool:
    beside = BESIDE.get(name)
    return beside is None or not beside.isdisjoint(found) or (name == "name" and is_pino)


def _inside(found: Mapping[str, tuple[str, Any]], path: str) -> tuple[str, Any]:
    """Return what stands at a path with a dot, in an object."""
    first, dot, last = path.partition(".")
    name, value = found.get(first, ("", None))
    if not dot or not isinstance(value, Mapping):
        return name, None
    return f"{name}.{last}", value.get(last)


def _of_resource(line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the names of an OpenTelemetry resource with their values, as SDKs or OTLP write them."""
    inner: Any = next((line[name] for name in line if name.lower() == _RESOURCES[0]), None)
    if isinstance(inner, Mapping):
        inner = inner.get(_RESOURCES[1], inner)
    if isinstance(inner, Mapping):
        yield from list(inner.items())[:_MOST]
    for one in inner[:_MOST] if isinstance(inner, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("key"), str):
            value = one.get("value")
            if isinstance(value, Mapping) and len(value) == 1 and _WRAPPED.issuperset(value):
                (value,) = value.values()
            yield one["key"], value
