"""Questions over HTTP: selectors, what goes with them, counts, and files of any size."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from madsci.common.errors import QueryTimeoutError
from madsci.event_manager.stores.memory import MemoryStore

START = 1_767_225_600  # 2026-01-01T00:00:00Z
NDJSON = {"Accept": "application/x-ndjson"}


def lab_event(number: int) -> dict:
    return {
        "_id": f"e{number:04}",
        "event_timestamp": START + 60 * number,
        "event_type": "node_error" if number % 10 == 0 else "log_info",
        "log_level": 40 if number % 10 == 0 else 20,
        "source": {"node_id": f"n{number % 3}"},
        "event_data": {
            "message": f"Plate {number} {'jammed' if number == 77 else 'moved'}",
            "workflow_id": f"wf-{number // 50}",
            "step": number % 7,
        },
    }


@pytest.fixture
def plates(serve):
    """A server with 150 events, one a minute, the last of them archived."""
    client = serve()
    events = [lab_event(number) for number in range(150)]
    events[-1] |= {"archived": True, "archived_at": START}
    assert client.post("/events", json=events).json()["stored"] == 150
    return client


def query(client, body, **more):
    reply = client.post("/events/query", json=body, **more)
    assert reply.status_code == 200, reply.text
    return reply


class TestQuery:
    def test_a_bare_selector_finds_archived_events_too_newest_first(self, plates):
        found = query(plates, {"event_data.workflow_id": "wf-2"}).json()
        assert list(found) == [f"e{number:04}" for number in range(149, 99, -1)]
        assert found["e0149"]["archived"] is True

    def test_a_question_may_leave_archived_events_out(self, plates):
        body = {"selector": {"event_data.workflow_id": "wf-2"}, "include_archived": False}
        assert next(iter(query(plates, body).json())) == "e0148"

    def test_words_of_messages_are_found(self, plates):
        assert list(query(plates, {"$text": {"$search": "JAMMED"}}).json()) == ["e0077"]

    def test_sort_and_limit_shape_the_answer_and_its_cursor_goes_on(self, plates):
        body = {"selector": {"log_level": 40}, "sort": [["event_data.step", -1]], "limit": 4}
        pages = []
        while True:
            reply = query(plates, body)
            pages.append([event["event_data"]["step"] for event in reply.json().values()])
            if "X-Next-Cursor" not in reply.headers:
                break
            body["cursor"] = reply.headers["X-Next-Cursor"]
        assert [len(page) for page in pages] == [4, 4, 4, 3]
        steps = [step for page in pages for step in page]
        assert steps == sorted((number % 7 for number in range(0, 150, 10)), reverse=True)

    def test_a_page_has_a_thousand_events_unless_more_are_asked_for(self, serve):
        client = serve()
        client.post("/events", json=[{"_id": f"e{number}"} for number in range(1_200)])
        for body, number in (
            ({}, 1_000),
            ({"selector": {}}, 1_000),
            ({"limit": 1_100}, 1_100),
            ({"limit": 0}, 1_200),
            ({"limit": 10**9}, 1_200),
        ):
            assert len(query(client, body).json()) == number, body

    def test_fields_choose_members_and_the_id_stays(self, plates):
        body = {"selector": {"_id": "e0077"}, "fields": ["event_data.message"]}
        assert query(plates, body).json() == {
            "e0077": {
                "_id": "e0077",
                "event_id": "e0077",
                "event_data": {"message": "Plate 77 jammed"},
            }
        }

    def test_everything_is_streamed_as_lines_in_the_order_asked_for(self, serve):
        client = serve()
        events = [{"_id": f"e{number:04}", "event_timestamp": number} for number in range(2_500)]
        client.post("/events", json=events)
        lines = query(client, {}, headers=NDJSON).text.splitlines()
        assert [json.loads(line)["_id"] for line in lines] == [f"e{n:04}" for n in range(2_499, -1, -1)]
        assert json.loads(lines[0]) == client.get("/event/e2499").json()
        body = {"selector": {}, "sort": "event_timestamp", "limit": 1_500, "fields": "log_level"}
        lines = query(client, body, headers=NDJSON).text.splitlines()
        assert len(lines) == 1_500
        assert json.loads(lines[0]) == {"_id": "e0000", "event_id": "e0000", "log_level": 20}

    def test_a_stream_of_nothing_is_empty(self, plates):
        reply = query(plates, {"_id": "none"}, headers=NDJSON)
        assert (reply.text, reply.headers["Content-Type"]) == ("", "application/x-ndjson")

    @pytest.mark.parametrize(
        ("body", "status", "word"),
        [
            ({"selector": {}, "colour": 1}, 422, "colour"),
            ({"selector": {}, "sort": "colour"}, 422, "colour"),
            ({"selector": {}, "limit": -1}, 422, "limit"),
            ({"selector": {}, "limit": True}, 422, "limit"),
            ({"selector": {}, "cursor": 5}, 422, "cursor"),
            ({"selector": {}, "cursor": "abc"}, 400, "cursor"),
            ({"selector": {}, "fields": {"alert": 2}}, 422, "fields"),
            ({"selector": {}, "include_archived": 1}, 422, "include_archived"),
            ({"selector": []}, 400, "selector"),
            ({"selector": {"event_data.a": {"$foo": 1}}}, 400, "$foo"),
            ({"$where": "1"}, 400, "$where"),
            ([], 400, "selector"),
            ("text", 400, "selector"),
        ],
    )
    def test_what_cannot_be_used_is_named(self, plates, body, status, word):
        for headers in ({}, NDJSON):
            reply = plates.post("/events/query", json=body, headers=headers)
            assert reply.status_code == status, reply.text
            assert word in reply.json()["detail"]

    def test_a_cursor_of_another_order_is_refused(self, plates):
        cursor = query(plates, {"limit": 1}).headers["X-Next-Cursor"]
        reply = plates.post("/events/query", json={"sort": "log_level", "cursor": cursor})
        assert reply.status_code == 400
        assert reply.json()["code"] == "invalid-cursor"


class TestCounts:
    def test_events_are_counted_under_a_selector_from_url_or_body(self, plates):
        selector = {"log_level": 40}
        assert plates.get("/events/count").json() == {"count": 150}
        text = json.dumps(selector)
        assert plates.get("/events/count", params={"selector": text}).json() == {"count": 15}
        assert plates.post("/events/count", json=selector).json() == {"count": 15}
        body = {"selector": selector, "include_archived": False}
        assert plates.post("/events/count", json=body).json() == {"count": 15}
        narrowed = {"level": "error", "start_time": "2026-01-01T01:00:00Z", "include_archived": False}
        assert plates.get("/events/count", params=narrowed).json() == {"count": 9}

    def test_a_histogram_lists_every_interval_and_splits_it(self, plates):
        reply = plates.get("/events/histogram", params={"interval": "1h", "by": "level"}).json()
        assert (reply["interval_seconds"], reply["by"], reply["total"]) == (3600, "level", 150)
        assert reply["buckets"] == [
            {"start": "2026-01-01T00:00:00.000000Z", "count": 60, "counts": {"20": 54, "40": 6}},
            {"start": "2026-01-01T01:00:00.000000Z", "count": 60, "counts": {"20": 54, "40": 6}},
            {"start": "2026-01-01T02:00:00.000000Z", "count": 30, "counts": {"20": 27, "40": 3}},
        ]
        assert reply["start"] == "2026-01-01T00:00:00.000000Z"
        assert reply["end"] == "2026-01-01T03:00:00.000000Z"

    @pytest.mark.parametrize("by", ["type", "level", "node", "workcell", "workflow"])
    def test_a_histogram_agrees_with_the_facet_of_the_same_member(self, plates, by):
        body = {"event_data.step": {"$lt": 5}}
        histogram = plates.post(f"/events/histogram?interval=30m&by={by}", json=body).json()
        facet = plates.post(f"/events/facets?by={by}", json=body).json()["facets"][by]
        sums: dict[str, int] = {}
        for bucket in histogram["buckets"]:
            for value, count in bucket["counts"].items():
                sums[value] = sums.get(value, 0) + count
        assert sums == {str(one["value"]): one["count"] for one in facet["values"]}
        assert histogram["total"] == sum(sums.values()) + facet["missing"]
        assert histogram["total"] == plates.post("/events/count", json=body).json()["count"]

    def test_empty_intervals_are_listed_between_given_times(self, plates):
        params = {"start_time": "2025-12-31T22:00Z", "end_time": "2026-01-01T00:30Z", "interval": "1h"}
        reply = plates.get("/events/histogram", params=params).json()
        assert [bucket["count"] for bucket in reply["buckets"]] == [0, 0, 31]

    def test_a_histogram_of_nothing_has_no_interval(self, plates):
        reply = plates.post("/events/histogram", json={"_id": "none"}).json()
        assert reply["buckets"] == []
        assert (reply["total"], reply["start"]) == (0, None)

    def test_facets_tell_what_they_leave_out(self, plates):
        reply = plates.get("/events/facets", params={"by": "workflow,node", "top": 2}).json()
        assert reply["total"] == 150
        assert list(reply["facets"]) == ["workflow", "node"]
        assert reply["facets"]["workflow"] == {
            "paths": ["source.workflow_id", "event_data.workflow_id"],
            "values": [{"value": "wf-0", "count": 50}, {"value": "wf-1", "count": 50}],
            "missing": 0,
            "other": 50,
        }
        assert plates.get("/events/facets").json()["facets"]["user"]["missing"] == 150

    @pytest.mark.parametrize(
        ("path", "word"),
        [
            ("/events/histogram?interval=soon", "interval"),
            ("/events/histogram?interval=0s", "interval"),
            ("/events/histogram?interval=1ms", "intervals"),
            ("/events/histogram?by=colour", "colour"),
            ("/events/facets?by=type,colour", "colour"),
            ("/events/facets?top=0", "top"),
            ("/events/count?start_time=soon", "start_time"),
            ("/events/export?format=xml", "xml"),
            ("/events/export?fields=colour", "colour"),
        ],
    )
    def test_a_parameter_that_cannot_be_used_is_named(self, plates, path, word):
        reply = plates.get(path)
        assert reply.status_code == 422, reply.text
        assert word in reply.json()["detail"]

    def test_a_selector_in_the_url_that_is_none_is_refused(self, plates):
        for text in ("{", "[]", '{"a":{"$foo":1}}'):
            assert plates.get("/events/count", params={"selector": text}).status_code == 400


class TestFiles:
    def test_an_export_is_a_file_the_oldest_event_first(self, plates):
        reply = plates.get("/events/export")
        assert reply.headers["X-Total-Count"] == "150"
        assert reply.headers["Content-Disposition"].startswith('attachment; filename="madsci_events_')
        lines = reply.text.splitlines()
        assert len(lines) == 150
        assert json.loads(lines[0]) == plates.get("/event/e0000").json()

    def test_how_many_events_come_is_said_only_where_it_is_known(self, plates, serve):
        class SlowToCount(MemoryStore):
            def tally(self, tallies):
                raise QueryTimeoutError("The question was stopped.")

        def total(client, body):
            return client.post("/events/export", json=body).headers.get("X-Total-Count")

        cursor = query(plates, {"limit": 100, "sort": "event_timestamp"}).headers["X-Next-Cursor"]
        assert total(plates, {"selector": {"log_level": 40}, "limit": 7}) == "7"
        assert total(plates, {"sort": "event_timestamp", "cursor": cursor}) is None
        slow = serve(store=SlowToCount())
        slow.post("/event", json={"_id": "e"})
        reply = slow.get("/events/export")
        assert len(reply.text.splitlines()) == 1
        assert "X-Total-Count" not in reply.headers

    def test_a_table_has_a_column_for_every_path(self, plates):
        body = {"selector": {"log_level": 40}, "sort": "-event_timestamp"}
        reply = plates.post("/events/export?format=csv", json=body)
        rows = list(csv.DictReader(io.StringIO(reply.text, newline="")))
        assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert [row["event_id"] for row in rows][:2] == ["e0140", "e0130"]
        assert rows[0]["event_data.workflow_id"] == "wf-2"
        chosen = plates.get("/events/export?format=csv&fields=event_data.step").text.splitlines()
        assert chosen[:2] == ["event_id,event_data.step", "e0000,0"]

    def test_parquet_is_written_where_its_library_is(self, plates):
        parquet = pytest.importorskip("pyarrow.parquet")
        reply = plates.get("/events/export?format=parquet")
        assert parquet.read_table(io.BytesIO(reply.content)).num_rows == 150

    def test_an_import_copies_a_store_to_the_last_member(self, plates, serve, tmp_path):
        plates.post("/event", json={"_id": "odd", "event_type": "brand_new", "colour": "red"})
        plates.post("/event", json={"_id": "old", "event_data": {"event_type": "node_error"}})
        exported = plates.get("/events/export").content
        copy = serve(db_url=f"sqlite:///{tmp_path / 'copy.db'}", promote_event_type=True)
        assert copy.post("/events/import", content=exported).json()["stored"] == 152
        assert copy.get("/events/export").content == exported
        again = copy.post("/events/import", content=exported).json()
        assert (again["stored"], again["duplicate"]) == (0, 152)

    @pytest.mark.parametrize("processes", [0, 1])
    def test_what_a_fast_clock_received_is_exported_and_copied(self, serve, tmp_path, processes):
        client = serve(query_processes=processes)
        for name, received_at in (("ahead", "2099-01-01T00:00:00Z"), ("past", "2001-01-01T00:00:00Z")):
            client.post("/events/import", json=[{"_id": name, "received_at": received_at}])
        exported = client.get("/events/export")
        assert exported.headers["X-Total-Count"] == "2"
        assert {one["_id"] for one in map(json.loads, exported.text.splitlines())} == {"ahead", "past"}
        streamed = client.post("/events/query", json={}, headers={"Accept": "application/x-ndjson"})
        assert '"received_at":"2099-01-01' in streamed.text
        copy = serve(db_url=f"sqlite:///{tmp_path / 'copy.db'}")
        assert copy.post("/events/import", content=exported.content).json()["stored"] == 2

    def test_what_was_never_received_is_received_now(self, serve):
        client = serve()
        client.post("/events/import", content=b'{"_id":"new","event_timestamp":0}')
        assert client.get("/event/new").json()["received_at"] > "2026-01-01"
        client.post("/events", content=b'{"_id":"a","received_at":"2001-01-01T00:00:00Z"}')
        assert client.get("/event/a").json()["received_at"] > "2026-01-01"


def test_processes_beside_the_server_give_the_same_answers(serve, plates, tmp_path):
    beside = serve(db_url=f"sqlite:///{tmp_path / 'beside.db'}", query_processes=2)
    beside.post("/events/import", content=plates.get("/events/export").content)
    selector = {"event_data.message": {"$regex": "[0-9]7 "}, "event_timestamp": {"$gte": START}}
    for path in ("query?number=7", "count", "histogram?by=node", "facets", "export?format=csv"):
        reply = beside.post(f"/events/{path}", json=selector)
        assert reply.status_code == 200, reply.text
        assert reply.content == plates.post(f"/events/{path}", json=selector).content
    refused = beside.post("/events/export?format=csv", json={"selector": {}, "cursor": "x"})
    assert refused.status_code == 400


def test_a_format_whose_library_is_missing_is_told_before_anything_is_sent(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    reply = client.get("/events/export?format=parquet")
    assert (reply.status_code, reply.json()["code"]) == (501, "format-unavailable")
    assert "pip install" in reply.json()["detail"]
    assert client.get("/events/export?format=csv").status_code == 200
