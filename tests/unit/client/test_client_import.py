"""Import over real sockets: every line is accounted for, under its number in the file."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from pathlib import Path

import pytest

from madsci.client.reading import importing
from madsci.common.errors import InvalidInputError, ServerRefusedError, ServerUnreachableError


@pytest.fixture
def client(make_client, peer):
    def route(request):
        return peer.batch(request) if request.path == "/events/import" else (404, {}, {})

    peer.route = route
    return make_client(event_server=peer.url, log_file_enabled=False)


def lines_of(count, text="x"):
    events = ({"event_id": f"e{number}", "event_data": text} for number in range(count))
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def batches(peer):
    return [len(request.body.splitlines()) for request in peer.requests]


def test_a_file_goes_in_batches_and_is_accounted_for(client, peer, tmp_path):
    path = tmp_path / "events.ndjson"
    path.write_bytes(lines_of(2500))
    report = client.import_events(path)
    assert (report.received, report.stored, report.duplicate, report.rejected) == (2500, 2500, 0, 0)
    assert batches(peer) == [1000, 1000, 500]
    assert {request.headers["Content-Type"] for request in peer.requests} == {"application/x-ndjson"}
    again = client.import_events(str(path))
    assert (again.stored, again.duplicate, again.errors) == (0, 2500, [])
    assert len(peer.events) == 2500


@pytest.mark.parametrize("name", ["events.ndjson.gz", "gzip.by.another.name"])
def test_gzip_is_seen_from_the_content(client, peer, tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(lines_of(600)) + gzip.compress(lines_of(1200)))
    report = client.import_events(tmp_path / name)
    assert (report.received, report.stored, report.duplicate) == (1800, 1200, 600)


def test_an_open_file_is_read_from_where_it_stands_and_left_open(client, peer, tmp_path):
    plain = io.BytesIO(b"skip me\n" + lines_of(3))
    plain.readline()
    assert client.import_events(plain).stored == 3
    assert client.import_events(io.BytesIO(gzip.compress(lines_of(3)))).duplicate == 3
    assert not plain.closed
    path = tmp_path / "events.ndjson"
    path.write_bytes(lines_of(5))
    with path.open("rb") as buffered, path.open("rb", buffering=0) as raw:
        assert client.import_events(buffered).stored == 2
        assert client.import_events(raw).received == 5
        assert not buffered.closed
        assert not raw.closed


def test_errors_tell_the_line_of_the_file(client, peer, tmp_path):
    peer.refused_ids = {"e0", "e1500"}
    before, after = lines_of(2000).split(b"\n", 1)
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + before + b"\r\n\r\n  \n" + after.rstrip(b"\n"))
    report = client.import_events(path)
    assert (report.received, report.stored, report.rejected) == (2000, 1998, 2)
    assert [(error.line, error.event_id) for error in report.errors] == [(1, "e0"), (1503, "e1500")]
    assert report.errors[0].detail == "not liked"
    assert (report.errors[0].status, report.errors[0].code) == (422, "invalid-event")


def test_a_file_of_which_every_line_is_refused_is_reported_and_not_raised(client, peer):
    peer.refused_ids = {"e0", "e1"}
    report = client.import_events(io.BytesIO(lines_of(2)))
    assert (report.received, report.rejected, len(report.errors)) == (2, 2, 2)


def test_batches_stay_under_their_size(client, peer, monkeypatch):
    monkeypatch.setattr(importing, "MAX_BYTES", 10_000)
    report = client.import_events(io.BytesIO(lines_of(50, "y" * 1000)))
    assert report.stored == 50
    assert max(len(request.body) for request in peer.requests) <= 10_000
    assert len(peer.requests) == 6


def test_a_line_beyond_all_measure_is_refused_here_and_the_next_one_goes(client, peer, monkeypatch):
    monkeypatch.setattr(importing, "MAX_BYTES", 10_000)
    text = lines_of(1) + b"[" * 35_000 + b"\n" + lines_of(2) + b"{" * 10_001
    report = client.import_events(io.BytesIO(text))
    assert (report.received, report.stored, report.duplicate, report.rejected) == (5, 2, 1, 2)
    assert [(error.line, error.code) for error in report.errors] == [(2, "too-large"), (5, "too-large")]


def test_what_is_too_large_for_a_server_goes_in_parts(client, peer):
    peer.max_body = 20_000
    text = lines_of(100, "y" * 1000) + lines_of(1, "z" * 30_000)
    report = client.import_events(io.BytesIO(text))
    assert (report.received, report.stored, report.rejected) == (101, 100, 1)
    assert [(error.line, error.status) for error in report.errors] == [(101, 413)]
    assert "status 413: too large" in report.errors[0].detail


def test_passing_trouble_is_tried_again_and_stores_nothing_twice(client, peer):
    peer.script = [(503, {}), (429, {})]
    assert client.import_events(io.BytesIO(lines_of(10))).stored == 10
    assert batches(peer) == [10, 10, 10]


def test_lasting_trouble_says_how_far_it_went(client, peer):
    served = peer.route
    peer.route = lambda request: served(request) if len(peer.requests) == 1 else (403, {}, {})
    with pytest.raises(ServerRefusedError, match=r"status 403.* before line 1001 .*again") as caught:
        client.import_events(io.BytesIO(lines_of(1500)))
    assert caught.value.status == 403
    assert len(peer.events) == 1000


def test_a_server_that_hangs_says_how_far_it_went(client, peer):
    peer.script = [(0, {})]
    with pytest.raises(ServerUnreachableError, match="before line 1 "):
        client.import_events(io.BytesIO(lines_of(5)), timeout=0.2)


def test_what_answers_otherwise_is_no_event_manager(client, peer):
    peer.route = lambda _: (200, {}, {"hello": 1})
    with pytest.raises(ServerRefusedError, match="not an Event Manager"):
        client.import_events(io.BytesIO(lines_of(5)))


def test_errors_that_nobody_can_list_are_counted(client, peer, monkeypatch):
    monkeypatch.setattr(importing, "MAX_ERRORS", 3)
    peer.refused_ids = {f"e{number}" for number in range(10)}
    report = client.import_events(io.BytesIO(lines_of(12)))
    assert (len(report.errors), report.errors_omitted, report.rejected) == (3, 7, 10)


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-2000],
        lambda packed: packed[:500] + b"?" * 500,
        lambda packed: packed[:-8] + b"?" * 8,
    ],
)
def test_a_damaged_gzip_file_is_said_so(client, damage):
    noise = b"".join(
        json.dumps({"event_id": f"e{n * 7919 % 10007}"}).encode() + b"\n" for n in range(5000)
    )
    with pytest.raises(InvalidInputError, match=r"nothing after line \d+ can be unpacked"):
        client.import_events(io.BytesIO(damage(gzip.compress(noise))))


def test_a_file_of_powershell_is_said_so_before_anything_is_sent(client, peer):
    for codec in ("utf-16", "utf-32"):
        with pytest.raises(InvalidInputError, match=r"The file is UTF-16.*iconv"):
            client.import_events(io.BytesIO('{"_id": "a"}\n'.encode(codec)))
    assert peer.requests == []


def test_a_file_that_is_not_there_or_empty(client, peer, tmp_path):
    with pytest.raises(FileNotFoundError):
        client.import_events(tmp_path / "nowhere.ndjson")
    assert client.import_events(io.BytesIO()).received == 0
    assert peer.requests == []


@pytest.mark.parametrize("source", [io.StringIO("{}"), 5, None])
def test_what_gives_no_bytes_is_refused_before_a_request(client, peer, source):
    with pytest.raises(TypeError, match="neither a path nor a file that gives bytes"):
        client.import_events(source)
    assert peer.requests == []


def test_a_bar_is_shown_when_asked_for(client, tmp_path, capfd):
    path = tmp_path / "events.ndjson"
    path.write_bytes(lines_of(1500))
    client.import_events(path)
    assert capfd.readouterr().err == ""
    client.import_events(path, progress=True)
    assert "100%" in capfd.readouterr().err


def test_the_async_twin_does_the_same(client, tmp_path):
    path = Path(tmp_path) / "events.ndjson"
    path.write_bytes(lines_of(7))
    assert asyncio.run(client.async_import_events(path)).stored == 7
