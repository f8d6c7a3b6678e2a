"""Followers take each entry once, whatever they raise, and however often they begin anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack, closing

import pytest

from madsci.common.errors import StoreUnavailableError
from madsci.event_manager.feed.course import Course
from madsci.event_manager.feed.follower import Conclusion, Kept
from madsci.event_manager.feed.place import Place
from madsci.event_manager.feed.runner import Followers
from madsci.event_manager.model.feed import START, Entry, Position
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.tables import Step, put
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.sqlite.store import SqliteStore
from support.server import wait_until


class Counter:
    """Counts how often each event came, and keeps in which order."""

    def __init__(self, name: str = "counter", refuses: Sequence[str] = ()) -> None:
        self.name = name
        self.refuses = set(refuses)

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        seen = json.loads(kept.read(self.name, "seen") or "[]")
        for entry in entries:
            if entry.event.event_id in self.refuses:
                raise ValueError(f"I do not like {entry.event.event_id}")
            seen.append(entry.event.event_id + "!" * entry.is_raised_alert)
        return Conclusion([put(self.name, "seen", json.dumps(seen))])


class Alarm:
    """Wants to be asked two seconds after the last entry."""

    name = "alarm"

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        if entries:
            return Conclusion([put("alarm", "since", str(now))], wake_at=now + 2_000_000)
        since = kept.read("alarm", "since")
        if since is None:
            return Conclusion()
        if now < int(since) + 2_000_000:
            return Conclusion(wake_at=int(since) + 2_000_000)
        return Conclusion([put("alarm", "silent", str(now))])


class Time:
    """A clock of both kinds that somebody sets."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def clock(self) -> int:
        return int(self.seconds * 1_000_000)

    def elapsed(self) -> float:
        return self.seconds


def event(event_id: str, *, alert: bool = False) -> StoredEvent:
    return StoredEvent(event_id, "log", 20, alert, 1, 1, {}, "{}")


def names(first: int, last: int) -> list[str]:
    return [f"e{number}" for number in range(first, last)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "events.db")
    with closing(made):
        yield made


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def course(store, time):
    def make(follower=None):
        return Course(follower or Counter(), store, clock=time.clock, elapsed=time.elapsed)

    return make


def append(store, *ids: str) -> None:
    store.append([event(one) for one in ids])


def seen(store, name: str = "counter") -> list[str]:
    return json.loads(store.read(name, "seen") or "[]")


def drive(course: Course) -> None:
    while course.advance():
        pass


def test_each_entry_is_followed_once_also_after_a_new_start(store, course):
    append(store, *names(0, 5))
    drive(course())
    append(store, *names(5, 8))
    store.append([event("e1", alert=True)])
    drive(course())
    drive(course())
    assert seen(store) == [*names(0, 8), "e1!"]


def test_more_entries_than_one_step_has_are_all_followed(store, course):
    append(store, *names(0, 2_500))
    one = course()
    assert one.lag is None
    assert one.advance()
    assert one.lag == 1_500
    drive(one)
    assert one.lag == 0
    assert seen(store) == names(0, 2_500)


def test_of_two_servers_that_follow_at_once_each_step_counts_once(store, course):
    one, other = course(), course()
    append(store, *names(0, 3))
    drive(one)
    other.advance()
    append(store, "e3")
    for _ in range(3):
        other.advance()
        one.advance()
    assert seen(store) == names(0, 4)


def test_a_follower_that_raises_stops_at_that_entry_and_is_tried_again(store, course, time):
    follower = Counter(refuses=["e3"])
    one = course(follower)
    append(store, *names(0, 6))
    drive(one)
    assert seen(store) == names(0, 3)
    assert one.failure.event_id == "e3"
    assert "I do not like e3" in one.failure.reason
    since, waited = one.failure.since, one.rest()
    assert 0 < waited <= 1.0
    assert not one.advance()
    time.seconds += waited
    drive(one)
    assert one.failure.since == since
    assert one.rest() > waited
    follower.refuses.clear()
    time.seconds += 60
    drive(one)
    assert seen(store) == names(0, 6)
    assert one.failure is None


