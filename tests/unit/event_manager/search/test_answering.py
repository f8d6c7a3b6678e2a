"""Answers in processes beside the server: the same as here, and nothing outlives its use."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from madsci.common.errors import AbandonedError, InvalidInputError, QueryTimeoutError, StoreError
from madsci.event_manager.export.projection import parse_fields
from madsci.event_manager.model.budget import Budget
from madsci.event_manager.model.query import NO_LIMIT, Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tally import GROUPINGS, Buckets, Count, Tally
from madsci.event_manager.search import beside as beside_module
from madsci.event_manager.search import process
from madsci.event_manager.search.answering import AnsweringHere
from madsci.event_manager.search.beside import AnsweringBeside
from madsci.event_manager.search.jobs import STREAM_PAGE, HistogramJob, PageJob, StreamJob, TallyJob
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.processes import ARE_TOLD, is_running, seconds_of_core
from support.server import PATIENCE, wait_until

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
    PageJob(Query(SELECTOR, 5)),
    PageJob(Query(SELECTOR, 5), parse_fields("event_data.n")),
    TallyJob([Tally(SELECTOR), Tally(SELECTOR, GROUPINGS["node"], Buckets(0, 4_999, 1_000))]),
    HistogramJob(SELECTOR, width=1_000),
]
HISTOGRAM = (Buckets(0, 4_998, 1_000), [Count(500, bucket=at) for at in range(0, 5_000, 1_000)])


@pytest.fixture(autouse=True)
def patience_with_processes(monkeypatch):
    """On a machine that has much to do, one of low priority may answer late; tests of that say so."""
    monkeypatch.setattr(process, "_GRACE", PATIENCE)


def asked(answers, job, seconds: float = PATIENCE):
    return answers.ask(job, Budget(seconds))


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
def test_an_answer_from_beside_is_the_one_from_here(store, beside, job):
    assert asked(beside, job) == asked(AnsweringHere(store), job)


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
    next(iter(job.parts(store, on_page=lambda: pages.append(1))))
    assert len(pages) == 11  # all eight and the end, and then the first two again
    assert read(beside.stream(job)).count(b"\n") == 5_001 + len(more)


@pytest.mark.parametrize("name", ["ndjson", "csv"])
def test_a_stream_from_beside_is_the_one_from_here(store, beside, name):
    job = StreamJob(Query(SELECTOR, NO_LIMIT), name, None, 30.0)
    whole = read(beside.stream(job))
    assert whole == read(AnsweringHere(store).stream(job))
    assert whole.count(b"\n") in (2_500, 2_501)


def test_what_was_appended_before_the_question_is_in_the_answer(store, beside):
    job = TallyJob([Tally()])
    for number in range(3):
        ((count,),) = asked(beside, job)
        assert count.count == 5_000 + number
        store.append([StoredEvent(f"new{number}", "log", 20, False, 0, 0, {}, "{}")])


def processes(answers: AnsweringBeside) -> list[int]:
    return [worker.pid for worker in answers._all]


def test_a_process_is_used_again(beside):
    for _ in range(3):
        asked(beside, JOBS[0])
    assert len(processes(beside)) == 1


def test_an_error_of_a_job_is_raised_here_and_the_process_stays(beside):
    with pytest.raises(QueryTimeoutError, match="range of event_timestamp"):
        asked(beside, TallyJob([Tally(parse_selector({"event_data.x": {"$gt": 1}}))]), 0.002)
    with pytest.raises(InvalidInputError, match="xml"):
        next(beside.stream(StreamJob(Query(), "xml", None, 30.0)))
    assert asked(beside, JOBS[3]) == HISTOGRAM
    assert len(processes(beside)) == 1


def test_a_question_to_a_process_that_has_died_is_answered_by_another(beside):
    asked(beside, JOBS[0])
    (pid,) = processes(beside)
    os.kill(pid, signal.SIGKILL)
    assert asked(beside, JOBS[3]) == HISTOGRAM
    assert pid not in processes(beside)


class Deadly:
    """A job whose process dies of it, but for so many times."""

    def __init__(self, marks, times: int) -> None:
        self.marks, self.times = marks, times

    def run(self, events, budget):
        marks = list(self.marks.iterdir())
        if len(marks) < self.times:
            (self.marks / str(len(marks))).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "answered"


@pytest.fixture
def marks(tmp_path, monkeypatch):
    """A folder with a file for each process that died; this module is found by the processes."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    monkeypatch.setattr(Deadly, "__module__", Path(__file__).stem)
    monkeypatch.setitem(sys.modules, Path(__file__).stem, sys.modules[__name__])
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


def test_a_question_amid_which_its_process_dies_is_asked_once_more(beside, marks):
    assert asked(beside, Deadly(marks, 1)) == "answered"
    assert len(list(marks.iterdir())) == 1


def test_a_question_that_kills_two_processes_is_not_asked_again(beside, marks):
    with pytest.raises(StoreError, match="Ask again"):
        asked(beside, Deadly(marks, 5))
    assert len(list(marks.iterdir())) == 2
    assert asked(beside, JOBS[3]) == HISTOGRAM


class Endless:
    """A job that goes on until its budget is over, or does not even look at it."""

    def __init__(self, *, looks: bool) -> None:
        self.looks = looks

    def run(self, events, budget):
        while not (self.looks and budget.is_over):
            time.sleep(0.001)
        budget.check()


def cancelled_amid(answers, job, is_begun) -> None:
    """Ask, cancel, and see that the one who asked is told so."""
    budget = Budget(100.0)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(answers.ask, job, budget)
        wait_until(lambda: is_begun(budget), "the question")
        answers.cancel(budget)
        assert isinstance(answer.exception(20), AbandonedError)
    assert asked(answers, JOBS[3]) == HISTOGRAM


