"""Questions that mean no good: the server answers right or refuses, and goes on taking events."""

from __future__ import annotations

import contextlib
import csv
import http.client
import json
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from madsci.common.clock import parse_instant
from madsci.common.errors import InvalidSelectorError
from madsci.common.types.members import INSTANTS
from madsci.event_manager.export.csv_rows import FORMULA
from madsci.event_manager.model.json_reading import visible_names
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.selector_parser import parse_selector
from support.hostile import NAUGHTY, SURROGATES, Hostile
from support.questions import HOPELESS
from support.server import Reply, ServerProcess, running_server, wait_until
from support.spreadsheets import read_csv

EVENTS = 80
SEED = 20_261_124
JSON = {"Content-Type": "application/json"}
TOO_LARGE = 413
BAD = 400
TOO_DEEP = 422
BAD_AROUND_IT = 422
"""For what goes with a selector: an order, fields, a limit."""


class KeptAlive:
    """One connection to a server, opened again when the server closes it."""

    def __init__(self, server: ServerProcess) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | str | None = None) -> Reply:
        self.connection.request(method, "/" + path, body, JSON)
        return Reply(self.connection.getresponse())

    def query(self, question: Any) -> Reply:
        return self.ask("POST", "events/query?number=10000", json.dumps(question))

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def store(server: ServerProcess, events: list[dict[str, Any]]) -> None:
    """Send events as lines and see that none is refused."""
    for start in range(0, len(events), 5_000):
        lines = "\n".join(map(json.dumps, events[start : start + 5_000]))
        reply = server.request("POST", "events", lines)
        assert reply.status == 200, reply.body
        assert reply.json["stored"] == len(events[start : start + 5_000]), reply.body[:2_000]


def document_of(wire: dict[str, Any]) -> dict[str, Any]:
    """An event of the REST API as selectors see it."""
    instants = {name: parse_instant(wire[name]) for name in INSTANTS if wire[name] is not None}
    return {**{name: value for name, value in wire.items() if name != "event_id"}, **instants}


def assert_is_a_problem(reply: Reply, *statuses: int) -> None:
    assert reply.status in statuses, (reply.status, reply.body[:500])
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == reply.status
    assert reply.json["detail"]


# Ten thousand selectors.


@pytest.fixture(scope="module")
def asked_server(tmp_path_factory):
    """A running Event Manager with a few odd events, and what they are as documents."""
    hostile = Hostile(SEED)
    events = [hostile.event(f"e{number:02}") for number in range(EVENTS)]
    with running_server(tmp_path_factory.mktemp("asked")) as server:
        store(server, events)
        kept = {name: document_of(wire) for name, wire in server.get("events?number=1000").items()}
        assert sorted(kept) == [event["_id"] for event in events]
        yield server, kept


def read_as_the_server_does(body: bytes) -> Selector | None:
    """The selector in a body, or ``None`` where the server must refuse it."""
    try:
        # A NUL in a name is a visible escape, in events and in what is asked.
        asked = visible_names(json.loads(body, parse_constant=lambda name: name), [])
        return parse_selector(asked)
    except (ValueError, RecursionError, InvalidSelectorError):
        return None


def ask_many(
    server: ServerProcess, kept: dict[str, dict[str, Any]], seed: int, count: int
) -> Counter[str]:
    """Ask selectors from a seed on one connection; return how many were answered, empty and refused."""
    hostile = Hostile(seed)
    seen: Counter[str] = Counter()
    with KeptAlive(server) as connection:
        for _ in range(count):
            body = hostile.body()
            reply = connection.ask("POST", "events/query?number=1000", body)
            if reply.status == 200:
                selector = read_as_the_server_does(body)
                if selector is None:  # the server repairs some texts that are no JSON
                    assert set(reply.json) <= set(kept), body
                    seen["repaired"] += 1
                    continue
                expected = {name for name, document in kept.items() if matches(selector, document)}
                assert set(reply.json) == expected, body
                seen["answered" if expected else "empty"] += 1
            else:
                # 422 is for JSON that is nested too deeply to be read at all.
                too_deep = "nested deeper than 96 levels" in reply.body.decode()
                assert_is_a_problem(reply, TOO_DEEP if too_deep else BAD)
                assert read_as_the_server_does(body) is None, (body, reply.body)
                seen["refused"] += 1
    return seen


