"""What people read: first what happened, then why, where, and what came before; safe and bounded."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from madsci.common.errors import QueryTimeoutError
from madsci.event_manager.alerts.evidence import Evidence, gather
from madsci.event_manager.alerts.mail import Mail
from madsci.event_manager.alerts.notice import Notice, Occasion, Subject
from madsci.event_manager.alerts.rendering import Rendering
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.testing.samples import event

NOON = 1_795_780_800_000_000  # 2026-11-27 12:00 UTC
MINUTE = 60_000_000
NAUGHTY = json.loads((Path(__file__).parents[3] / "data" / "naughty_strings.json").read_text())
RENDERING = Rendering("http://lab:8001", ZoneInfo("Europe/Berlin"))


def happened(number: int, message: str = "moved", **members):
    plain = {
        "moment": NOON + number * MINUTE, "event_data": encode_json({"message": message}),
        "source": {"node_id": "N1", "workflow_id": "W1"}, "event_type": "log_info",
        "sender": '{"name":"plate_handler"}',
    }  # fmt: skip
    return event(f"e{number}", **{**plain, **members})


def notice(occasion: Occasion = Occasion.OPENED, **members) -> Notice:
    subject = {
        "alert_id": "A1", "rule": "alerts", "severity": 40, "opened_at": NOON, "event_id": "e30",
        "title": "node_error (ERROR) from plate_handler: stuck", "reason": "It fired.",
        "group": {"node": "N1"},
    }  # fmt: skip
    return Notice("k", occasion, "email", "a@b.c", Subject(**{**subject, **members}), NOON, 499)


@pytest.fixture
def store():
    store = MemoryStore()
    store.append([happened(number) for number in range(30)])
    store.append([happened(100, "other", source={"node_id": "N2", "workflow_id": "W2"})])
    store.append([
        happened(-9, event_type="workflow_start", event_data=encode_json({"name": "PCR of plate 7"})),
        happened(-8, event_type="node_start", event_data=encode_json({"node_name": "arm"})),
    ])  # fmt: skip
    data = {"message": "The gripper is stuck", "traceback": "Traceback\n  line\nValueError: jam"}
    store.append([happened(30, log_level=40, event_type="node_error", event_data=encode_json(data))])
    return store


def test_a_message_shows_the_event_what_came_before_it_and_names(store):
    evidence = gather(store, notice())
    assert [one.event_id for one in evidence.around] == [f"e{number}" for number in range(11, 31)]
    assert evidence.names == {"W1": "PCR of plate 7", "N1": "arm"}
    message = RENDERING.message(notice(), evidence)
    assert message.title == "ALERT (ERROR): node_error - arm: The gripper is stuck"
    for part in (
        "node_error (ERROR) from plate_handler: stuck\n\nIt fired.",
        "When: Fri 2026-11-27 13:00:00 CET (12:00:00 UTC)",
        "node_id: arm N1",
        "workflow_id: PCR of plate 7 W1",
        "ValueError: jam",
        "13:29:00 INFO plate_handler log_info: moved",
        "http://lab:8001/event/e30",
        'http://lab:8001/events/query {"source.workflow_id": "W1"}',
        'http://lab:8001/alerts/acknowledge {"alert_id": "A1"',
    ):
        assert part in message.text
    assert message.document["event"]["event_id"] == "e30"
    assert message.document["alert"]["severity"] == "ERROR"


@pytest.mark.parametrize(
    ("occasion", "title", "text"),
    [
        (Occasion.AGAIN, "STILL (ERROR): node_error (499 more) - ", "499 more, 7 in all"),
        (Occasion.RESOLVED, "RESOLVED (ERROR): node_error - ", "after 90 min"),
        (Occasion.DRILL, "DRILL (ERROR): ", "It fired."),
    ],
)
def test_the_title_says_why_somebody_is_told(store, occasion, title, text):
    told = notice(occasion, count=7, resolved_at=NOON + 90 * MINUTE)
    message = RENDERING.message(told, gather(store, told))
    assert message.title.startswith(title)
    assert text in message.text


def test_what_is_not_known_any_more_is_left_out():
    told = notice()
    message = RENDERING.message(told, gather(MemoryStore(), told))
    assert message.title == "ALERT (ERROR): node_error (ERROR) from plate_handler: stuck"
    assert message.document["event"] is None


def test_a_store_that_does_not_answer_in_time_makes_a_message_smaller_and_not_later(store):
    class Slow(MemoryStore):
        def find(self, query):
            raise QueryTimeoutError

        def get(self, event_id):
            return store.get(event_id)

    evidence = gather(Slow(), notice())
    assert evidence.event is not None
    assert evidence.around == []


def test_of_an_alert_without_an_event_the_last_ones_of_its_group_are_shown(store):
    told = notice(event_id=None, opened_at=NOON + 200 * MINUTE)
    told = Notice("k", told.occasion, "email", "", told.subject, NOON + 200 * MINUTE)
    assert gather(store, told).around[-1].event_id == "e30"


HOSTILE = [*NAUGHTY, "x" * 2_000_000, "<b>" * 100_000, "\r\nBcc: evil@x.org"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_an_event_breaks_a_message_or_makes_it_large(text):
    data = encode_json({"message": text, "traceback": text[:9_000]})
    bad = happened(30, source={"node_id": text[:500]}, log_level=40, event_data=data, sender=None)
    told = notice(title=text[:1000], group={"node": text[:200]})
    message = RENDERING.message(told, Evidence(bad, [bad] * 20, {"source.node_id": text[:500]}))
    mail = Mail(message.title, message.text, message.html).to("a@lab.org", "b@lab.org", message.key)
    assert len(bytes(mail)) < 200_000
    assert "\n" not in message.title
    assert mail["Bcc"] is None
    assert set(mail.keys()) <= {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Importance", "X-Priority",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    if "<" in text:
        assert text not in (message.html or "")
