"""The runner: each slot done once, whatever tasks and stores do."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from madsci.common.clock import iso
from madsci.common.errors import HeldBackError, StoreError, StoreUnavailableError
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.tasks.runner import TaskRunner
from madsci.event_manager.tasks.schedule import Every
from madsci.event_manager.tasks.task import Pauses
from madsci.event_manager.tasks.turn import last_done, note_done
from support.server import wait_until

HOUR = 3_600_000_000
HOURLY = Every(1)
QUICK = Pauses(look=0.005, clock=0.005, turn=0.06, first_retry=600, longest_retry=1000)


class Clock:
    """A time that goes on when it is told to, and may be set."""

    def __init__(self) -> None:
        self.now = 1000 * HOUR + HOUR // 2
        self.set_by = 0
        self.looks = 0

    def elapsed(self) -> float:
        return (self.now - self.set_by) / 1_000_000

    def set(self, step: int) -> None:
        """Set the clock, while no time passes."""
        self.set_by += step  # between the two it seems to be set back
        self.now += step

    def __call__(self) -> int:
        self.looks += 1
        return self.now

    def await_looks(self) -> None:
        """Wait until the runner has looked several times what is due."""
        enough = self.looks + 10
        wait_until(lambda: self.looks > enough, "looks at the clock")


@dataclass
class Work:
    """A task that does what it is given, and remembers its runs."""

    act: Callable = lambda _: None
    name: str = "work"
    schedule: Every = HOURLY
    runs: list[str] = field(default_factory=list)

    def run(self, keep_turn):
        self.runs.append(self.name)
        self.act(keep_turn)


class Told:
    """What the runner told in events."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def record(self, event_type, level, message, **members):
        self.messages.append(message)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def start(clock, told):
    """Start runners, and stop them at the end."""
    with contextlib.ExitStack() as stack:

        def make(*tasks, store=None, pauses=QUICK, **more) -> TaskRunner:
            runner = TaskRunner(
                store or MemoryStore(), tasks, "me", told,
                clock=clock, elapsed=clock.elapsed, pauses=pauses, **more,
            )  # fmt: skip
            runner.start()
            stack.callback(runner.close, 10)
            return runner

        yield make


def state(runner: TaskRunner, number: int = 0):
    return runner.stats()[number]


def await_state(runner: TaskRunner, **members):
    """Wait until a task stands as it should."""

    def is_so() -> bool:
        shown = state(runner).model_dump()
        return all(shown[name] == value for name, value in members.items())

    wait_until(is_so, f"{members} in {state(runner)}")
    return state(runner)


def test_a_task_is_done_at_once_and_then_once_a_slot(start, clock):
    work = Work()
    runner = start(work)
    shown = await_state(runner, last_outcome="done")
    assert (shown.last_start, shown.next_start) == (iso(clock.now), iso(1001 * HOUR))
    clock.now += HOUR // 4
    clock.await_looks()
    assert len(work.runs) == 1
    clock.now += HOUR
    wait_until(lambda: len(work.runs) == 2)


def test_slots_that_were_missed_are_done_once(start, clock):
    work = Work()
    runner = start(work)
    await_state(runner, last_outcome="done")
    clock.now += 50 * HOUR
    await_state(runner, last_outcome="done", next_start=iso(1051 * HOUR))
    assert len(work.runs) == 2


def test_what_was_done_before_a_restart_is_not_done_again(start, clock):
    store, before, after = MemoryStore(), Work(), Work()
    first = start(before, store=store)
    await_state(first, last_outcome="done")
    first.close(10)
    second = start(after, store=store)
    clock.await_looks()
    assert after.runs == []
    assert state(second).last_outcome is None
    clock.now += HOUR
    wait_until(lambda: after.runs)


def test_a_failure_is_told_and_tried_again_later_and_later(start, clock, caplog):
    def fail(_):
        if len(work.runs) < 4:
            raise StoreError("The table is gone.")

    work = Work(fail)
    runner = start(work)
    shown = await_state(runner, failures=1)
    assert (shown.last_outcome, shown.detail) == ("failed", "The table is gone.")
    assert shown.next_start == iso(clock.now + 600_000_000)
    assert not shown.ended
    for failures, seconds in ((2, 600), (3, 1000)):  # doubled, but no longer than the longest
        clock.now += seconds * 1_000_000
        await_state(runner, failures=failures)
    clock.now += 1_000_000_000
    await_state(runner, failures=0, last_outcome="done", detail=None)
    assert caplog.text.count("The task work failed. The table is gone.") == 1  # as long as it lasts