def ask_in_two_threads(asked_server, count: int) -> None:
    server, kept = asked_server
    with ThreadPoolExecutor(2) as threads:
        halves = [threads.submit(ask_many, server, kept, SEED + half, count // 2) for half in (1, 2)]
        seen = sum((half.result() for half in halves), Counter())
    assert seen.total() == count
    assert all(seen[kind] > count / 20 for kind in ("answered", "empty", "refused")), seen
    assert seen["repaired"] < count / 50
    assert server.get("health")["total_events"] == EVENTS


@pytest.mark.slow
def test_1_000_hostile_selectors_find_what_they_mean_or_are_refused(asked_server):
    ask_in_two_threads(asked_server, 1_000)


@pytest.mark.slow
def test_10_000_hostile_selectors_find_what_they_mean_or_are_refused(asked_server):
    ask_in_two_threads(asked_server, 10_000)


def test_a_question_that_is_too_large_is_refused_before_it_is_read(asked_server):
    server, _ = asked_server
    reply = server.request("POST", "events/query", b'{"a":"' + b"x" * 20_000_000 + b'"}', JSON)
    assert_is_a_problem(reply, TOO_LARGE)


# Strings that break programs, as values, names and messages.

VALUES = {f"v{place:03}": text for place, text in enumerate(NAUGHTY)}
NAMES = {f"n{place:03}": text for place, text in enumerate(NAUGHTY) if "\0" not in text}
MESSAGES = {f"m{place:03}": text for place, text in enumerate(NAUGHTY)}


@pytest.fixture(scope="module")
def naughty_server(tmp_path_factory):
    """A running Event Manager with three events for each naughty string."""
    events = [
        *({"_id": name, "event_data": {"value": text}} for name, text in VALUES.items()),
        *({"_id": name, "event_data": {"named": {text: 1}}} for name, text in NAMES.items()),
        *({"_id": name, "event_data": {"message": text}} for name, text in MESSAGES.items()),
    ]
    with running_server(tmp_path_factory.mktemp("naughty")) as server:
        store(server, events)
        yield server


@pytest.fixture
def naughty(naughty_server):
    with KeptAlive(naughty_server) as connection:
        yield connection


def names_of(kept: dict[str, str], text: str) -> set[str]:
    return {name for name, one in kept.items() if one == text}


def test_there_are_naughty_strings_enough():
    assert len(NAUGHTY) > 350
    assert all(len(text.encode()) <= 200_000 for text in NAUGHTY)


def test_every_string_is_kept_as_it_is(naughty_server):
    events = naughty_server.get("events?number=10000")
    assert {name: events[name]["event_data"]["value"] for name in VALUES} == VALUES
    assert {name: events[name]["event_data"]["message"] for name in MESSAGES} == MESSAGES
    for name, text in NAMES.items():
        assert events[name]["event_data"] == {"named": {text: 1}}


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["$eq", "$in"])
def test_every_string_is_found_by_itself_and_no_other_is(naughty, operator):
    for text in NAUGHTY:
        operand = [text, "no such text"] if operator == "$in" else text
        reply = naughty.query({"event_data.value": {operator: operand}})
        assert reply.status == 200, (text, reply.body)
        assert set(reply.json) == names_of(VALUES, text), text


@pytest.mark.slow
def test_every_string_is_found_by_a_pattern_of_its_characters(naughty):
    for text in NAUGHTY:
        pattern = r"\A" + re.sub(r"([^\w\s]|_)", r"\\\1", text, flags=re.ASCII) + r"\z"
        reply = naughty.query({"event_data.value": {"$regex": pattern}})
        if "\0" in pattern or len(pattern) > 4_096:
            assert_is_a_problem(reply, BAD)
        else:
            assert reply.status == 200, (text, reply.body)
            assert set(reply.json) == names_of(VALUES, text), text


def test_every_string_is_found_as_a_name(naughty):
    for text in NAMES.values():
        reply = naughty.query({f"event_data.named.{text}": 1})
        if len(text) > 900 or text.count(".") > 90:
            assert_is_a_problem(reply, BAD)
        else:
            assert reply.status == 200, (text, reply.body)
            # A dot in a path is between two names, so no path leads to a name with a dot in it.
            assert set(reply.json) == (set() if "." in text else names_of(NAMES, text)), text


@pytest.mark.slow
def test_every_string_is_searched_for_as_words(naughty):
    documents = {name: {"event_data": {"message": text}} for name, text in MESSAGES.items()}
    for text in NAUGHTY:
        for searched in (text, f'"{text}"'):
            selector = {"$text": {"$search": searched}}
            reply = naughty.query(selector)
            assert reply.status == 200, (text, reply.body)
            tree = parse_selector(selector)
            expected = {name for name, document in documents.items() if matches(tree, document)}
            assert set(reply.json) == expected, text


def test_a_string_of_words_finds_its_own_message(naughty):
    words = [text for text in NAUGHTY if re.fullmatch(r"\w[\w ]*", text)]
    assert len(words) > 50
    for text in words:
        found = set(naughty.query({"$text": {"$search": f'"{text}"'}}).json)
        assert names_of(MESSAGES, text) <= found, text


def test_the_strings_stand_in_the_order_of_their_characters(naughty):
    question = {
        "selector": {"event_data.value": {"$exists": True}},
        "sort": ["event_data.value", "_id"],
    }
    reply = naughty.ask("POST", "events/query?number=10000", json.dumps(question))
    assert list(reply.json) == sorted(VALUES, key=lambda name: (VALUES[name], name))


def test_every_string_may_stand_in_a_path_to_sort_by(naughty):
    for text in NAUGHTY:
        path = f"event_data.named.{text}"
        question = {"selector": {}, "sort": [{path: -1}], "limit": 1}
        reply = naughty.ask("POST", "events/query", json.dumps(question))
        if reply.status == 200 and "." not in text and "\0" not in text:
            assert set(reply.json) == names_of(NAMES, text), text
        elif reply.status != 200:
            assert_is_a_problem(reply, BAD_AROUND_IT)
            unspeakable = any(char in text for char in '"\\') or min(text, default="a") < " "
            assert unspeakable or len(path) > 1_000, text


def test_every_string_may_be_chosen_as_a_field(naughty):
    for name, text in NAMES.items():
        question = {"selector": {"_id": name}, "fields": [f"event_data.named.{text}"]}
        reply = naughty.query(question)
        if reply.status == 200:
            found = reply.json
            shown = found[name].pop("event_data", {})
            assert found == {name: {"_id": name, "event_id": name}}
            # A dot in a path is between two names; blanks around a path do not count.
            out_of_reach = "." in text or text != text.strip()
            assert shown == {"named": {text: 1}} or (out_of_reach and not shown.get("named")), text
        else:
            assert_is_a_problem(reply, BAD_AROUND_IT)
            assert len(text) > 900 or not all(text.strip().split(".")), text


@pytest.mark.slow
def test_every_string_may_stand_in_a_url(naughty):
    for text in NAUGHTY:
        selector = quote(json.dumps({"event_data.value": text}))
        if len(selector) > 60_000:
            continue  # longer than a request line may be
        expected = names_of(VALUES, text)
        assert naughty.ask("GET", f"events/count?selector={selector}").json == {"count": len(expected)}
        facets = naughty.ask("GET", f"events/facets?by=type&selector={selector}")
        assert facets.status == 200, (text, facets.body)
        assert facets.json["total"] == len(expected)


def test_strings_come_out_of_a_spreadsheet_as_they_went_in(naughty):
    selector = quote(json.dumps({"event_data.value": {"$exists": True}}))
    reply = naughty.ask("GET", f"events/export?format=csv&fields=event_data.value&selector={selector}")
    assert reply.status == 200
    csv.field_size_limit(1_000_000)
    header, *rows = read_csv(reply.body.decode())
    assert header == ["event_id", "event_data.value"]
    assert {name: without_apostrophe(text) for name, text in rows} == VALUES


def without_apostrophe(cell: str) -> str:
    """What was stored: as documented, one apostrophe stands before what looks like a formula."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def test_a_name_that_goes_on_behind_a_nul_is_another_name(naughty):
    event = {"_id": "nul", "event_data": {"seal\0ed": 1}}
    assert naughty.ask("POST", "event", json.dumps(event)).status == 200
    assert naughty.query({"event_data.seal": {"$exists": True}}).json == {}
    found = naughty.query({"event_data.seal\0ed": 1}).json
    assert [one["event_data"] for one in found.values()] == [{"seal\\u0000ed": 1}]


@pytest.mark.parametrize("place", range(len(SURROGATES)))
def test_halves_of_surrogate_pairs_are_asked_for_without_harm(naughty, place):
    name, text = f"s{place}", SURROGATES[place]
    event = f'{{"_id": "{name}", "event_data": {{"half": {text}}}}}'
    assert naughty.ask("POST", "event", event).status == 200
    # The text is kept with a visible escape, and so is what is asked for.
    for operand in (text, f'{{"$in": [{text}]}}'):
        reply = naughty.ask("POST", "events/query", f'{{"event_data.half": {operand}}}')
        assert set(reply.json) == {name}
    for selector in (f"{{{text}: 1}}", f'{{"event_data.half": {{"$regex": {text}}}}}'):
        reply = naughty.ask("POST", "events/query", selector)
        assert reply.status == BAD or set(reply.json) <= {name}
    assert naughty.ask("POST", "events/query", f'{{"$text": {{"$search": {text}}}}}').status == 200


# Patterns that take for ever.

CATASTROPHES = [
    r"(a+)+$", r"(a|aa)*b", r"(.*)*x", r"((a{1,30}){1,30})*b", r"^(a+a+)+b", r"(a?){40}a{40}b",
    r"(?=(a+)+b)(?=(a+)+c)a", r"(a*)*\1\1\1b", r"^(?:(a)|(aa)|(aaa))*\2b", r"(.*?){1,200}z",
    r"(\w+\s?)+!", r"(?:(?:a*)*)*b", r"(a(?1)?b?)+c", r"(x?x?x?x?){200}y", r"([a-z]+)*\d",
    # No text is spared these for not having a letter that they require.
    r"(a|aa)*[bc]$", r"^(a+a+)+[bc]$", r"(\w+\s?)+[!?]", r"((a{1,30}){1,30})*[b-d]$",
    r"(?:(?:a*)*)*[b-d]$",
]  # fmt: skip
LONG = {
    "a": "a" * 1_000_000,
    "a-blank": "a " * 500_000,
    "ab": "ab" * 500_000,
    "x": "x" * 5_000,
    "few": "a" * 40,
}
BLOCKS = "b " + ("a" * 17 + " ") * 55_000
"""The letter that is looked for is there.

Each block has few ways to match, each stays below the limit of a pattern: all take a minute.
"""
WORK_OF_OTHERS = [("POST", "event", '{"event_data": 1}'), ("GET", "health", None)]
SECONDS = 2.0
GRACE = 1.0
"""A pattern at work on one text is not interrupted: its process is ended so long after the budget."""
QUICK = 4.0


@pytest.fixture(scope="module")
def hurried_server(tmp_path_factory):
    """A running Event Manager that gives a question two seconds, with long texts and many short."""
    events = [{"_id": name, "event_data": {"text": text}} for name, text in LONG.items()]
    events.append({"_id": "blocks", "event_data": {"blocks": BLOCKS}})
    events += [{"event_data": {"line": f"{number:06} " + "x" * 200}} for number in range(20_000)]
    directory = tmp_path_factory.mktemp("hurried")
    with running_server(directory, EVENT_QUERY_TIMEOUT_SECONDS=f"{SECONDS:g}") as server:
        store(server, events)
        yield server


@contextlib.contextmanager
def others_are_served(server: ServerProcess):
    """While the block runs, events are taken and health is told on another connection, quickly."""
    over = threading.Event()
    waited: list[float] = []

    def go_on() -> None:
        with KeptAlive(server) as connection:
            while not over.is_set() or len(waited) < 10:
                for method, path, body in (
                    ("POST", "event", '{"event_data": 1}'),
                    ("GET", "health", None),
                ):
                    began = time.monotonic()
                    assert connection.ask(method, path, body).status == 200
                    waited.append(time.monotonic() - began)
                over.wait(0.02)

    with ThreadPoolExecutor(1) as thread:
        served = thread.submit(go_on)
        try:
            yield waited
        finally:
            over.set()
        served.result()
    assert max(waited) < QUICK, sorted(waited)[-5:]


def test_patterns_that_take_for_ever_are_stopped_and_hold_nobody_up(hurried_server):
    def ask(pattern: str) -> tuple[Reply, float]:
        selector = json.dumps({"event_data.text": {"$regex": pattern}})
        began = time.monotonic()
        with KeptAlive(hurried_server) as connection:
            return connection.ask("POST", "events/query", selector), time.monotonic() - began

    with others_are_served(hurried_server), ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, CATASTROPHES))
    for (reply, seconds), pattern in zip(answers, CATASTROPHES, strict=True):
        assert seconds < SECONDS + GRACE + 3, pattern
        if reply.status != 200:
            assert_is_a_problem(reply, 400, 504)
    stopped = [reply.json for reply, _ in answers if reply.status == 504]
    assert len(stopped) > 5
    assert {problem["code"] for problem in stopped} == {"query-timeout"}
    assert any("$text" in problem["detail"] for problem in stopped)


@pytest.mark.slow
def test_a_pattern_that_cannot_be_interrupted_costs_its_process_only(hurried_server):
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(wait_until_answered, [hurried_server] * 8))
    question = {"_id": "blocks", "event_data.blocks": {"$regex": "(a|a)+b"}}
    with others_are_served(hurried_server):
        began = time.monotonic()
        assert_is_a_problem(hurried_server.post("events/query", question), 504)
        assert time.monotonic() - began < SECONDS + GRACE + 3
    assert hurried_server.post("events/query", {"_id": "few"}).status == 200


def wait_until_answered(server: ServerProcess) -> None:
    """Return when a process has begun, which may take longer than a question has."""
    wait_until(lambda: server.request("GET", "events/count").status == 200, "an answer")


@pytest.mark.slow
def test_such_a_pattern_is_stopped_in_new_processes_too(hurried_server):
    question = {"_id": "blocks", "event_data.blocks": {"$regex": "(a|a)+b"}}
    waited = []
    for _ in range(3):  # one more than there are processes
        began = time.monotonic()
        assert_is_a_problem(hurried_server.post("events/query", question), 504)
        waited.append(time.monotonic() - began)
    assert max(waited) < SECONDS + GRACE + 3


@pytest.mark.slow
def test_a_harmless_pattern_looks_through_texts_of_a_megabyte(hurried_server):
    found = hurried_server.post("events/query", {"event_data.text": {"$regex": "b[a]*b$"}})
    assert set(found.json) == {"ab"}


@pytest.mark.slow
def test_more_questions_than_places_are_answered_or_told_to_come_back(hurried_server):
    selector = json.dumps({"event_data.line": {"$regex": "(1|x)x{150}y"}})

    def ask(_: int) -> Reply:
        with KeptAlive(hurried_server) as connection:
            return connection.ask("POST", "events/query", selector)

    with others_are_served(hurried_server), ThreadPoolExecutor(150) as threads:
        replies = list(threads.map(ask, range(150)))
    seen = Counter(reply.status for reply in replies)
    assert set(seen) <= {200, 503, 504}, seen
    assert seen[503] > 0
    assert seen[200] + seen[504] >= 3, seen  # those that had a place; others waited for one in vain
    for reply in replies:
        if reply.status == 503:
            assert_is_a_problem(reply, 503)
            assert reply.json["code"] == "overloaded"
            assert int(reply.headers["Retry-After"]) >= 1


@pytest.mark.slow
def test_a_scan_beyond_its_budget_is_told_what_to_narrow(tmp_path):
    """It would take a third of a minute; what is found by an index takes nothing of three seconds."""
    events = [{"_id": f"e{number}", "event_data": {"message": "a" * 200}} for number in range(20_000)]
    with running_server(tmp_path, EVENT_QUERY_TIMEOUT_SECONDS="3") as server:
        store(server, events)
        scan = {"$and": [HOPELESS, {"event_data.message": {"$regex": "[xyz]{3}$"}}]}
        reply = server.post("events/query", scan)
        assert_is_a_problem(reply, 504)
        problem = reply.json
        assert problem["code"] == "query-timeout"
        for advice in ("after 3 s", "event_timestamp", "source.node_id", "$text"):
            assert advice in problem["detail"]
        assert set(server.post("events/query", {"_id": "e7"}).json) == {"e7"}
        counted = server.request("GET", "events/count?selector=" + quote('{"_id": "e7"}'))
        assert counted.json == {"count": 1}
