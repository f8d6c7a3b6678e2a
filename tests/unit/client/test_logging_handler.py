"""The standard library's log records arrive as events, whole, and nothing goes in circles."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import queue
import sys
from types import MappingProxyType

import pytest
import structlog

from madsci.client import logging_handler
from madsci.client.delivery.transport import SendReport
from madsci.client.event_client import EventClient
from madsci.client.logging_handler import EventClientHandler
from madsci.client.structlog_processor import structlog_event_processor
from madsci.client.testing import RecordingTransport, capture_events
from madsci.common.settings import REDACTED
from madsci.common.types.event_types import EventLogLevel, EventType


def our_handler(logger):
    """The handler of the logger that is ours: pytest adds some of its own."""
    (handler,) = [one for one in logger.handlers if isinstance(one, EventClientHandler)]
    return handler


@pytest.fixture
def client(make_client):
    return make_client(log_level=0, log_file_enabled=False)


@pytest.fixture
def logger(client):
    """A logger of a library, with a handler on our client."""
    logger = logging.getLogger("some.library")
    handler = EventClientHandler(client)
    logger.addHandler(handler)
    logger.setLevel(1)
    logger.propagate = False
    yield logger
    logger.handlers.clear()


def test_a_record_becomes_an_event(logger):
    with capture_events() as events:
        logger.warning("%s has %d plates", "P7", 3, extra={"plate": "P7", "path": sys})
    (event,) = events
    assert (event.event_type, event.log_level) == (EventType.LOG_WARNING, EventLogLevel.WARNING)
    data = event.event_data
    assert data["message"] == "P7 has 3 plates"
    assert data["logger"] == "some.library"
    assert data["location"].startswith(f"{__file__}:")
    assert data["plate"] == "P7"
    assert data["path"].startswith("<module")
    assert set(data) == {"message", "logger", "location", "plate", "path"}


def test_the_time_is_that_of_the_record(logger):
    record = logger.makeRecord("some.library", 20, "f.py", 1, "x", (), None)
    record.created = 1_000_000_000.5
    with capture_events() as events:
        logger.handle(record)
    assert events[0].event_timestamp.isoformat() == "2001-09-09T01:46:40.500000+00:00"


@pytest.mark.parametrize(
    ("number", "level", "kind"), [(25, 20, "log_info"), (5, 0, "log"), (60, 50, "log_critical")]
)
def test_levels_of_other_numbers_are_kept(logger, number, level, kind):
    logging.addLevelName(25, "NOTICE")
    with capture_events() as events:
        logger.log(number, "x")
    assert (int(events[0].log_level), events[0].event_type.value) == (level, kind)
    assert events[0].event_data["level_number"] == number
    assert events[0].event_data["level_name"] == logging.getLevelName(number)


def test_exceptions_and_stacks_are_kept(logger):
    with capture_events() as events:
        try:
            raise ValueError("tip lost")  # noqa: TRY301 - the traceback is the point
        except ValueError as error:
            logger.exception("Failed")
            kept = error
        logger.error("Failed", exc_info=kept)
        logger.error(kept)
        logger.error("no exception", exc_info=True)  # noqa: LOG014 - it happens
        logger.info("here", stack_info=True)
    for event in events[:3]:
        assert event.event_data["exception_type"] == "ValueError"
        assert "test_logging_handler.py" in event.event_data["traceback"]
        assert event.event_data["traceback"].endswith("ValueError: tip lost")
    assert set(events[3].event_data) == {"message", "logger", "location"}
    assert "test_exceptions_and_stacks_are_kept" in events[4].event_data["stack"]


def test_arguments_that_do_not_fit_lose_nothing(logger, capsys):
    handler = our_handler(logger)

    class Broken:
        def __str__(self):
            raise RuntimeError("no text")

    calls = [("%d plates", ("many",)), ("%s", (Broken(),)), ("100 % sure", ({"a": 1},)), (Broken(), ())]
    with capture_events() as events:
        for message, args in calls:  # pytest's own handler would fail on such a record
            extra = {"b": Broken()}
            handler.handle(logger.makeRecord("x", 20, "f.py", 1, message, args, None, extra=extra))
    assert events[0].event_data["message"] == "%d plates many"
    assert len(events) == 4
    assert capsys.readouterr().err == ""


def test_extra_data_keep_their_values_beside_ours(logger):
    with capture_events() as events:
        logger.info("x", extra={"logger": "mine", "location": "here", "password": "p"})
        logger.info("x", extra={"event_type": "workflow_start", "alert": True})
    assert events[0].event_data["logger_"] == "mine"
    assert events[0].event_data["location_"] == "here"
    assert "p" not in events[0].event_data.values()
    assert (events[1].event_type, events[1].alert) == (EventType.WORKFLOW_START, True)


def test_entries_of_structlog_are_messages_with_data(logger):
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        with capture_events() as events:
            log = structlog.get_logger(logger.name)
            log.info("Plate moved", plate="P7", alert="door", password="p")
            try:
                raise ValueError("tip lost")  # noqa: TRY301 - the traceback is the point
            except ValueError:
                log.exception("Failed", location="bay 2")
    finally:
        structlog.reset_defaults()
    data = events[0].event_data
    assert {data.pop("location")[:1], data.pop("password")} == {"/", REDACTED}
    assert data == {
        "message": "Plate moved", "plate": "P7", "alert": "door", "logger": "some.library",
    }  # fmt: skip
    assert not events[0].alert
    assert events[1].event_data["exception_type"] == "ValueError"
    assert events[1].event_data["location_"] == "bay 2"


@pytest.mark.parametrize(
    ("given", "message", "data"),
    [
        ({"message": "moved", "plate": "P7"}, "moved", {"plate": "P7"}),
        ({"msg": "moved", 7: "P7"}, "moved", {"7": "P7"}),
        ({"plate": "P7", "level": "high"}, "", {"plate": "P7", "level": "high"}),
        ({"event": "moved", "level": "error", "timestamp": 12.5}, "moved",
         {"level": "error", "timestamp": 12.5}),
        (MappingProxyType({"event": {"a": 1}}), "{'a': 1}", {}),
    ],
)  # fmt: skip
def test_dicts_as_messages_keep_text_and_data(logger, given, message, data):
    with capture_events() as events:
        logger.info(given, extra={"beside": 1})
    told = events[0].event_data
    assert (told["message"], told["beside"]) == (message, 1)
    assert {name: told[name] for name in data} == data


def test_a_record_loses_no_datum_to_another_of_its_name(logger):
    with capture_events() as events:
        logger.info({"event": "x", "plate": "P7"}, extra={"plate": "P8", "logger": 1, "logger_": 2})
    told = events[0].event_data
    assert (told["plate"], told["plate_"]) == ("P8", "P7")
    assert {told["logger_"], told["logger__"]} == {1, 2}


def test_a_handler_without_a_server_says_so_once(make_client, monkeypatch, capsys):
    monkeypatch.setattr(logging_handler, "_told", set())
    for _ in range(2):
        EventClientHandler(make_client(log_file_enabled=False))
        structlog_event_processor(make_client(log_file_enabled=False))
    EventClientHandler(make_client(transport=RecordingTransport(), log_file_enabled=False))
    told = capsys.readouterr().err
    assert told.count("EventClientHandler has no Event Manager") == 1
    assert told.count("structlog_event_processor has no Event Manager") == 1


def test_records_that_went_through_a_queue_are_whole(logger):
    records = queue.Queue()
    handler = our_handler(logger)
    logger.removeHandler(handler)
    logger.addHandler(logging.handlers.QueueHandler(records))
    listener = logging.handlers.QueueListener(records, handler)
    with capture_events() as events:
        try:
            raise ValueError("tip lost")  # noqa: TRY301 - the traceback is the point
        except ValueError:
            logger.exception("Failed", extra={"plate": "P7"})
        listener.start()
        listener.stop()
    assert "ValueError: tip lost" in str(events[0].event_data)
    assert events[0].event_data["plate"] == "P7"


def test_records_as_loguru_makes_them(client):
    record = logging.getLogger().makeRecord(
        "module", 25, "/file.py", 7, "Plated", (), None, "f", {"extra": {"plate": "P7"}}
    )
    record.levelname = "SUCCESS"
    with capture_events() as events:
        EventClientHandler(client).handle(record)
    assert events[0].event_data == {
        "message": "Plated", "plate": "P7", "logger": "module", "location": "/file.py:7",
        "level_number": 25, "level_name": "SUCCESS",
    }  # fmt: skip


def test_dict_config_makes_handlers(peer, tmp_path):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "events": {
                    "class": "madsci.client.logging_handler.EventClientHandler",
                    "level": "INFO",
                    "name": "robot",
                    "event_server": peer.url,
                    "log_dir": str(tmp_path / "logs"),
                }
            },
            "loggers": {"some.library": {"handlers": ["events"], "level": "DEBUG"}},
        }
    )
    logger = logging.getLogger("some.library")
    handler = our_handler(logger)
    try:
        assert handler.client.name == "robot"
        logger.debug("too low")
        logger.info("hello")
        handler.flush()
        assert [event["event_data"]["message"] for event in peer.events.values()] == ["hello"]
        assert (tmp_path / "logs" / "robot.log").exists()
    finally:
        logger.removeHandler(handler)
        handler.close()


def test_a_handler_without_a_name_has_one(tmp_path):
    handler = EventClientHandler(log_dir=tmp_path)
    assert handler.client.name == "logging"
    assert handler.client.config.log_console_enabled is False
    handler.close()


def test_a_client_that_was_given_stays_open(client):
    EventClientHandler(client).close()
    assert client._outputs._is_open


def test_what_the_client_has_to_say_does_not_come_back(logger, client):
    for name in ("madsci.client", "madsci.client.delivery.sender"):
        record = logger.makeRecord(name, 30, "f.py", 1, "trouble", (), None)
        with capture_events() as events:
            logger.handle(record)
        assert events == []


def test_what_is_logged_while_sending_does_not_come_back(make_client):
    """A library that the sender uses logs each request: every event would make another."""
    logger = logging.getLogger("http.library")

    class ChattyTransport(RecordingTransport):
        def send(self, events, timeout=None) -> SendReport:
            logger.warning("sending %d events", len(events))
            return super().send(events, timeout)

    transport = ChattyTransport()
    client = make_client(transport=transport, log_file_enabled=False, flush_interval_seconds=0)
    handler = EventClientHandler(client)
    logger.addHandler(handler)
    try:
        for number in range(5):
            client.info("x", number=number)
            assert client.flush()
        assert len(transport.events) == 5
    finally:
        logger.removeHandler(handler)


def test_logging_inside_of_logging_ends(logger):
    class Talkative:
        def __str__(self):
            logger.info("somebody asks for my text")
            return "text"

    with capture_events() as events:
        logger.info("x", extra={"value": Talkative()})
    assert [event.event_data["message"] for event in events] == ["x"]
    assert events[0].event_data["value"] == "text"


def test_trouble_goes_where_logging_puts_it(client, capsys):
    record = logging.makeLogRecord({"msg": "x", "levelno": "no number"})
    EventClientHandler(client).handle(record)
    assert "--- Logging error ---" in capsys.readouterr().err


def test_a_handler_can_be_used_in_many_ways_at_once(make_client):
    assert isinstance(EventClientHandler(make_client(), level="ERROR").level, int)
    with EventClient(name="x", log_file_enabled=False, log_console_enabled=False) as client:
        assert EventClientHandler(client).client is client