def test_an_event_that_it_raises_for_among_thousands_costs_it_few_steps(store, course):
    given: list[int] = []

    class Counted(Counter):
        def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
            given.append(len(entries))
            return super().conclude(entries, kept, now)

    one = course(Counted(refuses=["e700", "e2300"]))
    append(store, *names(0, 3_000))
    for number in (700, 2_300):
        drive(one)
        assert one.failure.event_id == f"e{number}"
        assert one.skip(f"e{number}")
    drive(one)
    assert seen(store) == [one for one in names(0, 3_000) if one not in ("e700", "e2300")]
    assert len(given) < 60
    assert given[-1] > 100


def test_a_follower_can_be_told_to_skip_the_event_that_holds_it_up_and_no_other(store, course):
    one = course(Counter(refuses=["e1"]))
    append(store, *names(0, 4))
    drive(one)
    assert not one.skip("e0")
    assert one.skip("e1")
    assert not one.skip("e1")
    drive(one)
    assert seen(store) == ["e0", "e2", "e3"]
    drive(course())
    assert seen(store) == ["e0", "e2", "e3"]


def test_one_that_is_held_up_holds_up_no_other(store):
    followers = Followers(store, [Counter("a", refuses=["e0"]), Counter("b")])
    followers.start()
    append(store, *names(0, 3))
    followers.wake()
    wait_until(lambda: seen(store, "b") == names(0, 3), "the one that can go on")
    wait_until(lambda: followers.stats()[0].detail, "the failure of the other")
    a, b = followers.stats()
    assert (a.name, a.lag, a.event_id) == ("a", 3, "e0")
    assert (b.name, b.lag, b.failing_since) == ("b", 0, None)
    assert not followers.skip("b", "e0")
    assert followers.skip("a", "e0")
    wait_until(lambda: seen(store, "a") == names(1, 3), "the one that skipped")
    assert followers.close(10)


def test_a_follower_is_asked_when_the_time_has_come_though_nothing_was_committed(store, course, time):
    one = course(Alarm())
    drive(one)
    assert one.rest() is None
    append(store, "e0")
    drive(one)
    assert one.rest() == pytest.approx(2.0)
    time.seconds += 1
    drive(one)
    assert store.read("alarm", "silent") is None
    time.seconds += 1
    drive(one)
    assert store.read("alarm", "silent") == str(time.clock())
    assert one.rest() is None


def test_what_a_follower_waited_for_is_not_forgotten_in_a_new_start(store, course, time):
    append(store, "e0")
    drive(course(Alarm()))
    time.seconds += 5
    drive(course(Alarm()))
    assert store.read("alarm", "silent") == str(time.clock())


def test_what_was_deleted_before_it_came_to_it_is_counted(store, course):
    one = course()
    append(store, *names(0, 4))
    store.archive(["e1", "e2"], 1)
    store.delete(["e1", "e2"])
    drive(one)
    assert seen(store) == ["e0", "e3"]
    assert one.missed == 2


def test_what_is_committed_is_followed_without_being_told(store):
    """As what other servers of the same store commit."""
    followers = Followers(store, [Counter()])
    followers.start()
    wait_until(lambda: followers.stats()[0].lag == 0, "the start")
    append(store, "e0")
    wait_until(lambda: seen(store) == ["e0"], "the event")
    assert followers.close(10)
    append(store, "e1")
    followers.wake()
    assert seen(store) == ["e0"]


class Big(Counter):
    """Concludes more than may be kept at once from all that it is given at once."""

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        size = 900_000 if entries[0].event.event_id != "huge" else 1_100_000
        text = json.dumps("x" * size)
        return Conclusion([put("big", one.event.event_id, text) for one in entries])


def test_a_follower_that_concludes_too_much_at_once_is_given_fewer_entries(store, course):
    one = course(Big())
    append(store, *names(0, 12), "huge", "last")
    drive(one)
    assert [key for key, _ in store.scan("big")] == sorted(names(0, 12))
    assert one.failure.event_id == "huge"
    assert "is larger than 1,000,000 bytes" in one.failure.reason
    assert one.skip("huge")
    drive(one)
    assert store.read("big", "last") is not None


