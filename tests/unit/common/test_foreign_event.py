"""Log lines of other loggers, read as events: what is understood, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import iso
from madsci.common.types.event_reading import read_event
from madsci.common.types.foreign_event import LEVELS, MESSAGES, TIMES, as_event
from madsci.common.types.log_level import EventLogLevel
from madsci.common.types.members import NAMES

GELF = {
    "version": "1.1", "host": "arm", "short_message": "Gripper jammed", "full_message": "at slot 3",
    "timestamp": 1700000000.123, "level": 3, "_plate": "P7", "_": 1,
}  # fmt: skip
CLEF = {
    "@t": "2023-11-14T22:13:20.1234567Z", "@mt": "Plate {Plate} at {@Slot:000}, {Else}",
    "@l": "Warning", "@x": "Error: jam", "@tr": "t1", "Plate": "P7", "Slot": 3,
}  # fmt: skip
PINO = {"level": 50, "time": 1700000000123, "pid": 1, "hostname": "pc", "msg": "jam", "plate": "P7"}
ZAP = {"level": "dpanic", "ts": 1700000000.5, "caller": "a.go:1", "msg": "jam"}
JOURNALD = {"MESSAGE": "jam", "PRIORITY": "4", "__REALTIME_TIMESTAMP": "1700000000123456", "_PID": "7"}
LOGURU = {
    "text": "… jam\n",
    "record": {
        "elapsed": {"seconds": 1.5}, "exception": None, "line": 3,
        "extra": {"plate": "P7", "line": "A"},
        "level": {"icon": "x", "name": "SUCCESS", "no": 25}, "message": "done", "name": "__main__",
        "time": {"repr": "2023-11-14 23:13:20.123456+01:00", "timestamp": 1700000000.123456},
    },
}  # fmt: skip
OTEL = {
    "timeUnixNano": "1700000000123456789", "severityNumber": 17, "severityText": "very bad",
    "body": {"stringValue": "jam"}, "traceId": "t1", "spanId": "s1", "attributes": [{"key": "a"}],
}  # fmt: skip
LOG4J = {
    "instant": {"epochSecond": 1700000000, "nanoOfSecond": 5000}, "thread": "main", "level": "WARN",
    "loggerName": "arm", "message": "jam",
}  # fmt: skip
ECS = {"@timestamp": "2023-11-14T22:13:20Z", "log.level": "error", "message": "jam", "trace.id": "t1"}
TRACING = {
    "timestamp": "2023-11-14T22:13:20Z", "level": "TRACE", "fields": {"message": "jam", "plate": "P7"},
    "target": "arm",
}  # fmt: skip
DOCKER = {"log": "jam\n", "stream": "stderr", "time": "2023-11-14T22:13:20.123456789Z"}
STRUCTLOG = {"event": "jam", "level": "critical", "timestamp": "2023-11-14T22:13:20Z", "plate": "P7"}
DOTNET = {
    "Timestamp": "2023-11-14T22:13:20Z",
    "LogLevel": "Information",
    "Message": "jam",
    "EventId": 7,
}


@pytest.mark.parametrize(
    ("line", "level", "time", "data"),
    [
        ({"message": "jam", "level": "ERROR"}, "error", None, {"message": "jam"}),
        ({"msg": "jam", "severity": "NOTICE"}, "info", None, {"message": "jam", "severity": "NOTICE"}),
        ({"message": "jam", "level": 40}, "error", None, {"message": "jam"}),
        ({"message": "jam", "levelname": "INFO", "levelno": 20, "asctime": "2023-11-14T22:13:20Z"},
         "info", "20.000000", {"message": "jam", "levelno": 20}),
        (GELF, "error", "20.123000", {
            "message": "Gripper jammed", "version": "1.1", "host": "arm", "full_message": "at slot 3",
            "level": 3, "plate": "P7", "_": 1,
        }),
        (CLEF, "warning", "20.123457", {
            "message": "Plate P7 at 3, {Else}", "@t": CLEF["@t"], "@mt": CLEF["@mt"],
            "@x": "Error: jam", "Plate": "P7", "Slot": 3,
        }),
        (PINO, "error", "20.123000", {
            "message": "jam", "level": 50, "pid": 1, "hostname": "pc", "plate": "P7",
        }),
        (ZAP, "critical", "20.500000", {"message": "jam", "level": "dpanic", "caller": "a.go:1"}),
        (JOURNALD, "warning", "20.123456", {"message": "jam", "PRIORITY": "4", "_PID": "7"}),
        (LOGURU, "info", "20.123456", {
            "message": "done", "text": "… jam\n", "elapsed": {"seconds": 1.5}, "exception": None,
            "line": 3, "level": LOGURU["record"]["level"], "name": "__main__", "plate": "P7",
            "line_": "A",
        }),
        (OTEL, "error", "20.123457", {
            "message": "jam", "timeUnixNano": OTEL["timeUnixNano"], "severityNumber": 17,
            "severityText": "very bad", "attributes": [{"key": "a"}],
        }),
        (LOG4J, "warning", "20.000005", {
            "message": "jam", "thread": "main", "level": "WARN", "loggerName": "arm",
        }),
        (ECS, "error", "20.000000", {"message": "jam"}),
        (TRACING, "debug", "20.000000", {
            "message": "jam", "level": "TRACE", "target": "arm", "plate": "P7",
        }),
        (DOCKER, None, "20.123457", {
            "message": "jam\n", "stream": "stderr", "time": DOCKER["time"],
        }),
        (STRUCTLOG, "critical", "20.000000", {"message": "jam", "plate": "P7"}),
        (DOTNET, "info", "20.000000", {"message": "jam", "LogLevel": "Information", "EventId": 7}),
    ],
)  # fmt: skip
def test_a_line_of_a_logger_is_the_event_that_it_tells_of(line, level, time, data):
    """A value that says more than what was made of it stays as it was sent."""
    event, told = as_event(line)
    reading = read_event(event)
    assert reading.event_data == data
    assert reading.event_type == ("log" if level is None else f"log_{level}")
    assert reading.log_level.name == (level or "info").upper()
    moment = reading.event_timestamp
    assert (None if moment is None else iso(moment)[17:26]) == time
    assert (reading.repairs, reading.extra, len(told)) == ([], {}, 1)
    assert reading.trace_id == ("t1" if {"traceId", "@tr", "trace.id"} & set(line) else None)


@pytest.mark.parametrize(
    ("level", "others", "kept"),
    [
        (30, {}, 30), (30, {"msg": "x", "time": 1700000000123}, 20),
        (30, {"msg": "x", "hostname": "a"}, 20),
        (60, {"msg": "x", "time": 1700000000123}, 50), (60, {}, 50), (25, {}, 20), (0, {}, 0),
        (3, {"short_message": "x"}, 40), (0, {"short_message": "x"}, 50),
        (7, {"short_message": "x"}, 10),
        (3, {}, 20), (400, {"level_name": "ERROR"}, 40), (8, {"short_message": "x"}, 20),
        ("emerg", {}, 50), ("severe", {}, 40), ("W", {}, 30), ("high", {}, 20), (True, {}, 20),
    ],
)  # fmt: skip
def test_numbers_of_levels_mean_what_they_mean_where_the_line_comes_from(level, others, kept):
    """Not every small number is one of syslog: as Python's it would hide an error below INFO."""
    event, _ = as_event({"message": "m", "level": level, **others})
    assert read_event(event).log_level == kept
    if level != kept:
        assert event["event_data"]["level"] == level


