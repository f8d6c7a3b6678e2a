"""Reading from a server: what is asked, what comes back, and what is said when nothing does."""

from __future__ import annotations

import json
import socket
import time
import traceback
from datetime import datetime, timezone
from uuid import UUID

import pytest

from madsci.common.errors import ServerRefusedError, ServerUnreachableError


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


def fill(peer, count):
    for number in range(count):
        event_id = f"e{number:05}"
        peer.store({"event_id": event_id, "event_data": {"number": number}})


def test_an_event_is_found_by_its_id_and_absence_is_none(client, peer):
    peer.store({"event_id": "a", "event_data": "x"})
    assert client.get_event("a").event_data == "x"
    assert client.get_event("no/such id?") is None
    assert peer.requests[-1].path == "/event/no%2Fsuch%20id%3F"


def test_by_default_no_level_is_asked_for(client, peer):
    client.get_events()
    client.get_events(50, -1)
    client.get_events(level="warning")
    assert [request.params for request in peer.requests] == [
        {"number": "100"}, {"number": "50"}, {"number": "100", "level": "30"},
    ]  # fmt: skip


def test_times_go_out_in_utc_with_the_other_parameters(client, peer):
    client.get_events(
        start_time=datetime(2026, 1, 1, tzinfo=timezone.utc), end_time="2026-01-02T01:00:00+01:00",
        offset=5, include_archived=True,
    )  # fmt: skip
    assert peer.requests[0].params == {
        "number": "100", "offset": "5", "include_archived": "true",
        "start_time": "2026-01-01T00:00:00.000000Z", "end_time": "2026-01-02T00:00:00.000000Z",
    }  # fmt: skip


@pytest.mark.parametrize(("number", "expected"), [(25, 25), (0, 95), (100, 95)])
def test_pages_are_followed_up_to_the_number(client, peer, number, expected):
    peer.page = 10
    fill(peer, 95)
    events = client.get_events(number)
    assert [event.event_data["number"] for event in events.values()] == list(
        range(94, 94 - expected, -1)
    )


def test_a_query_sends_the_bare_selector_and_follows_pages(client, peer):
    peer.page = 40
    fill(peer, 95)
    selector = {"source": {"node_id": "n"}, "event_data": {"step": 1}}
    assert len(client.query_events(selector)) == 95
    assert len(client.query_events({}, number=50)) == 50
    assert json.loads(peer.requests[0].body) == {
        "source": {"node_id": "n"}, "event_data": {"step": 1},
    }  # fmt: skip
    assert peer.requests[0].method == "POST"


def test_one_unreadable_event_spoils_no_other(client, peer, capsys):
    fill(peer, 2)
    peer.events["odd"] = {"_id": "odd", "event_type": "coffee", "log_level": "x", "event_data": 1}
    peer.events["bad"] = {"_id": "b" * 300}
    assert set(client.get_events()) == {"e00000", "e00001", "odd"}
    assert "left out" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["", "/", "///"])
def test_addresses_are_joined_with_or_without_a_slash(make_client, peer, ending):
    make_client(event_server=peer.url + ending).get_events()
    make_client(event_server=peer.url + "/base" + ending).get_event("a")
    assert peer.paths() == ["/events", "/base/event/a"]


def test_passing_trouble_is_tried_again(client, peer):
    peer.script = [(503, {}), (500, {})]
    assert client.get_events() == {}
    assert len(peer.requests) == 3


def test_a_refusal_says_what_the_server_said(client, peer):
    peer.script = [(422, {})]
    with pytest.raises(ServerRefusedError, match=r"status 422: scripted") as caught:
        client.query_events({"$where": "1"})
    assert caught.value.status == 422
    assert len(peer.requests) == 1


def test_a_redirection_says_where_to(client, peer):
    peer.script = [(308, {"Location": "https://lab/events"})]
    with pytest.raises(ServerRefusedError, match="https://lab/events"):
        client.get_events()


def test_something_else_that_answers_is_not_taken_for_an_event_manager(client, peer):
    peer.events = []
    peer.listing = lambda _: (200, {}, [1])
    with pytest.raises(ServerRefusedError, match="not an Event Manager"):
        client.get_events()


def test_a_server_that_is_not_there_is_said_so_with_a_remedy(make_client):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = make_client(event_server=url)
    with pytest.raises(ServerUnreachableError, match=r"does not answer.*event_server_url"):
        client.get_events()


def test_an_explicit_timeout_is_honoured_zero_too(client, peer):
    with pytest.raises(ServerUnreachableError, match="no time"):
        client.get_events(timeout=0)
    assert peer.requests == []
    peer.script = [(0, {})]
    started = time.monotonic()
    with pytest.raises(ServerUnreachableError):
        client.get_event("a", timeout=0.2)
    assert time.monotonic() - started < 5


QUESTIONS = [
    "query_events",
    "iter_events",
    "count_events",
    "get_histogram",
    "get_facets",
    "to_dataframe",
]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"level": "loud"}, "'loud' is not a level"),
        ({"level": 3.5}, "3.5 is not a level"),
        ({"number": -1}, "number is a whole number from 0 on, not -1"),
        ({"number": True}, "number is a whole number from 0 on, not True"),
        ({"number": 2.5}, "number is a whole number from 0 on, not 2.5"),
        ({"number": "5"}, "number is a whole number from 0 on, not '5'"),
        ({"offset": -1}, "offset is a whole number from 0 on"),
        ({"start_time": "soon"}, "start_time: 'soon' is not a time"),
        ({"end_time": object()}, "end_time: <object"),
    ],
)
def test_parameters_that_cannot_be_meant_are_refused_before_a_request(client, peer, parameters, says):
    with pytest.raises(ValueError, match=says):
        client.get_events(**parameters)
    assert peer.requests == []