def test_an_unforeseen_failure_ends_neither_the_runner_nor_the_others(start, caplog):
    def fail(_):
        raise KeyError("secret")

    work, other = Work(fail), Work(name="other")
    runner = start(work, other)
    shown = await_state(runner, failures=1)
    wait_until(lambda: other.runs)
    assert runner.running
    assert "KeyError" in shown.detail
    assert "secret" not in shown.detail
    assert "Traceback" in caplog.text


def test_a_failure_may_be_the_last_one_but_not_where_the_store_is_only_away(start, clock, caplog):
    errors = [StoreUnavailableError("The database is away."), StoreError("The table is gone.")]

    def fail(_):
        raise errors[len(work.runs) - 1]

    work = Work(fail)
    runner = start(work, ends_on_failure={"work"})
    assert not await_state(runner, failures=1).ended
    clock.now += 600_000_000
    shown = await_state(runner, failures=2, ended=True)
    assert shown.next_start is None
    clock.now += 10 * HOUR
    clock.await_looks()
    assert len(work.runs) == 2
    assert "not tried again until the server is restarted" in caplog.text


def test_a_store_that_is_away_when_the_turn_is_taken_is_a_failure(start, clock):
    class Away(MemoryStore):
        away = True

        def hold(self, name, holder, seconds):
            if self.away:
                raise StoreUnavailableError("The database is away.")
            return super().hold(name, holder, seconds)

    store, work = Away(), Work()
    runner = start(work, store=store)
    await_state(runner, failures=1, detail="The database is away.")
    assert work.runs == []
    store.away = False
    clock.now += 600_000_000
    await_state(runner, failures=0, last_outcome="done")


class Leases(MemoryStore):
    """A store whose leases are counted and may be lost."""

    def __init__(self):
        super().__init__()
        self.taken = 0
        self.lost = threading.Event()
        self.let_go_of: list[str | None] = []
        """By each lease that was let go, for which slot the task was done by then."""

    def hold(self, name, holder, seconds):
        if self.lost.is_set():
            return False
        self.taken += 1
        return super().hold(name, holder, seconds)

    def let_go(self, name, holder):
        self.let_go_of.append(last_done(self, name.removeprefix("task/")))
        super().let_go(name, holder)


def test_the_turn_is_renewed_while_a_task_blocks(start):
    store, release = Leases(), threading.Event()
    runner = start(Work(lambda _: release.wait(10)), store=store)
    wait_until(lambda: store.taken > 3, "renewals")
    assert state(runner).running
    release.set()
    await_state(runner, last_outcome="done", running=False)
    assert store.let_go_of == [iso(1000 * HOUR)]


def test_a_task_hears_that_its_turn_is_lost_and_is_not_taken_for_done(start):
    store, answers = Leases(), []

    def act(keep_turn):
        answers.append(keep_turn())
        store.lost.set()
        wait_until(lambda: not keep_turn(), "the loss")

    runner = start(Work(act), store=store)
    await_state(runner, last_outcome="interrupted")
    assert answers == [True]
    assert store.let_go_of == [None]


def test_closing_ends_a_rest_at_once_and_tells_the_task_at_work(start):
    idle = start(Work(), pauses=Pauses())
    await_state(idle, last_outcome="done")
    assert idle.close(5)

    store, begun = Leases(), threading.Event()

    def act(keep_turn):
        begun.set()
        wait_until(lambda: not keep_turn(), "the end")

    busy = start(Work(act), store=store)
    assert begun.wait(10)
    assert busy.close(5)
    assert store.let_go_of == [None]
    assert state(busy).last_outcome == "interrupted"
    assert not busy.running


def test_a_task_that_does_not_leave_off_does_not_keep_the_server_from_stopping(start):
    begun, release = threading.Event(), threading.Event()

    def act(_):
        begun.set()
        release.wait(10)

    runner = start(Work(act))
    assert begun.wait(10)
    assert not runner.close(0.05)
    release.set()
    assert runner.close(10)


def test_a_task_that_always_is_due_does_not_starve_the_others(start, clock):
    def act(_):
        clock.now += HOUR  # longer than its own slot

    long, other = Work(act, name="long"), Work(name="other", schedule=Every(3))
    runner = start(long, other)
    wait_until(lambda: len(long.runs) > 9)
    runner.close(10)
    assert len(other.runs) >= 3