@pytest.mark.parametrize("number", range(1, 25))
def test_severity_numbers_are_four_to_a_level(number):
    event, _ = as_event({"body": "x", "severity_number": number})
    assert event["log_level"] == [10, 10, 20, 30, 40, 50][(number - 1) // 4]


def test_our_own_members_win_and_the_others_fill_what_is_absent():
    event, told = as_event(
        {
            "event_data": {"plate": 1},
            "log_level": 10,
            "level": "ERROR",
            "message": "m",
            "ts": 1700000000,
        }
    )
    assert event == {
        "event_data": {"message": "m", "plate": 1}, "log_level": 10, "level": "ERROR",
        "event_timestamp": 1700000000,
    }  # fmt: skip
    assert told[0].endswith(
        "message is event_data.message, ts is event_timestamp; what else there is stands in extra."
    )


def test_objects_beside_event_data_are_not_opened():
    document = {"event_data": {"plate": 1}, "record": {"message": "theirs", "level": "ERROR"}}
    assert as_event(document) == (document, [])


@pytest.mark.parametrize("data", [{"message": "ours"}, "text", None, [1]])
def test_event_data_that_have_a_message_or_no_members_stay_as_they_are(data):
    document = {"event_data": data, "message": "theirs"}
    assert as_event(document) == (document, [])


@pytest.mark.parametrize(
    "document",
    [
        {}, {"plate": "P7"}, {"_id": "a", "note": [1]}, {"level": "high", "tank": 3}, {"body": "x"},
        {"log": "x"}, {"event": {"kind": "ecs"}}, {"priority": 5}, {"time": 12.5}, {"message": None},
        {"log_level": "ERROR"},
    ],
)  # fmt: skip
def test_what_tells_nothing_of_a_log_line_is_left_as_it_is(document):
    assert as_event(document) == (document, [])


def test_a_duration_or_a_word_under_the_name_of_a_time_is_a_datum_and_told():
    for value in (12.5, "noon", 0, "12:30", "-1h"):
        event, (told,) = as_event({"message": "m", "time": value})
        assert event == {"event_type": "log", "event_data": {"message": "m", "time": value}}
        assert f"time {value!r} is no time" in told


names = st.sampled_from(
    [
        *MESSAGES,
        *LEVELS,
        *TIMES,
        "MESSAGE",
        "PRIORITY",
        "Level",
        "record",
        "fields",
        "plate",
        "_x",
        "x",
        "stream",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["ERROR", "info", 3, 30, "2023-11-14T22:13:20Z", 1700000000123, "1700000000.5"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(names | st.just("message"), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
own = st.fixed_dictionaries(
    {},
    optional={
        "event_data": values, "log_level": values, "event_timestamp": values, "event_type": values,
        "extra": st.dictionaries(st.text(max_size=3), values, max_size=2), "trace_id": values,
    },
)  # fmt: skip


def leaves(value: object) -> list[object]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for one in inner for leaf in leaves(one)]


def says_level(value: object, level: EventLogLevel) -> bool:
    """Tell whether a value is the name or the number of a level, as which it need not be kept twice."""
    if isinstance(value, (int, float)):
        return not isinstance(value, bool) and value == level
    return str(value).upper() in (level.name, str(int(level)))


@given(st.dictionaries(names, values, max_size=6), own)
def test_every_value_that_was_sent_is_found_in_the_event(members, ours):
    document = {**members, **ours}
    event, told = as_event(document)
    reading = read_event(event)
    kept = [repr(leaf) for leaf in leaves([dict(event), reading.event_data, reading.extra])]
    absent = {name for name, value in ours.items() if value is None}
    for leaf in leaves({name: value for name, value in document.items() if name not in absent}):
        assert repr(leaf) in kept or says_level(leaf, reading.log_level), (leaf, event, told)
    assert len(told) <= 1
    assert set(event) <= NAMES or set(event) - NAMES <= set(document)
