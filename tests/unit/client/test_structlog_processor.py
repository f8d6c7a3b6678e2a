"""Structlog's entries go on as they are, and to the Event Manager."""

from __future__ import annotations

import threading

import pytest
import structlog

from madsci.client.structlog_processor import structlog_event_processor
from madsci.client.testing import capture_events
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
