"""What people and programs are told: the same in each form, bounded, and safe whatever events hold."""

from __future__ import annotations

import html
import json
import shlex
from datetime import timezone
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madsci.common.clock import FIRST_US, LAST_US, parse_instant
from madsci.common.stderr import visible
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.evidence import Evidence
from madsci.event_manager.alerts.links import Links
from madsci.event_manager.alerts.notice import Notice, Occasion, Subject
from madsci.event_manager.alerts.rendering import LARGEST, LONGEST_TITLE, render
from madsci.event_manager.model.stored_event import encode_json, json_size
from madsci.event_manager.testing.samples import event
from support.hostile import NAUGHTY

AT = parse_instant("2026-11-27T07:14:13Z")
MINUTE = 60_000_000
BERLIN = ZoneInfo("Europe/Berlin")
LINKS = Links("http://lab:8001/events-of-the-lab/")
TRACEBACK = "Traceback (most recent call last):\n  File 'arm.py', line 7\nValueError: too far"


def failed_step(**members):
    data = {"message": "The plate is stuck.", "plate": "P7", "tries": 3, "traceback": TRACEBACK}
    plain = {
        "event_type": "workflow_step_failed",
        "log_level": 40,
        "source": {"node_id": "n1", "workflow_id": "w1"},
        "event_data": encode_json(data),
        "sender": '{"name":"plate_handler","host":"robot-3"}',
    }
    return event("01M8CX3ACS9WEC5113NEZKFNEP", AT, **{**plain, **members})


def subject(**members) -> Subject:
    plain = {
        "alert_id": "a1",
        "rule": "errors",
        "severity": 40,
        "title": "A step of PCR failed at Arm",
        "reason": "An event at level ERROR alerts people.",
        "group": {"source.node_id": "n1"},
        "opened_at": AT,
        "event_id": "01M8CX3ACS9WEC5113NEZKFNEP",
    }
    return Subject(**{**plain, **members})


def notice(occasion: Occasion = Occasion.OPENED, since_last: int = 0, **members) -> Notice:
    about = subject(**members)
    return Notice("k1", occasion, "mail", "anna@x.org", about, AT + MINUTE, since_last)


def evidence(one=None, *before) -> Evidence:
    one = one or failed_step()
    query = {"source.workflow_id": "w1", "event_timestamp": {"$lte": "2026-11-27T07:14:13.000000Z"}}
    return Evidence(one, [*before, one], {"n1": "Arm", "w1": "PCR"}, query)


def rendered(what=None, found=None, zone=BERLIN) -> Message:
    return render(what or notice(), evidence() if found is None else found, LINKS, zone)