def test_followers_at_one_place_read_the_feed_once():
    read: list[str] = []

    class Read(MemoryStore):
        def since(self, position, limit):
            found = super().since(position, limit)
            read.extend(entry.event.event_id for entry in found.entries)
            return found

    store = Read()
    append(store, *names(0, 3_000))
    followers = Followers(store, [Counter("a"), Counter("b"), Counter("c")])
    followers.start()
    for name in "abc":
        wait_until(lambda name=name: len(seen(store, name)) == 3_000, "the followers")
    assert followers.close(10)
    assert sorted(read) == sorted(names(0, 3_000))


class TestPlace:
    """One server of all that share a store has the followers go on."""

    @pytest.fixture
    def start(self, store, time):
        with ExitStack() as stack:

            def make() -> Followers:
                made = Followers(store, [Counter()], elapsed=time.elapsed)
                made.start()
                stack.callback(made.close, 10)
                return made

            yield make

    @pytest.mark.slow
    def test_another_one_goes_on_when_it_stops_and_not_before(self, store, start, time):
        first = start()
        append(store, "e0")
        wait_until(lambda: seen(store) == ["e0"], "the first event")
        second = start()
        append(store, "e1")
        wait_until(lambda: seen(store) == ["e0", "e1"], "the second event")
        assert second.stats()[0].lag is None
        assert first.close(10)
        append(store, "e2")
        time.seconds += 5
        second.wake()
        wait_until(lambda: seen(store) == names(0, 3), "the third event")
        assert second.stats()[0].lag == 0

    def test_one_that_lost_its_place_knows_nothing_of_the_followers_any_more(self, store, start, time):
        assert store.hold("followers", "dead", 0.2)
        runner = start()
        append(store, "e0")
        wait_until(lambda: asked_again(runner, time) and seen(store) == ["e0"], "the end of the lease")
        assert runner.stats()[0].lag == 0
        store.let_go("followers", runner._place._holder)
        assert store.hold("followers", "another", 60)
        time.seconds += 11
        wait_until(lambda: runner.stats()[0].lag is None, "the loss")
        append(store, "e1")
        runner.wake()
        assert not runner.skip("counter", "e1")
        assert seen(store) == ["e0"]

    def test_a_store_that_is_away_ends_the_place_with_its_time(self, tmp_path, time):
        class Away(MemoryStore):
            away = False

            def hold(self, name, holder, seconds):
                if self.away:
                    raise StoreUnavailableError("The database is away.")
                return super().hold(name, holder, seconds)

        store = Away()
        place = Place(store, "followers", time.elapsed)
        assert place.keep()
        store.away = True
        time.seconds += 11
        assert place.keep()
        time.seconds += 20
        assert not place.keep()
        store.away = False
        assert not place.keep()
        time.seconds += 1
        assert place.keep()


def asked_again(runner: Followers, time: Time) -> bool:
    time.seconds += 5
    runner.wake()
    return True


def test_a_place_of_another_store_holds_a_follower_up_and_is_told():
    store = MemoryStore()
    elsewhere = Position.of([("0123456789ab", 5)])
    store.apply([], Step("counter", START, elsewhere))
    followers = Followers(store, [Counter(), Counter("other")])
    followers.start()
    append(store, "e0")
    followers.wake()
    wait_until(lambda: seen(store, "other") == ["e0"], "the other one")
    wait_until(lambda: followers.stats()[0].detail, "the failure")
    assert "is not one of this event store" in followers.stats()[0].detail
    assert followers.close(10)


class Parts:
    """Does what follows from an entry in parts, one a step."""

    name = "parts"

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        left = int(kept.read("parts", "left") or "0") + 3 * len(entries) - (0 if entries else 1)
        return Conclusion([put("parts", "left", str(max(0, left)))], has_more=left > 0)


def test_a_follower_that_has_more_to_do_is_asked_again_at_once(store, course):
    following = course(Parts())
    append(store, "a", "b")
    steps = 0
    while following.advance():
        assert following.rest() == 0.0
        steps += 1
    assert (steps, store.read("parts", "left")) == (6, "0")
    assert following.rest() is None
