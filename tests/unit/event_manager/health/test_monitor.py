"""What is told of a store, a writer and tasks in every state they may be in."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from madsci.common.errors import StoreError, StoreUnavailableError
from madsci.common.types.health import TaskHealth
from madsci.event_manager.alerts.alarm import Alarm
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.dispatcher import Dispatcher
from madsci.event_manager.feed.follower import Conclusion
from madsci.event_manager.feed.runner import Followers
from madsci.event_manager.health import looking, monitor
from madsci.event_manager.health.monitor import Limits, Monitor
from madsci.event_manager.health.punctuality import Punctuality
from madsci.event_manager.ingest.own_events import PROGRAM, OwnEvents
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.stores.base import Space
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.tasks.runner import TaskRunner
from support.server import wait_until


def no_message(_) -> Message:
    raise AssertionError("nobody is told of anything here")


class Trying(MemoryStore):
    """Does what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.away: str | None = None
        self.full: str | None = None
        self.refused: str | None = None
        self.free = Space(50_000_000_000, 100_000_000_000, 1_000)
        self.said: list[str] = []
        self.hangs = threading.Event()
        self.hangs.set()
        self.probes = 0

    def check(self) -> None:
        assert self.hangs.wait(30)
        if self.away:
            raise StoreUnavailableError(self.away)

    def probe(self) -> None:
        self.probes += 1
        if self.full:
            raise StoreUnavailableError(self.full)

    def append(self, events):
        if self.full:
            raise StoreUnavailableError(self.full)
        if self.refused:
            raise StoreError(self.refused)
        return super().append(events)

    def space(self) -> Space:
        return self.free

    def troubles(self) -> list[str]:
        return self.said


class Failing:
    """A follower that does not like alerts."""

    name = "shy"

    def conclude(self, entries, kept, now):
        if any(one.event.alert for one in entries):
            raise ValueError("I do not like that.")
        return Conclusion()


