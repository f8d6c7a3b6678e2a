"""Bad input gets a status and a sentence that helps, and nothing else is lost by it."""

from __future__ import annotations

import gzip
import http.client
import json

import pytest

MALFORMED = [
    ("malformed JSON", b'{"event_data": ', 400, "line 1"),
    ("an empty body", b"", 400, "not JSON"),
    ("a list", b"[1, 2]", 422, "POST /events"),
    ("a number", b"42", 422, "JSON object"),
    (
        "10,000 levels of nesting",
        b'{"event_data":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        422,
        "nested",
    ),
    ("200 levels of nesting", b'{"event_data":' + b"[" * 200 + b"]" * 200 + b"}", 422, "nested"),
    ("an id of 10 kB", json.dumps({"event_id": "x" * 10_240}).encode(), 422, "10240 characters"),
]


@pytest.mark.parametrize(
    ("body", "status", "hint"), [case[1:] for case in MALFORMED], ids=[c[0] for c in MALFORMED]
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(shared_server, body, status, hint):
    before = shared_server.get("health")["total_events"]
    reply = shared_server.request("POST", "event", body)
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert hint in reply.json["detail"]
    assert reply.json["status"] == status
    assert shared_server.get("health")["total_events"] == before


def test_an_unknown_type_or_level_is_kept_and_told(shared_server):
    reply = shared_server.post(
        "event", {"event_type": "plate_dropped", "log_level": "loud", "event_data": "x"}
    )
    assert reply.status == 200
    assert reply.json["event_type"] == "unknown"
    assert reply.json["log_level"] == 20
    assert reply.json["extra"] == {"event_type": "plate_dropped", "log_level": "loud"}
    warnings = " ".join(reply.headers.get_all("X-Event-Warning"))
    assert "'plate_dropped' is not a known type" in warnings
    assert "NOTSET, DEBUG, INFO" in warnings
    assert shared_server.get(f"event/{reply.json['_id']}") == reply.json


def test_a_body_of_25_mb_is_too_large_for_an_event(shared_server):
    reply = shared_server.post("event", {"event_data": "x" * 25_000_000})
    assert reply.status == 413
    assert "bytes" in reply.json["detail"]
    assert shared_server.get("health")["healthy"]


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(shared_server):
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=30)
    connection.putrequest("POST", "/events")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    reply = connection.getresponse()
    assert reply.status == 413
    assert "Send it in parts" in json.loads(reply.read())["detail"]
    connection.close()


@pytest.mark.parametrize("path", ["event", "events"])
def test_a_gzip_bomb_is_stopped_at_the_limit(shared_server, path):
    bomb = gzip.compress(bytes(300_000_000), compresslevel=9)
    assert len(bomb) < 400_000
    reply = shared_server.request("POST", path, bomb, {"Content-Encoding": "gzip"})
    assert reply.status == 413
    assert shared_server.get("health")["healthy"]


def test_an_unknown_encoding_is_named(shared_server):
    reply = shared_server.request("POST", "events", b"{}", {"Content-Encoding": "br"})
    assert reply.status == 415
    assert "'br'" in reply.json["detail"]
    assert "gzip" in reply.json["detail"]


def test_a_body_that_is_not_what_its_encoding_says_is_refused(shared_server):
    for encoding in ("gzip", "zstd", "deflate"):
        reply = shared_server.request(
            "POST", "events", b'{"event_data":1}', {"Content-Encoding": encoding}
        )
        assert reply.status == 400
        assert encoding in reply.json["detail"]


def test_a_broken_line_in_the_middle_costs_only_itself(shared_server):
    lines = [json.dumps({"event_id": f"line-{number}", "event_data": number}) for number in range(9)]
    lines[4] = '{"event_data": 4'
    reply = shared_server.request("POST", "events", "\n".join(lines))
    assert reply.status == 200
    assert reply.json["received"] == 9
    assert reply.json["stored"] == 8
    assert reply.json["rejected"] == 1
    (error,) = reply.json["errors"]
    assert error["line"] == 5
    assert error["status"] == 422
    assert "not JSON" in error["detail"]
    for number in (0, 3, 5, 8):
        assert shared_server.get(f"event/line-{number}")["event_data"] == number


def test_a_body_of_which_nothing_can_be_kept_fails(shared_server):
    reply = shared_server.request("POST", "events", "nonsense\nmore nonsense\n")
    assert reply.status == 422
    assert [error["line"] for error in reply.json["errors"]] == [1, 2]


KEPT = [
    ("NUL", b'{"event_data":"a\\u0000b"}', "a\x00b", False),
    ("a lone surrogate", b'{"event_data":"a\\ud800b"}', "a\\ud800b", True),
    ("NaN", b'{"event_data":[NaN, Infinity, -Infinity]}', ["NaN", "Infinity", "-Infinity"], True),
    ("an overflowing number", b'{"event_data":1e999}', "Infinity", True),
    (
        "an integer beyond 64 bits",
        b'{"event_data":123456789012345678901234567890}',
        123456789012345678901234567890,
        False,
    ),
    ("bytes that are not UTF-8", '{"event_data":"25 °C"}'.encode("latin-1"), "25 °C", True),
    ("a byte order mark", b'\xef\xbb\xbf{"event_data":1}', 1, False),
    ("a raw control character", b'{"event_data":"a\tb"}', "a\tb", False),
]


@pytest.mark.parametrize(
    ("body", "expected", "told"), [case[1:] for case in KEPT], ids=[c[0] for c in KEPT]
)
def test_odd_values_are_kept_and_what_had_to_change_is_told(shared_server, body, expected, told):
    reply = shared_server.request("POST", "event", body)
    assert reply.status == 200, reply.body
    assert reply.json["event_data"] == expected
    assert shared_server.get(f"event/{reply.json['_id']}") == reply.json
    assert bool(reply.headers["X-Event-Warning"]) is told


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("number=-1", "number"),
        ("number=99999999", "number"),
        ("offset=-3", "offset"),
        ("level=loud", "level"),
        ("start_time=soon", "start_time"),
        ("cursor=abc", "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(shared_server, query, name):
    reply = shared_server.request("GET", f"events?{query}")
    assert reply.status in (400, 422)
    assert name in reply.json["detail"]
    assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ({"$where": "sleep(1)"}, "$where"),
        ({"event_data.x": {"$regexx": "a"}}, "$regexx"),
        ({"event_timestamp": {"$gte": "soon"}}, "event_timestamp"),
        ({"$or": []}, "$or"),
        ({"event_data.a": {"$in": 3}}, "$in"),
        ({"a": 3}, "event_data.a"),
        ([], "JSON object"),
        (None, "JSON object"),
        ("text", "JSON object"),
    ],
)
def test_a_selector_outside_the_language_is_refused_by_name(shared_server, selector, name):
    reply = shared_server.post("events/query", selector)
    assert reply.status == 400
    assert name in reply.json["detail"]


def test_unknown_routes_and_methods_are_problems_too(shared_server):
    for method, path, status in (
        ("GET", "nothing", 404),
        ("PUT", "event", 405),
        ("GET", "event/none", 404),
    ):
        reply = shared_server.request(method, path)
        assert reply.status == status
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.json["status"] == status