def test_without_tasks_it_only_watches_the_clock(start, clock, told):
    runner = start()
    assert runner.running
    assert runner.stats() == []
    clock.await_looks()
    clock.set(HOUR)
    wait_until(lambda: told.messages)
    assert runner.close(1)


def test_failures_are_errors_in_the_log(start, caplog):
    def fail(_):
        raise StoreError("The table is gone.")

    runner = start(Work(fail))
    await_state(runner, failures=1)
    assert runner.close(10)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


YEARS = 10 * 366 * 24 * HOUR


class TestSteps:
    """The clock is set while tasks are done."""

    @pytest.mark.parametrize("step", [HOUR, 24 * HOUR, YEARS])
    def test_a_task_goes_on_when_the_clock_was_ahead_for_a_while(self, start, clock, told, step):
        work, store = Work(), MemoryStore()
        runner = start(work, store=store)
        await_state(runner, last_outcome="done")
        clock.set(step)
        wait_until(lambda: len(work.runs) == 2, "the slot of the clock that is ahead")
        assert "forward by" in told.messages[0]
        await_state(runner, last_outcome="done", running=False)
        clock.set(-step)
        wait_until(lambda: len(work.runs) == 3, "the slot of now")
        await_state(runner, last_outcome="done", running=False, next_start=iso(1001 * HOUR))
        assert last_done(store, "work") == iso(1000 * HOUR)
        assert any("set back by" in one for one in told.messages)
        clock.now += HOUR
        wait_until(lambda: len(work.runs) == 4, "the slot after it")

    @pytest.mark.parametrize("step", [HOUR, 24 * HOUR, YEARS])
    def test_a_server_that_starts_after_one_that_was_ahead_says_so_and_goes_on(
        self, start, clock, told, step
    ):
        store = MemoryStore()
        note_done(store, "work", iso(1000 * HOUR + step))
        work = Work()
        runner = start(work, store=store)
        await_state(runner, last_outcome="done")
        (message,) = told.messages
        assert f"done for {iso(1000 * HOUR + step)}, which lies in the future" in message
        assert last_done(store, "work") == iso(1000 * HOUR)

    def test_a_clock_that_is_a_little_behind_does_no_slot_twice(self, start, clock, told):
        """Another server of the store, whose clock is three minutes ahead, did the next slot."""
        clock.now = 1001 * HOUR - 180_000_000
        store, work = MemoryStore(), Work()
        note_done(store, "work", iso(1001 * HOUR))
        start(work, store=store)
        clock.await_looks()
        assert (work.runs, told.messages) == ([], [])

    def test_a_clock_that_is_set_back_does_not_delay_what_is_tried_again(self, start, clock):
        def fail(_):
            if len(work.runs) < 2:
                raise StoreError("The table is gone.")

        work = Work(fail)
        runner = start(work)
        await_state(runner, failures=1)
        clock.set(-YEARS)
        shown = state(runner)
        assert shown.next_start == iso(clock.now + 600_000_000)
        clock.now += 600_000_000
        await_state(runner, failures=0, last_outcome="done")

    def test_what_is_done_in_the_future_is_told_once(self, start, clock, told):
        def fail(_):
            raise StoreError("The table is gone.")

        store = MemoryStore()
        note_done(store, "work", iso(1000 * HOUR + YEARS))
        runner = start(Work(fail), store=store)
        await_state(runner, failures=1)
        clock.now += 600_000_000
        await_state(runner, failures=2)
        assert len(told.messages) == 1


def test_what_is_held_back_is_told_once_is_no_failure_and_asked_again_soon(start, clock, told):
    held = threading.Event()
    held.set()

    def act(_):
        if held.is_set():
            raise HeldBackError("Somebody has to look.")

    store, work = Leases(), Work(act)
    runner = start(work, store=store, ends_on_failure={"work"})
    shown = await_state(runner, last_outcome="held", detail="Somebody has to look.")
    assert (shown.failures, shown.ended) == (0, False)
    clock.now += 1_000_000
    wait_until(lambda: len(work.runs) > 1, "another try")
    assert told.messages == ["Somebody has to look."]
    assert set(store.let_go_of) == {None}
    held.clear()
    clock.now += 1_000_000
    await_state(runner, last_outcome="done", detail=None)
