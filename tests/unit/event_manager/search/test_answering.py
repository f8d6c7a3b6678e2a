"""Answers in processes beside the server: the same as here, and nothing outlives its use."""

from __future__ import annotations

import os
import pickle
import signal
from contextlib import closing

import pytest

from madsci.common.errors import InvalidInputError, QueryTimeoutError, StoreError
from madsci.event_manager.export.projection import parse_fields
from madsci.event_manager.model.query import NO_LIMIT, Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import GROUPINGS, Buckets, Tally
from madsci.event_manager.search import answering
from madsci.event_manager.search.answering import AnsweringBeside, AnsweringHere
from madsci.event_manager.search.jobs import STREAM_PAGE, PageJob, SpanJob, StreamJob, TallyJob
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.server import wait_until

SELECTOR = parse_selector(
    {
        "event_data.message": {"$regex": "^plate [0-9]+$", "$options": "i"},
        "event_data.n": {"$not": {"$mod": [2, 1]}},
        "$text": {"$search": "plate -jam"},
        "event_timestamp": {"$gte": "1970-01-01T00:00:00Z"},
    }
)


@pytest.fixture
def store(tmp_path):
    with closing(SqliteStore(tmp_path / "events.db")) as store:
        store.append(
            [
                StoredEvent(
                    f"e{number:05}", "log", 20, False, number, 1, {"node_id": f"n{number % 3}"},
                    f'{{"message":"Plate {number}","n":{number}}}',
                )
                for number in range(5_000)
            ]
        )  # fmt: skip
        yield store


@pytest.fixture
def beside(store):
    with closing(AnsweringBeside(store.readable_at, store.note_damage)) as answers:
        yield answers


JOBS = [
    PageJob(Query(SELECTOR, 5), None, 30.0),
    PageJob(Query(SELECTOR, 5), parse_fields("event_data.n"), 30.0),
    TallyJob([Tally(SELECTOR), Tally(SELECTOR, GROUPINGS["node"], Buckets(0, 4_999, 1_000))], 30.0),
    SpanJob(SELECTOR, 30.0),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
def test_an_answer_from_beside_is_the_one_from_here(store, beside, job):
    assert beside.ask(job) == AnsweringHere(store).ask(job)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
def test_a_job_is_the_same_after_its_way_to_another_process(job):
    assert pickle.loads(pickle.dumps(job)) == job


def read(stream) -> bytes:
    return b"".join(iter(lambda: next(stream, None), None))


def test_a_part_that_takes_many_pages_is_told_of_page_by_page(store, beside):
    """The columns of a table are sought in every page before its first line."""
    more = [
        StoredEvent(f"f{number:05}", "log", 20, False, number, 1, {}, "{}")
        for number in range(3 * STREAM_PAGE)
    ]
    store.append(more)
    pages = []
    job = StreamJob(Query(limit=NO_LIMIT), "csv", None, 30.0)
    next(iter(job.chunks(store, lambda: pages.append(1))))
    assert len(pages) == 5  # all four, and the first of them again
    assert read(beside.stream(job)).count(b"\n") == 5_001 + len(more)


@pytest.mark.parametrize("name", ["ndjson", "csv"])
def test_a_stream_from_beside_is_the_one_from_here(store, beside, name):
    job = StreamJob(Query(SELECTOR, NO_LIMIT), name, None, 30.0)
    whole = read(beside.stream(job))
    assert whole == read(AnsweringHere(store).stream(job))
    assert whole.count(b"\n") in (2_500, 2_501)


def test_what_was_appended_before_the_question_is_in_the_answer(store, beside):
    job = TallyJob([Tally()], 30.0)
    for number in range(3):
        ((count,),) = beside.ask(job)
        assert count.count == 5_000 + number
        store.append([StoredEvent(f"new{number}", "log", 20, False, 0, 0, {}, "{}")])


def processes(answers: AnsweringBeside) -> list[int]:
    return [worker._process.pid for worker in answers._all]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_is_used_again(beside):
    for _ in range(3):
        beside.ask(JOBS[0])
    assert len(processes(beside)) == 1


def test_an_error_of_a_job_is_raised_here_and_the_process_stays(beside):
    with pytest.raises(QueryTimeoutError, match="range of event_timestamp"):
        beside.ask(TallyJob([Tally(parse_selector({"event_data.x": {"$gt": 1}}))], 0.0))
    with pytest.raises(InvalidInputError, match="xml"):
        next(beside.stream(StreamJob(Query(), "xml", None, 30.0)))
    assert beside.ask(JOBS[3]) == (0, 4_998)
    assert len(processes(beside)) == 1


def test_a_process_that_dies_fails_its_question_only(beside):
    beside.ask(JOBS[0])
    (pid,) = processes(beside)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(StoreError, match="Ask again"):
        beside.ask(JOBS[0])
    assert beside.ask(JOBS[3]) == (0, 4_998)
    assert pid not in processes(beside)


def test_a_process_that_does_not_answer_in_time_is_ended(beside, monkeypatch):
    monkeypatch.setattr(answering, "_GRACE", 0.2)
    beside.ask(JOBS[0])
    (pid,) = processes(beside)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(QueryTimeoutError, match="took longer"):
        beside.ask(SpanJob(SELECTOR, 0.1))
    wait_until(lambda: not is_running(pid), what="the end of the process")
    assert beside.ask(JOBS[3]) == (0, 4_998)


def test_a_stream_that_is_left_ends_its_process(beside):
    stream = beside.stream(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0))
    assert next(stream)
    (pid,) = processes(beside)
    stream.close()
    stream.close()
    assert not is_running(pid)
    assert processes(beside) == []
    assert next(stream, None) is None


def test_closing_ends_every_process(store):
    answers = AnsweringBeside(store.readable_at, store.note_damage)
    answers.ask(JOBS[0])
    stream = answers.stream(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0))
    next(stream)
    pids = processes(answers)
    answers.close()
    assert not any(is_running(pid) for pid in pids)
    with pytest.raises(StoreError, match="is stopping"):
        answers.ask(JOBS[0])


def test_a_stream_that_is_left_here_makes_no_further_part(store):
    stream = AnsweringHere(store).stream(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0))
    assert next(stream)
    stream.close()
    assert next(stream, None) is None