@pytest.mark.parametrize("number", [-1, "5", 2.5, False])
def test_a_number_of_matches_that_cannot_be_meant_is_refused_before_a_request(client, peer, number):
    for ask in (client.query_events, client.iter_events, client.to_dataframe):
        with pytest.raises(ValueError, match="number is a whole number from 0 on"):
            ask({}, number=number)
    assert peer.requests == []


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])  # noqa: DTZ901
def test_the_least_and_the_greatest_time_are_no_bound(client, peer, moment):
    client.get_events(start_time=moment, end_time=moment)
    sent = peer.requests[0].params
    assert sent["start_time"] == sent["end_time"]
    assert sent["start_time"][:10] in ("0001-01-01", "9999-12-31")


@pytest.mark.parametrize("event_id", ["", None, 5, ["a"], b"a"])
def test_what_is_no_id_is_refused_before_a_request(client, peer, event_id):
    with pytest.raises((TypeError, ValueError), match="event_id"):
        client.get_event(event_id)
    assert peer.requests == []


def test_an_id_may_be_a_uuid(client, peer):
    assert client.get_event(UUID(int=5)) is None
    assert peer.paths() == [f"/event/{UUID(int=5)}"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_selector_that_cannot_be_meant_is_refused_before_a_request(client, peer, question):
    for selector in ({"event_data.x": lambda: 1}, "alert", [1]):
        with pytest.raises(TypeError):
            getattr(client, question)(selector)
    assert peer.requests == []


@pytest.mark.parametrize(
    "sort",
    ["", "-", 5, {"log_level": 2}, {"log_level": "desc"}, {"log_level": True}, {5: 1}, ["log_level", 2],
     "log_level DESC", "event_data.step ascending", [("log_level", 0)], [["log_level"]], [None]],
)  # fmt: skip
def test_what_is_no_order_is_refused_before_a_request(client, peer, sort):
    for ask in (client.query_events, client.iter_events, client.to_dataframe):
        with pytest.raises(ValueError, match=r"^sort: .* is no order"):
            ask({}, sort=sort)
    assert peer.requests == []


@pytest.mark.parametrize(
    "sort",
    ["log_level", "-log_level", {"log_level": -1.0}, ["log_level", {"alert": 1}], ("log_level", -1),
     [("log_level", -1), ("alert", 1)], 'event_data["a b"]'],
)  # fmt: skip
def test_an_order_goes_out_as_it_was_given(client, peer, sort):
    client.query_events({}, sort=sort)
    assert json.loads(peer.requests[0].body)["sort"] == json.loads(json.dumps(sort))


@pytest.mark.parametrize("fields", [5, [5], {"a": 2}, {"a": "yes"}, {5: 1}, b"a", iter(["a"])])
def test_what_is_no_choice_of_fields_is_refused_before_a_request(client, peer, tmp_path, fields):
    with pytest.raises(ValueError, match=r"^fields: .* is no choice"):
        client.to_dataframe({}, fields=fields)
    with pytest.raises(ValueError, match=r"^fields: "):
        client.export(tmp_path / "a.csv", fields=fields)
    assert peer.requests == []


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"before_date": "soon"}, "before_date: 'soon' is not a time"),
        ({"event_ids": [5]}, "event_ids: 5 is no id"),
        ({"event_ids": [""]}, "event_ids: an id is not empty"),
        ({"selector": {"a": object()}}, "a: no event holds a object"),
    ],
)
def test_orders_of_operators_that_cannot_be_meant_are_refused(client, peer, parameters, says):
    with pytest.raises((TypeError, ValueError), match=says):
        client.archive_events(**parameters)
    assert peer.requests == []


def told(question, *arguments, **more):
    """What a program that does not catch it shows of an exception."""
    with pytest.raises(ServerUnreachableError) as caught:
        question(*arguments, **more)
    return "".join(traceback.format_exception(caught.value)), caught.value.message


def test_an_unreachable_server_is_told_in_one_sentence(make_client, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = make_client(event_server=url, retry_total=1)
    (tmp_path / "a.ndjson").write_text('{"event_data": 1}')
    for question, *arguments in (
        (client.get_event, "a"),
        (client.get_events,),
        (client.query_events, {}),
        (client.count_events,),
        (client.archive_events, None, ["a"]),
        (client.export, tmp_path / "b.ndjson"),
        (client.import_events, tmp_path / "a.ndjson"),
    ):
        shown, message = told(question, *arguments, timeout=2)
        assert "refused" in message
        assert shown.count("Traceback") == 1
        assert "urllib3" not in shown
        assert "http/client" not in shown


def test_a_reply_that_breaks_off_is_told_in_one_sentence(client, peer):
    peer.route = lambda _: (200, {"Content-Length": "1000"}, {})
    shown, message = told(client.get_event, "a", timeout=0.5)
    assert shown.count("Traceback") == 1
    assert "urllib3" not in shown
    assert "does not answer" in message