def is_under_way(answers: AnsweringBeside, budget: Budget) -> bool:
    return any(one._budget is budget for one in answers._all)


@pytest.mark.parametrize("looks", [True, False])
def test_a_question_beside_that_is_cancelled_ends_and_its_process_stays_if_it_heeds(
    beside, marks, monkeypatch, looks
):
    monkeypatch.setattr(Endless, "__module__", Path(__file__).stem)
    with pytest.raises(QueryTimeoutError):  # after which the process knows what an endless job is
        asked(beside, Endless(looks=True), 0.01)
    if looks:  # be it late, on a machine that has much to do
        monkeypatch.setattr(process, "_HEED", 60.0)
    before = processes(beside)
    cancelled_amid(beside, Endless(looks=looks), lambda budget: is_under_way(beside, budget))
    assert (processes(beside) == before) == looks


def test_a_question_here_that_is_cancelled_ends(store):
    seen = []

    class Noted(Endless):
        def run(self, events, budget):
            seen.append(budget)
            super().run(events, budget)

    cancelled_amid(AnsweringHere(store), Noted(looks=True), lambda budget: budget in seen)


def test_cancelling_ends_no_question_of_somebody_else(beside):
    gone = Budget(30.0)
    asked(beside, JOBS[0])
    beside.cancel(gone)
    with pytest.raises(AbandonedError):
        beside.ask(JOBS[0], gone)
    assert asked(beside, JOBS[3]) == HISTOGRAM
    assert len(processes(beside)) == 1


def test_a_question_that_is_cancelled_while_its_process_starts_ends_with_it(beside):
    """The seat of a question is free when its thread is: not after all of a start that hangs."""
    beside.tend()
    (pid,) = processes(beside)
    os.kill(pid, signal.SIGSTOP)
    cancelled_amid(beside, JOBS[0], lambda budget: is_under_way(beside, budget))
    assert pid not in processes(beside)


@pytest.mark.skipif(not ARE_TOLD, reason="no time of a core is told")
def test_the_start_of_its_process_is_no_work_at_a_question(beside):
    budget, worked = Budget(30.0), [0.0]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(beside.ask, JOBS[3], budget)
        while not answer.done():
            worked.append(beside.at_work(budget) or 0.0)
            time.sleep(0.001)
    assert answer.result() == HISTOGRAM
    (pid,) = processes(beside)
    assert max(worked) < seconds_of_core(pid) / 2


def test_a_process_that_does_not_answer_in_time_is_ended(beside, monkeypatch):
    monkeypatch.setattr(process, "_GRACE", 0.2)
    asked(beside, JOBS[0])
    (pid,) = processes(beside)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(QueryTimeoutError, match="took longer"):
        asked(beside, HistogramJob(SELECTOR), 0.1)
    wait_until(lambda: not is_running(pid), "the end of the process")
    assert asked(beside, JOBS[3]) == HISTOGRAM


def test_a_process_that_does_not_even_take_a_long_question_is_ended(beside, monkeypatch):
    """The question is longer than what the pipe to it holds."""
    monkeypatch.setattr(process, "_GRACE", 0.2)
    asked(beside, JOBS[0])
    (pid,) = processes(beside)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(QueryTimeoutError, match="took longer"):
        asked(beside, TallyJob([Tally(parse_selector({"event_data.x": "x" * 500_000}))]), 0.1)
    assert asked(beside, JOBS[3]) == HISTOGRAM


def test_a_process_that_has_grown_is_not_kept(beside, monkeypatch):
    monkeypatch.setattr(process, "_MAX_RESIDENT", 1)
    asked(beside, JOBS[0])
    assert processes(beside) == []


def test_tending_keeps_one_process_ready_and_ends_those_that_nobody_needed(beside, monkeypatch):
    beside.tend()
    beside.tend()
    (ready,) = processes(beside)
    workers = [beside.take(), beside.take()]
    assert ready in processes(beside)
    for worker in workers:
        beside.give_back(worker)
    beside.tend()
    assert len(processes(beside)) == 2
    monkeypatch.setattr(beside_module, "_IDLE", 0.0)
    beside.tend()
    (last,) = processes(beside)
    os.kill(last, signal.SIGKILL)
    wait_until(lambda: not workers[-1].is_usable, "the end of the process")
    beside.tend()
    assert [pid for pid in processes(beside) if pid != last]


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
    asked(answers, JOBS[0])
    stream = answers.stream(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0))
    next(stream)
    pids = processes(answers)
    answers.close()
    assert not any(is_running(pid) for pid in pids)
    with pytest.raises(StoreError, match="is stopping"):
        asked(answers, JOBS[0])


def test_a_stream_whose_process_died_before_its_first_part_begins_again(store, beside):
    stream = beside.stream(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0))
    os.kill(processes(beside)[0], signal.SIGKILL)
    assert read(stream).count(b"\n") == 5_000


def test_a_stream_whose_process_dies_on_the_way_ends_in_an_error(beside):
    stream = beside.stream(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0))
    assert next(stream)
    os.kill(processes(beside)[0], signal.SIGKILL)
    with pytest.raises(StoreError, match="Ask again"):
        read(stream)
    assert processes(beside) == []


def test_a_stream_that_is_left_here_makes_no_further_part(store):
    stream = AnsweringHere(store).stream(StreamJob(Query(limit=NO_LIMIT), "ndjson", None, 30.0))
    assert next(stream)
    stream.close()
    assert next(stream, None) is None