class Reader(HTMLParser):
    """Reads what a mail program would show, and which markup there is."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.attributes = "", set(), set()
        self.open: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.text += "\n"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def words(text: str) -> list[str]:
    return text.replace(":\n", "\n").replace(": ", " ").split()


def test_a_title_begins_as_that_of_mails_which_programs_send_themselves():
    assert rendered().title == "ALERT (ERROR): workflow_step_failed - Arm: The plate is stuck."
    without_names = Evidence(failed_step())
    assert rendered(None, without_names).title == (
        "ALERT (ERROR): workflow_step_failed - plate_handler: The plate is stuck."
    )
    bare = failed_step(sender=None, source={}, event_data="{}")
    assert rendered(None, Evidence(bare)).title == "ALERT (ERROR): workflow_step_failed"


@pytest.mark.parametrize(
    ("occasion", "members", "title"),
    [
        (Occasion.OPENED, {"count": 5}, "ALERT (ERROR): A step of PCR failed at Arm"),
        (Occasion.AGAIN, {"count": 500}, "STILL (ERROR): A step of PCR failed at Arm, 499 more"),
        (Occasion.RESOLVED, {"resolved_at": AT}, "RESOLVED: A step of PCR failed at Arm"),
        (Occasion.DRILL, {}, "DRILL: A step of PCR failed at Arm"),
    ],
)
def test_a_title_says_why_somebody_is_told(occasion, members, title):
    told = notice(occasion, 499 if occasion is Occasion.AGAIN else 0, **members)
    assert rendered(told).title == title


def test_a_count_is_not_cut_off_a_long_title():
    told = notice(Occasion.AGAIN, 1234, title="x" * 500)
    assert rendered(told).title.endswith("x…, 1,234 more")
    assert len(rendered(told).title) == LONGEST_TITLE


def test_the_text_tells_the_most_important_first():
    before = event("e1", AT - 2 * MINUTE, event_data='{"message":"Moving"}', sender='{"name":"arm"}')
    text = rendered(notice(count=500, since_last=499), evidence(None, before)).text
    parts = [
        "A step of PCR failed at Arm\n\nAn event at level ERROR alerts people.\n\nThe plate is ",
        "When: 2026-11-27 08:14:13 CET\n  2026-11-27 07:14:13 UTC\n",
        "Where: node Arm (n1)\n  workflow PCR (w1)\n  sender plate_handler on robot-3\n",
        "How many: 500 events, 499 since you were told\n",
        "Severity: ERROR (40)\nRule: errors\nData: plate = P7\n  tries = 3\n",
        f"Traceback:\n{TRACEBACK}\n",
        "What led to it:\n  08:12:13 INFO arm: Moving\n> 08:14:13 ERROR Arm: workflow_step_failed: The",
        "The event:\nhttp://lab:8001/events-of-the-lab/event/01M8CX3ACS9WEC5113NEZKFNEP\n",
        "All events around it:\nhttp://lab:8001/events-of-the-lab/events?start_time=2026-11-27T07%3A12%3A13",
        f"To say that you see to it:\ncurl {LINKS.acknowledge()} -d ",
        f"To see more of what led to it:\ncurl {LINKS.query()} -d '",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places, text
    assert places == sorted(places)


def notice_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if "http" not in line]


@pytest.mark.parametrize(
    "text", ["'; reboot #", "$(reboot)", "`reboot`", "\\'", "\n\x7f\x9f\u202e", "ü!"]
)
def test_commands_to_copy_run_nothing_that_events_say(text):
    query = {"source.node_id": text, text: {"$lte": text}}
    told = rendered(notice(alert_id=text), Evidence(failed_step(), [failed_step()], {}, query))
    commands = [shlex.split(line) for line in told.text.splitlines() if line.startswith("curl ")]
    assert commands[0][:3] == ["curl", LINKS.acknowledge(), "-d"]
    assert json.loads(commands[0][3]) == {"alert_id": text, "by": "your name"}
    assert len(commands[0]) == 4
    assert commands[1][:3] == ["curl", LINKS.query(), "-d"]
    assert json.loads(commands[1][3])["selector"] == query
    assert len(commands[1]) == 4
    assert told.text.isascii()


def test_lines_are_short_enough_for_a_phone():
    told = notice(title="The plate is stuck " * 12, reason="It has been so for a while. " * 20)
    assert max(map(len, notice_lines(rendered(told).text))) <= 70


def test_where_the_zone_is_utc_the_time_stands_there_once():
    text = rendered(zone=timezone.utc).text
    assert "When: 2026-11-27 07:14:13 UTC\nWhere" in text
    assert "2026-11-27 08:14:13 UTC+01" not in rendered(zone=ZoneInfo("Etc/GMT-1")).text.split("UTC")[0]
    assert "2026-11-27 08:14:13 UTC+01\n" in rendered(zone=ZoneInfo("Etc/GMT-1")).text


@pytest.mark.parametrize("at", [FIRST_US, LAST_US])
@pytest.mark.parametrize("zone", [ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Lima"), None])
def test_times_at_the_ends_of_the_calendar_are_told(at, zone):
    one = msgspec.structs.replace(failed_step(), event_timestamp=at)
    told = rendered(None, Evidence(one, [failed_step(), one]), zone)
    assert ("0001-01-01 00:00:00 UTC" if at < 0 else "9999-12-31 23:59:59 UTC") in told.text


def test_what_is_over_says_how_long_it_was_and_asks_for_nothing():
    told = rendered(notice(Occasion.RESOLVED, resolved_at=AT + 125 * MINUTE))
    assert told.text.startswith("Resolved: A step of PCR failed at Arm\n")
    assert "after 2 h 5 min" in told.text
    assert "acknowledge" not in told.text
    assert "acknowledge" not in told.document["links"]


def test_a_drill_says_so_and_what_is_seen_to_is_not_asked_for():
    drill = rendered(notice(Occasion.DRILL, event_id=None, group={}), Evidence())
    assert drill.text.startswith("This is a drill, nothing happened: A step")
    assert "How many" not in drill.text
    seen = rendered(notice(Occasion.AGAIN, acknowledged_by="Bob"))
    assert "Acknowledged by: Bob" in seen.text
    assert "/acknowledge" not in drill.text + seen.text


def test_without_evidence_everything_else_is_told():
    told = rendered(None, Evidence())
    assert told.title == "ALERT (ERROR): A step of PCR failed at Arm"
    assert "Where: node n1\n" in told.text
    assert f"/event/{told.event_id}" in told.text
    assert told.document["event"] is None


def test_html_says_the_same_as_the_text():
    told = rendered(notice(count=3), evidence(None, event("e1", AT - MINUTE)))
    read = Reader(told.html or "")
    addresses = {value for name, value in read.attributes if name == "href"}
    assert addresses == {told.document["links"]["event"], told.document["links"]["around"]}
    shown = set(words(read.text)) | addresses
    assert [word for word in words(told.text) if word not in shown] == []


def test_programs_get_a_document():
    told = rendered(notice(Occasion.AGAIN, 499, count=500), evidence(None, event("e1", AT - MINUTE)))
    document = told.document
    assert encode_json(document)
    assert document["type"] == "alert.again"
    assert (document["alert"]["severity"], document["alert"]["severity_name"]) == (40, "ERROR")
    assert (document["alert"]["count"], document["alert"]["since_last"]) == (500, 499)
    assert document["event"]["event_data"]["plate"] == "P7"
    assert document["event"]["event_timestamp"] == "2026-11-27T07:14:13.000000Z"
    assert [one["event_id"] for one in document["around"]] == ["e1", told.event_id]
    assert document["query"]["source.workflow_id"] == "w1"
    assert document["links"]["acknowledge"].endswith("/alerts/acknowledge")
    assert document["names"] == {"n1": "Arm", "w1": "PCR"}
    assert (told.key, told.severity) == ("k1", 40)


def size(message: Message) -> int:
    texts = [message.title, message.text, message.html or ""]
    return sum(len(one.encode()) for one in texts) + json_size(message.document)


TAGS = {
    "html", "head", "meta", "body", "div", "p", "pre", "table", "tr", "th", "td", "br", "a",
}  # fmt: skip


def check_safe(message: Message) -> None:
    """Nothing in it is markup of others, is loaded, or moves a cursor; and there is not too much."""
    assert size(message) <= LARGEST
    assert len(message.title) <= LONGEST_TITLE
    assert visible(message.title) == message.title
    for text in (message.text, message.html or ""):
        assert visible(text, has_lines=True) == text
    read = Reader(message.html or "")
    assert read.tags <= TAGS
    assert read.open == []
    assert {name for name, _ in read.attributes} <= {
        "lang", "charset", "name", "content", "style", "href",
    }  # fmt: skip
    for name, value in read.attributes:
        if name == "href":
            assert value.startswith("http://lab:8001/events-of-the-lab/event")
        elif name == "style":
            assert "url" not in value


def hostile(text: str) -> tuple[Notice, Evidence]:
    data = {text: text, "message": text, "traceback": text, "error": {"traceback": text}, "a": [text]}
    source = {"node_id": text, "workflow_id": text, text: text, "room": {text: [text]}}
    one = event(text[:255] or "e", AT, event_type=text, source=source, event_data=encode_json(data),
                sender=encode_json({"name": text or "x", "host": text}))  # fmt: skip
    told = notice(title=text, reason=text, rule=text, group={text: text, "source.node_id": text},
                  alert_id=text, event_id=text[:255], acknowledged_by=text)  # fmt: skip
    return told, Evidence(one, [one] * 20, {text[:200]: text[:200]}, {"source.node_id": text})


@pytest.mark.parametrize("text", NAUGHTY, ids=range(len(NAUGHTY)))
def test_no_text_of_events_is_markup_or_too_much(text):
    told, found = hostile(text)
    told = msgspec.structs.replace(
        told, subject=msgspec.structs.replace(told.subject, alert_id=text[:99])
    )
    check_safe(rendered(told, found))


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(Occasion))
def test_no_text_at_all_is_markup(text, occasion):
    told, found = hostile(text)
    check_safe(rendered(msgspec.structs.replace(told, occasion=occasion), found))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
)


@given(json_values)
def test_data_of_any_form_can_be_told(data):
    one = failed_step(event_data=encode_json(data), source={"workflow_id": data})
    check_safe(rendered(notice(group={"event_data.a": data}), evidence(one, one)))


@pytest.mark.slow
@pytest.mark.parametrize("text", ['"', "<", "ä", "😀", "\0", "\\", "line\n", "word "])
def test_a_huge_event_is_told_in_a_bounded_message(text):
    much = text * 200_000
    data = {"message": much, "traceback": f"{much}\nValueError: the end", "frame": [much] * 3}
    data.update({f"member {n}": much[:1_000] for n in range(500)})
    one = failed_step(event_data=encode_json(data), source={"node_id": "n1", "odd": much[:10_000]})
    told = rendered(
        notice(title=much, reason=much), Evidence(one, [one] * 20, {"n1": much}, {"a": much})
    )
    check_safe(told)
    assert "ValueError: the end" in told.text
    assert told.document["event"]["event_id"] == one.event_id
    assert told.document["event"]["event_data"]["message"].startswith("[cut from ")
    assert told.document["query"] is None


def test_of_a_traceback_the_last_lines_are_kept_and_the_rest_is_counted():
    lines = [f"  line {n} of many in the traceback" for n in range(1_000)]
    data = {"error": {"traceback": "\n".join([*lines, "ValueError: too far"])}}
    text = rendered(None, Evidence(failed_step(event_data=encode_json(data)))).text
    shown = text.split("Traceback:\n")[1].split("\n\n")[0].splitlines()
    number = int(shown[0].removeprefix("[cut ").removesuffix(" lines before]"))
    assert shown[1:] == [*lines[number:], "ValueError: too far"]
    assert 100 < len(shown) < 1_000


def test_a_message_keeps_its_lines():
    data = encode_json({"message": "one\r\ntwo\n\tthree"})
    told = rendered(None, Evidence(failed_step(event_data=data)))
    assert "\n\none\ntwo\n\tthree\n\n" in told.text
    assert html.escape("one\ntwo\n\tthree") in (told.html or "")
