"""Questions that are answered with counts, and loops over any number of events."""

from __future__ import annotations

import asyncio
import json

import pytest

from madsci.common.errors import EventServerError, ServerRefusedError, ServerUnreachableError

COUNTS = {
    "/events/count": {"count": 7},
    "/events/histogram": {"interval_seconds": 60, "total": 7, "buckets": []},
    "/events/facets": {"total": 7, "facets": {}},
}


@pytest.fixture
def client(make_client, peer):
    return make_client(event_server=peer.url, log_file_enabled=False)


@pytest.fixture
def counting_peer(peer):
    peer.route = lambda request: (200, {}, COUNTS[request.path])
    return peer


def fill(peer, count):
    for number in range(count):
        peer.store({"event_id": f"e{number:05}", "event_data": {"number": number}})


def test_counts_come_as_a_number(client, counting_peer):
    assert client.count_events() == 7
    assert client.count_events({"alert": True}, include_archived=False) == 7
    assert [(request.method, json.loads(request.body)) for request in counting_peer.requests] == [
        ("POST", {}),
        ("POST", {"selector": {"alert": True}, "include_archived": False}),
    ]


def test_histograms_and_facets_come_as_the_server_tells_them(client, counting_peer):
    assert client.get_histogram({"alert": True}, interval="1h", by="level")["total"] == 7
    assert client.get_facets(by=["type", "level"], top=5) == COUNTS["/events/facets"]
    assert client.get_facets(by="type") == client.get_facets() == COUNTS["/events/facets"]
    assert [request.params for request in counting_peer.requests] == [
        {"interval": "1h", "by": "level"}, {"by": "type,level", "top": "5"}, {"by": "type"}, {},
    ]  # fmt: skip
    assert json.loads(counting_peer.requests[0].body) == {"alert": True}


def test_what_does_not_count_is_no_event_manager(client, peer):
    peer.route = lambda _: (200, {}, {"hello": 1})
    with pytest.raises(ServerRefusedError, match="not an Event Manager"):
        client.count_events()


def test_a_server_without_the_route_is_told_of_with_the_reason_to_look_for(client, peer):
    with pytest.raises(ServerRefusedError, match=r"status 404.*release"):
        client.get_facets(by="type")


def test_counting_is_tried_again_while_the_server_is_overloaded(client, counting_peer):
    counting_peer.script = [(503, {}), (429, {})]
    assert client.count_events() == 7


def test_a_loop_fetches_pages_as_it_goes_on(client, peer):
    peer.page = 10
    fill(peer, 95)
    events = client.iter_events({})
    assert peer.requests == []
    assert [next(events).event_data["number"] for _ in range(11)] == list(range(94, 83, -1))
    assert len(peer.requests) == 2
    assert len(list(events)) == 84
    assert len(peer.requests) == 10


def test_a_loop_ends_at_the_number_also_with_servers_that_know_no_pages(client, peer):
    peer.page = 10
    fill(peer, 95)
    assert len(list(client.iter_events(number=25))) == 25
    assert [request.params["number"] for request in peer.requests] == ["25", "15", "5"]
    everything = {f"e{number}": {"_id": f"e{number}"} for number in range(40)}
    peer.route = lambda _: (200, {}, everything)
    assert len(list(client.iter_events(number=25))) == 25
    assert len(client.query_events({}, number=3)) == 3


def test_an_order_and_archived_events_are_asked_for_in_an_envelope(client, peer):
    list(client.iter_events({"alert": True}))
    list(client.iter_events(sort="-event_timestamp"))
    client.query_events({}, sort=["log_level", {"event_id": -1}], include_archived=False, number=5)
    assert [json.loads(request.body) for request in peer.requests] == [
        {"alert": True},
        {"selector": {}, "sort": "-event_timestamp"},
        {"selector": {}, "sort": ["log_level", {"event_id": -1}], "include_archived": False},
    ]
    assert peer.requests[2].params == {"number": "5"}


def test_a_loop_over_a_server_that_fails_between_pages_raises_where_it_stands(client, peer):
    peer.page = 10
    fill(peer, 20)
    events = client.iter_events()
    for _ in range(10):
        next(events)
    peer.script = [(422, {})]
    with pytest.raises(ServerRefusedError, match="scripted"):
        next(events)


def test_without_a_server_new_questions_say_what_to_set(make_client, capsys):
    client = make_client()
    questions = [
        client.count_events, client.iter_events, client.get_histogram, client.get_facets,
        client.to_dataframe, lambda: client.export("x.csv"), lambda: client.import_events("x.csv"),
        lambda: asyncio.run(client.async_count_events()),
    ]  # fmt: skip
    for question in questions:
        with pytest.raises(EventServerError, match="Set event_server_url"):
            question()
    assert client.query_events({}, sort="event_id") == {}
    assert "set event_server_url" in capsys.readouterr().err


def test_questions_wait_for_what_this_client_has_logged(client, peer):
    client.info("hello")
    assert [event.event_data["message"] for event in client.iter_events()] == ["hello"]


def test_async_twins_do_the_same(client, peer):
    async def first_numbers():
        few = client.async_iter_events({}, number=25)
        seen = [event.event_data["number"] async for event in few]
        async for event in client.async_iter_events():
            seen.append(event.event_data["number"])
            break
        return seen

    async def counts():
        return (
            await client.async_count_events(),
            (await client.async_get_histogram(interval="1h"))["total"],
            (await client.async_get_facets(by="type"))["total"],
        )

    peer.page = 10
    fill(peer, 40)
    assert asyncio.run(first_numbers()) == [*range(39, 14, -1), 39]
    assert len(asyncio.run(client.async_query_events({}, sort="event_id", number=3))) == 3
    peer.route = lambda request: (200, {}, COUNTS[request.path])
    assert asyncio.run(counts()) == (7, 7, 7)


def test_a_loop_in_asynchronous_programs_does_not_hold_up_others(client, peer):
    async def run():
        peer.script = [(0, {})]
        loop = client.async_iter_events(timeout=1)
        waiting = asyncio.ensure_future(loop.__anext__())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        with pytest.raises(ServerUnreachableError):
            await waiting

    asyncio.run(run())


def test_a_question_that_took_too_long_is_not_asked_again(client, peer):
    problem = {"status": 504, "code": "query-timeout", "detail": "Narrow it."}
    peer.route = lambda _: (504, {}, problem)
    with pytest.raises(ServerRefusedError, match="Narrow it"):
        client.count_events()
    assert len(peer.requests) == 1


def test_another_gateway_that_waited_too_long_is_asked_again(client, peer):
    answers = iter([(504, {}, {"detail": "from a proxy"}), (200, {}, {"count": 7})])
    peer.route = lambda _: next(answers)
    assert client.count_events() == 7
