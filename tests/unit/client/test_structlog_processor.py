"""Structlog's entries go on as they are, and to the Event Manager."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import structlog

from madsci.client.structlog_processor import structlog_event_processor
from madsci.client.testing import capture_events
from madsci.common.clock import utc_now
from madsci.common.types.event_types import EventType


@pytest.fixture
def log(make_client):
    """A structlog logger, and the entries that arrive behind our processor."""
    client = make_client(log_level=0, log_file_enabled=False)
    seen = []

    def last(_logger, _method, entry):
        seen.append(dict(entry))
        raise structlog.DropEvent

    def make(*before, logger=None):
        processors = [*before, structlog_event_processor(client), last]
        return structlog.wrap_logger(
            logger, processors, wrapper_class=structlog.make_filtering_bound_logger(0)
        )

    make.seen = seen
    return make


def test_entries_go_both_ways(log):
    with capture_events() as events:
        log().bind(plate="P7").warning("moved", well="A1")
    assert log.seen == [{"event": "moved", "plate": "P7", "well": "A1"}]
    assert events[0].event_type is EventType.LOG_WARNING
    assert events[0].event_data == {"message": "moved", "plate": "P7", "well": "A1"}


def test_levels_and_times_of_processors_before_are_read(log):
    logger = log(structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"))
    with capture_events() as events:
        logger.error("a")
        logger.info("b", level="high", timestamp="noon")
    assert [int(event.log_level) for event in events] == [40, 20]
    assert events[0].event_data == {"message": "a"}
    stamp = log.seen[0]["timestamp"]
    assert events[0].event_timestamp.isoformat() == stamp.replace("Z", "+00:00")
    assert log.seen[0]["level"] == "error"


def test_data_named_like_levels_and_times_are_data(log):
    with capture_events() as events:
        log().info("b", level=3, timestamp="noon")
    assert events[0].event_data == {"message": "b", "level": 3, "timestamp": "noon"}


@pytest.mark.parametrize(
    "value", [12.5, 0, 1_700_000_000, True, "2020-01-01", "2020-01-01T00:00:00.5Z"]
)
def test_a_datum_called_timestamp_moves_no_event(log, value):
    with capture_events() as events:
        log().info("frame grabbed", timestamp=value)
    assert abs(utc_now() - events[0].event_timestamp) < timedelta(minutes=1)
    assert events[0].event_data["timestamp"] == value


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Chicago", "UTC"])
@pytest.mark.parametrize(
    "stamper",
    [
        structlog.processors.TimeStamper(fmt="iso", utc=False),
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.TimeStamper(),
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S.%f", utc=False),
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S.%f"),
    ],
)
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set here")
def test_times_without_a_zone_are_those_of_this_machine_or_of_utc(log, monkeypatch, zone, stamper):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with capture_events() as events:
            log(stamper).info("x")
            log(structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M", utc=False)).info("coarse")
    finally:
        monkeypatch.undo()
        time.tzset()
    for event in events:
        assert abs(utc_now() - event.event_timestamp) < timedelta(seconds=30)
    assert events[0].event_data == {"message": "x"}
    assert "timestamp" in events[1].event_data


@pytest.mark.parametrize("key", ["message", "msg"])
def test_renamed_texts_are_messages(log, key):
    with capture_events() as events:
        log(structlog.processors.EventRenamer(key)).info("Plate moved", plate="P7")
    assert events[0].event_data == {"message": "Plate moved", "plate": "P7"}


def test_a_datum_called_message_stays_beside_the_text(log):
    with capture_events() as events:
        log().info("Plate moved", message="hello", msg=7)
    assert events[0].event_data == {"message": "Plate moved", "message_": "hello", "msg": 7}


def test_broken_entries_do_not_reach_the_program(log):
    class Broken:
        @property
        def __class__(self):
            raise RuntimeError("working outside of a request")

    with capture_events() as events:
        log().info("x", exc_info=Broken(), exception="text", timestamp=Broken(), level=Broken())
    assert events[0].event_data["traceback"] == "text"


def test_exceptions_are_kept_before_and_after_their_formatting(log):
    with capture_events() as events:
        try:
            raise ValueError("tip lost")  # noqa: TRY301 - the traceback is the point
        except ValueError:
            log().exception("a")
            log(structlog.processors.format_exc_info).exception("b")
    assert events[0].event_data["exception_type"] == "ValueError"
    for event in events:
        assert event.event_data["traceback"].endswith("ValueError: tip lost")
        assert int(event.log_level) == 40
    assert log.seen[0]["exc_info"] is True
    assert "exception" in log.seen[1]


def test_event_types_and_alerts_mean_what_they_mean(log):
    with capture_events() as events:
        log().info("a", event_type="workflow_start", alert=True, password="p")
    assert (events[0].event_type, events[0].alert) == (EventType.WORKFLOW_START, True)
    assert "p" not in events[0].event_data.values()
    assert log.seen[0]["password"] == "p"


def test_names_and_positional_arguments_are_kept(make_client):
    process = structlog_event_processor(make_client(log_level=0, log_file_enabled=False))

    class Named:
        name = "some.logger"

    entry = {"event": "%s moved", "positional_args": ("P7",), "level_number": 25, "_record": object()}
    with capture_events() as events:
        assert process(Named(), "log", entry) is entry
    assert events[0].event_data == {
        "message": "P7 moved", "logger": "some.logger", "level_number": 25,
    }  # fmt: skip
    assert int(events[0].log_level) == 20


def test_without_a_client_it_makes_one(tmp_path):
    process = structlog_event_processor(name="bridge", log_dir=tmp_path)
    process(None, "info", {"event": "x"})
    assert '"message":"x"' in (tmp_path / "bridge.log").read_text()


def test_what_the_sender_logs_does_not_come_back(make_client):
    process = structlog_event_processor(make_client(log_file_enabled=False))
    with capture_events() as events:
        thread = threading.Thread(
            target=process, args=(None, "info", {"event": "x"}), name="madsci-event-sender"
        )
        thread.start()
        thread.join()
    assert events == []
