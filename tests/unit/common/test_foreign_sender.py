"""Who sent the log lines of other loggers, where they say so."""

from __future__ import annotations

import pytest

from madsci.common.types.foreign_event import as_event

LINES = {
    "gelf": (
        {"version": "1.1", "host": "arm-pc", "short_message": "jam", "_pid": 7},
        {"host": "arm-pc", "process": 7},
    ),
    "pino": (
        {"level": 50, "time": 1700000000123, "pid": 1, "hostname": "pc", "name": "arm", "msg": "jam"},
        {"name": "arm", "host": "pc", "process": 1},
    ),
    "zap, where a name is a datum": (
        {"level": "error", "ts": 1700000000.5, "msg": "added", "name": "Aspirin"},
        None,
    ),
    "python": (
        {"levelname": "INFO", "message": "jam", "name": "arm.gripper", "process": 7},
        {"name": "arm.gripper", "process": 7},
    ),
    "logger": ({"level": "info", "event": "jam", "logger": "arm"}, {"name": "arm"}),
    "log4j": ({"level": "WARN", "loggerName": "arm", "message": "jam"}, {"name": "arm"}),
    "journald": (
        {"MESSAGE": "jam", "PRIORITY": "4", "_PID": "7", "_HOSTNAME": "pc", "SYSLOG_IDENTIFIER": "arm"},
        {"name": "arm", "host": "pc", "process": 7},
    ),
    "syslog": (
        {"host": "pc", "ident": "sshd", "pid": "7", "message": "jam"},
        {"name": "sshd", "host": "pc", "process": 7},
    ),
    "ecs": (
        {
            "@timestamp": "2023-11-14T22:13:20Z", "message": "jam", "service": {"name": "arm"},
            "host": {"name": "pc"}, "process": {"pid": 7},
        },
        {"name": "arm", "host": "pc", "process": 7},
    ),
    "opentelemetry, flat": (
        {"body": "jam", "severity_text": "INFO", "service.name": "arm", "host.name": "pc"},
        {"name": "arm", "host": "pc"},
    ),
    "opentelemetry, a resource": (
        {"body": "jam", "severity_text": "INFO", "resource": {"attributes": {"service.name": "arm"}}},
        {"name": "arm"},
    ),
    "opentelemetry, OTLP": (
        {
            "body": {"stringValue": "jam"}, "severityNumber": 9,
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "arm"}},
                    {"key": "process.pid", "value": {"intValue": "7"}},
                    {"key": 5}, None,
                ]
            },
        },
        {"name": "arm", "process": 7},
    ),
    "a host that was connected to": ({"message": "connected", "host": "10.0.0.5"}, None),
    "a process of a lab": ({"message": "done", "process": 3, "program": "PCR-30"}, None),
    "values that cannot be": ({"message": "x", "hostname": ["pc"], "pid": -1}, None),
    "texts that are too long": ({"message": "x", "logger": "x" * 300, "hostname": "h" * 10**7}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_the_sender_of_a_log_line_is_understood_and_what_was_sent_stays(name):
    line, sender = LINES[name]
    event, (sentence,) = as_event(line)
    assert event.get("sender") == sender
    assert ("sender" in sentence) is (sender is not None)
    for kept in ("hostname", "pid", "logger", "loggerName", "host", "process", "resource", "name"):
        if kept in line:
            assert event["event_data"][kept] == line[kept]


def test_a_sender_of_our_own_is_not_touched():
    event, _ = as_event({"message": "jam", "hostname": "pc", "sender": {"name": "arm"}})
    assert event["sender"] == {"name": "arm"}


def test_names_of_a_sender_alone_make_no_log_line():
    document = {"hostname": "pc", "pid": 7}
    assert as_event(document) == (document, [])


def test_an_event_with_data_is_told_apart_from_what_stands_beside_them():
    event, _ = as_event({"event_data": {"a": 1}, "level": "info", "hostname": "pc"})
    assert (event["sender"], event["event_data"], event["hostname"]) == ({"host": "pc"}, {"a": 1}, "pc")