class Server:
    """A monitor of a store, with a writer on an event loop of its own."""

    def __init__(self, store: Trying) -> None:
        self.store = store
        self.writer = Writer(store, max_events=100)
        self.runner = TaskRunner(store, [], "holder", OwnEvents(self.writer, PROGRAM))
        self.runner.start()
        self.followers = Followers(store, [Failing()])
        self.minutes = 0
        self.punctuality = Punctuality(lambda: self.minutes * 60.0)
        self.monitor = Monitor(
            store,
            self.writer,
            self.runner,
            self.followers,
            self.punctuality,
            Alarm(OwnEvents(self.writer, PROGRAM), Dispatcher(store, [], no_message), []),
            Limits(1_000_000_000, 3.0),
            "0.9",
        )
        self.writer.when_committed(lambda _: self.followers.wake())
        self.writer.when_committed(self.punctuality.see)
        self.followers.start()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    async def _start(self) -> None:
        self.writer.start()
        self.monitor.start()

    def ask(self):
        return asyncio.run_coroutine_threadsafe(self.monitor.asked(), self._loop).result(30)

    def write(self, *, alert: bool = False) -> None:
        event = StoredEvent("a", "log", 20, alert, 0, 1, {}, "{}")
        self.writer.submit(event).exception(30)

    def close(self) -> None:
        self.store.hangs.set()
        assert self.monitor.close(10)
        assert self.runner.close(10)
        assert self.followers.close(10)
        self._loop.call_soon_threadsafe(self.writer.refuse)
        assert self.writer.close(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def server(monkeypatch, caplog):
    caplog.set_level(logging.WARNING, "madsci")
    monkeypatch.setattr(looking, "_SPACE_EACH", 0.0)
    server = Server(Trying())
    yield server
    server.close()


def test_a_server_that_is_well_says_so_with_its_numbers(server):
    state = server.ask()
    assert (state.healthy, state.db_connected, state.total_events) == (True, True, 0)
    assert state.description == "Event Manager is running normally"
    assert (state.free_bytes, state.store_bytes) == (50_000_000_000, 1_000)
    assert (state.troubles, state.warnings, state.bytes_per_day) == ([], [], None)
    assert state.age_seconds < 5


def test_an_answer_is_of_a_look_that_began_after_the_question(server):
    for number in range(20):
        server.store.away = "It is gone." if number % 2 else None
        assert server.ask().healthy is not bool(number % 2)


def test_a_store_that_cannot_be_read_is_told_and_over_at_once(server):
    server.store.away = "The table is gone."
    state = server.ask()
    assert (state.healthy, state.db_connected, state.total_events) == (False, False, None)
    assert state.description == "Database connection failed: The table is gone."
    server.store.away = None
    assert server.ask().healthy


def test_a_writer_that_fails_is_told_at_once_and_over_with_the_first_success(server):
    server.store.full = "The disk is full."
    server.write()
    state = server.monitor.state()
    assert (state.healthy, state.db_connected) == (False, True)
    assert state.troubles == ["The disk is full."]
    server.store.full = None
    server.write()
    assert server.monitor.state().healthy


def test_where_nobody_sends_a_probe_ends_it(server):
    server.store.full = "The disk is full."
    server.write()
    time_between = wait_until(lambda: server.store.probes >= 2 and server.store.probes)
    assert server.monitor.state().troubles == ["The disk is full."]
    server.store.full = None
    wait_until(lambda: server.monitor.state().healthy)
    assert server.store.probes > time_between


def test_where_nobody_sends_a_question_finds_that_nothing_can_be_written(server, monkeypatch):
    monkeypatch.setattr(looking, "_PROBE_AFTER", 0.0)
    assert server.ask().healthy
    server.store.full = "The file system can only be read."
    assert server.ask().troubles == ["The file system can only be read."]


def test_an_event_that_a_store_does_not_take_is_no_trouble_of_the_server(server):
    server.store.refused = "The text is too long."
    server.write()
    assert server.writer.stats.failed == 1
    assert server.monitor.state().healthy


def test_a_store_under_load_is_not_probed(server):
    server.ask()
    probes = server.store.probes
    until = time.monotonic() + 1.5 * looking._PROBE_AFTER
    while time.monotonic() < until:
        server.write()
        server.ask()
    assert server.store.probes == probes


def test_a_store_that_hangs_is_told_without_waiting_for_it(server, monkeypatch):
    monkeypatch.setattr(monitor, "_HANGING", 0.5)
    assert server.ask().healthy
    server.store.hangs.clear()
    state = wait_until(lambda: not (state := server.ask()).healthy and state)
    assert "has not answered for" in state.description
    assert (state.db_connected, state.age_seconds >= 0.5) == (False, True)
    server.store.hangs.set()
    wait_until(lambda: server.ask().healthy)


def test_those_who_ask_a_store_that_hangs_are_not_remembered(server):
    server.ask()
    server.store.hangs.clear()
    server.ask()
    server.ask()
    assert len(server.monitor._looker._asking) == 0


def test_little_room_and_few_days_are_warned_of(server, monkeypatch):
    server.store.free = Space(900_000_000, 100_000_000_000, 1_000)
    state = server.ask()
    assert state.healthy
    (warning,) = state.warnings
    assert warning.startswith("The disk of the event store has 900.0 MB left of 100.0 GB. Free space")
    assert state.description.startswith("Event Manager is running. The disk")
    monkeypatch.setattr(looking.Growth, "bytes_per_day", lambda *_: 450_000_000)
    state = server.ask()
    assert state.days_left == 2.0
    assert "will be full in 2 days" in state.warnings[1]
    server.store.free = Space(900_000_000, 1_000_000_000, 1_000)  # most of a small disk
    assert len(server.ask().warnings) == 1


def test_what_a_store_says_of_itself_is_a_warning(server):
    server.store.said = ["13 events are missing."]
    state = server.ask()
    assert (state.healthy, state.warnings) == (True, ["13 events are missing."])


def test_damaged_events_are_counted_and_warned_of(server, monkeypatch):
    monkeypatch.setattr(Trying, "damaged_events", 13)
    state = server.ask()
    assert (state.healthy, state.damaged_events) == (True, 13)
    assert state.warnings[0].startswith("13 events of memory")


def test_a_sender_whose_clock_is_wrong_is_a_warning(server):
    late = StoredEvent("a", "log", 20, False, 0, 3_600_000_000, {}, "{}", sender='{"name":"arm"}')
    server.writer.submit(late).result(30)
    assert server.ask().warnings == []
    server.minutes = 11
    server.writer.submit(late).result(30)
    state = server.ask()
    assert state.healthy
    (warning,) = state.warnings
    assert warning.startswith("Events of arm come 1 h after their time")


@pytest.mark.parametrize(
    ("task", "healthy", "words"),
    [
        (TaskHealth(name="backup", last_outcome="done"), True, "running normally"),
        (
            TaskHealth(name="backup", failures=1, detail="No room."),
            False,
            "No room. It is tried again.",
        ),
        (TaskHealth(name="backup", ended=True, detail="No room."), False, "No room. Mend that and"),
        (
            TaskHealth(name="backup", last_outcome="held", detail="The clock."),
            True,
            "held back: The clock.",
        ),
    ],
)
def test_a_failed_task_is_trouble_and_one_that_is_held_back_a_warning(
    server, monkeypatch, task, healthy, words
):
    monkeypatch.setattr(server.monitor._runner, "stats", lambda: [task])
    state = server.ask()
    assert (state.healthy, state.tasks) == (healthy, [task])
    assert words in state.description


def test_the_log_tells_once_when_it_begins_and_once_when_it_ends(server, caplog, monkeypatch):
    monkeypatch.setattr(server.monitor._conditions, "_calm", 0.6)
    server.store.full = "The disk is full."
    server.write()
    server.store.full = None
    server.write()  # over before the log was looked at
    wait_until(lambda: "is over" in caplog.text)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_writer_that_stopped_is_told(server):
    server._loop.call_soon_threadsafe(server.writer.refuse)
    wait_until(lambda: not server.monitor.state().healthy)
    assert "The writer has stopped" in server.monitor.state().description


def test_a_follower_that_does_not_go_on_is_told_with_the_event(server):
    wait_until(lambda: server.ask().followers[0].lag == 0, "the follower")
    server.write(alert=True)
    wait_until(lambda: not server.ask().healthy, "the trouble")
    state = server.ask()
    assert "follower shy does not go on at the event a" in state.description
    (follower,) = state.followers
    assert (follower.name, follower.lag, follower.event_id) == ("shy", 1, "a")
    assert "I do not like that." in follower.detail
    assert follower.failing_since
    assert server.followers.skip("shy", "a")
    wait_until(lambda: server.ask().healthy, "the end of the trouble")
    assert server.ask().followers[0].lag == 0
