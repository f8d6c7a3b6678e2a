"""Archiving and deleting by request and by policy, on every engine."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from madsci.common.errors import HeldBackError, OverloadedError, StoreUnavailableError
from madsci.common.types.event_type import EventType
from madsci.common.types.retention_settings import RetentionRule, RetentionSettings
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.retention.clock_guard import GAP_US, LONGEST_US, SETTLED_US, ClockGuard
from madsci.event_manager.retention.policy import Policy
from madsci.event_manager.retention.service import MANY, MAX_WAITING, Purged, Retention

DAY = 86_400_000_000
NOW = 20_000 * DAY


def event(event_id: str, days: float = 0, kind: str = "log", level: int = 20, **more) -> StoredEvent:
    moment = NOW - int(days * DAY)
    received_at = more.pop("received_at", moment)
    return StoredEvent(
        event_id, kind, level, False, moment, received_at, more.pop("source", {}), "{}", **more
    )


class Told:
    """What the server told about itself, in place of events."""

    def __init__(self):
        self.events: list[dict] = []

    def record(self, event_type, level, message, **members):
        self.events.append({"type": event_type, "level": int(level), "message": message, **members})


@pytest.fixture
def told():
    return Told()


def guard(store, now: int, started: int) -> ClockGuard:
    """What believes the clock of a server that started at a time, and has a run a day."""
    times = iter([started])
    return ClockGuard(store, DAY, lambda: next(times, now))


@pytest.fixture
def make(store, told):
    """Make retentions on the store with settings; time stands still."""

    def making(*rules: dict, pause=0.0, back_up=None, now=NOW, started=None, **settings) -> Retention:
        values = RetentionSettings(
            retention_rules=[RetentionRule(**rule) for rule in rules], **settings
        )
        return Retention(
            store,
            Policy.from_settings(values, None),
            told,
            batch_size=values.archive_batch_size,
            max_batches=values.max_batches_per_run,
            pause=pause,
            clock=lambda: now,
            guard=None if started is None else guard(store, now, started),
            back_up=back_up,
        )

    return making


def go_on() -> bool:
    return True


def left(store) -> dict[str, bool]:
    """The stored events, and whether each is archived."""
    return {one.event_id: one.archived for one in store.find(Query(limit=1000)).events}


def archived(store) -> set[str]:
    return {event_id for event_id, is_archived in left(store).items() if is_archived}


class TestRequests:
    def test_all_ids_are_archived_however_small_a_batch_is(self, store, make):
        store.append([event(f"e{n}") for n in range(25)])
        assert make(archive_batch_size=4).archive_ids([f"e{n}" for n in range(23)] + ["nobody"]) == 23
        assert archived(store) == {f"e{n}" for n in range(23)}
        assert store.get("e3").archived_at == NOW
        assert make().archive_ids(["e3", "e23"], 1) == 1

    def test_what_a_selector_matches_is_archived_page_by_page(self, store, make):
        store.append([event(f"e{n:02}", n // 3, level=10 + 10 * (n % 2)) for n in range(20)])
        selector = parse_selector({"log_level": 10, "_id": {"$ne": "e04"}})
        assert make().archive(selector, 3) == 9
        assert archived(store) == {f"e{n:02}" for n in range(0, 20, 2)} - {"e04"}
        assert make().archive(selector) == 0

    def test_deleting_spares_what_is_young_what_is_held_and_what_is_not_archived(
        self, store, make, told
    ):
        old, young = NOW - 9 * DAY, NOW - DAY
        store.append(
            [
                event("old", archived=True, archived_at=old),
                event("young", archived=True, archived_at=young),
                event("held", archived=True, archived_at=old, source={"experiment_id": "exp-1"}),
                event("timeless", 9, archived=True),
                event("listed", 9),
            ]
        )
        retention = make(legal_hold=[{"source.experiment_id": "exp-1"}])
        assert retention.purge(8).deleted == 2
        assert set(left(store)) == {"young", "held", "listed"}
        assert retention.purge(8).deleted == 0
        assert retention.purge(0).deleted == 1
        assert set(left(store)) == {"held", "listed"}
        assert [(one["task"], one["deleted"]) for one in told.events] == [("purge", 2), ("purge", 1)]

    @pytest.mark.parametrize(
        ("archived_events", "others", "backups"), [(3, 5, 0), (3, 2, 1), (MANY, 2 * MANY, 0),
                                                   (MANY + 1, 2 * MANY, 1), (0, 2, 0)]
    )  # fmt: skip
    def test_a_backup_is_made_before_much_is_deleted(
        self, store, make, told, *, archived_events, others, backups
    ):
        store.append([event(f"gone{n}", archived=True) for n in range(archived_events)])
        store.append([event(f"e{n}") for n in range(others)])
        before: list[int] = []

        def back_up(go_on) -> Path:
            assert go_on()
            before.append(store.count())
            return Path("backup")

        purged = make(back_up=back_up).purge(0)
        assert before == [archived_events + others] * backups
        assert purged == Purged(archived_events, Path("backup") if backups else None)
        assert [one["backup_path"] for one in told.events if backups] == ["backup"] * backups

    def test_without_a_backup_nothing_is_deleted_unless_that_is_wanted(self, store, make):
        store.append([event("a", archived=True)])

        def back_up(_):
            raise StoreUnavailableError("The disk is full.")

        with pytest.raises(StoreUnavailableError, match=r"Nothing was deleted.*full.*backup=false"):
            make(back_up=back_up).purge(0)
        assert set(left(store)) == {"a"}
        assert make(back_up=back_up).purge(0, backup=False) == Purged(1, None)

    def test_a_server_that_stops_says_what_was_done_and_the_rest_is_done_later(self, store, make):
        store.append([event(f"e{n}") for n in range(10)])
        stopping = make(archive_batch_size=4, pause=60)
        stopping.close()
        with pytest.raises(OverloadedError, match="4 events were archived, and there are more"):
            stopping.archive(parse_selector({}))
        assert len(archived(store)) == 4
        assert make().archive(parse_selector({})) == 6

    def test_requests_beyond_a_few_are_told_to_come_back(self, store, make):
        store.append([event(f"e{n}") for n in range(2)])
        retention = make(archive_batch_size=1, pause=60)
        with ThreadPoolExecutor(MAX_WAITING + 2) as threads:
            calls = [
                threads.submit(retention.archive_ids, ["e0", "e1"]) for _ in range(MAX_WAITING + 2)
            ]
            first = wait(calls, 10, FIRST_COMPLETED).done
            retention.close()
            errors = [str(call.exception(10)) for call in calls]
        assert len(first) == 1
        assert sum("requests to archive or delete are under way" in one for one in errors) == 1
        assert sum("The server is stopping" in one for one in errors) == MAX_WAITING + 1


class TestRuns:
    def test_events_are_archived_and_later_deleted_by_the_rules(self, store, make, told):
        long_ago = NOW - 400 * DAY
        store.append(
            [
                event("debug", 4, "log_debug", 10),
                event("fresh debug", 2, "log_debug", 10),
                event("error", 100, "log_error", 40),
                event("plain", 91),
                event("fresh", 89),
                event("gone", 500, archived=True, archived_at=long_ago),
                event("old error", 500, level=40, archived=True, archived_at=long_ago),
            ]
        )
        retention = make({"event_types": ["log_debug"], "archive_after_days": 3}, {"min_level": 40})
        report = retention.run(go_on)
        assert left(store) == {
            "debug": True, "fresh debug": False, "error": False, "plain": True, "fresh": False,
            "old error": True,
        }  # fmt: skip
        assert (report.archived, report.deleted, report.complete) == (2, 1, True)
        assert report.rules == {"rule 1": {"archived": 1}, "others": {"archived": 1, "deleted": 1}}
        assert retention.last_run == report
        (one,) = told.events
        assert one["type"] is EventType.LOG_INFO
        assert one["message"] == "Retention: 2 old events were archived, 1 deleted for good"
        assert (one["task"], one["archived"], one["deleted"], one["held"]) == ("retention", 2, 1, 0)
        assert one["rules"] == report.rules

    def test_a_second_run_finds_nothing_and_tells_nothing(self, store, make, told):
        store.append([event(f"e{n}", 100) for n in range(5)])
        retention = make()
        assert retention.run(go_on).archived == 5
        again = retention.run(go_on)
        assert (again.archived, again.deleted, again.complete) == (0, 0, True)
        assert len(told.events) == 1

    def test_a_run_has_a_limit_and_the_next_one_goes_on_with_the_oldest(self, store, make, told):
        store.append([event(f"e{n:02}", 200 - n) for n in range(10)])
        store.append([event(f"z{n}", 900, archived=True, archived_at=0) for n in range(7)])
        retention = make(archive_batch_size=2, max_batches_per_run=3)
        report = retention.run(go_on)
        assert (report.archived, report.deleted, report.complete) == (6, 6, False)
        assert archived(store) - {"z6"} == {f"e{n:02}" for n in range(6)}
        assert told.events[0]["message"].endswith("; there is more, with which the next run goes on")
        report = retention.run(go_on)
        assert (report.archived, report.deleted, report.complete) == (4, 1, True)

    def test_no_limit_is_none(self, store, make):
        store.append([event(f"e{n}", 100) for n in range(30)])
        assert make(archive_batch_size=1, max_batches_per_run=0).run(go_on).archived == 30

    def test_held_events_are_counted_archived_and_kept(self, store, make, told):
        store.append([event(f"e{n}", 900, archived=True, archived_at=0) for n in range(6)])
        store.append([event("held too", 900, level=40)])
        hold = [{"_id": {"$in": ["e1", "e4"]}}, {"log_level": {"$gte": 40}}]
        report = make(legal_hold=hold, hard_delete_after_days=1).run(go_on)
        assert (report.archived, report.deleted, report.held) == (1, 4, 2)
        assert set(left(store)) == {"e1", "e4", "held too"}

    def test_a_hold_may_ask_for_words_and_patterns(self, store, make):
        store.append(
            [
                event("a", archived=True),
                StoredEvent(
                    "b", "log", 20, False, 0, 0, {}, '{"message":"pump jammed"}', archived=True
                ),
                StoredEvent("c", "log", 20, False, 0, 0, {}, '{"plate":"P77"}', archived=True),
            ]
        )
        hold = [{"$text": {"$search": "jammed"}}, {"event_data.plate": {"$regex": "^P7"}}]
        assert make(legal_hold=hold).purge(0).deleted == 1
        assert set(left(store)) == {"b", "c"}

    def test_a_run_leaves_off_between_batches_when_it_is_told_to(self, store, make):
        store.append([event(f"e{n}", 100) for n in range(9)])
        store.append([event("gone", 900, archived=True, archived_at=0)])
        answers = iter([True])
        report = make(archive_batch_size=2).run(lambda: next(answers, False))
        assert (report.archived, report.deleted, report.complete) == (4, 0, False)

    def test_where_no_rule_deletes_nothing_is_looked_for(self, store, make):
        store.append([event("a", 900, archived=True, archived_at=0), event("b", 900)])
        report = make({}).run(go_on)
        assert (report.archived, report.deleted) == (0, 0)

    def test_days_may_be_none_at_all(self, store, make):
        store.append([event("a", 1), event("b", -1)])
        report = make({"archive_after_days": 0, "delete_after_days": 0}).run(go_on)
        assert (report.archived, report.deleted) == (1, 1)
        assert left(store) == {"b": False}

    def test_before_most_of_the_store_goes_by_the_policy_a_backup_is_made(self, store, make):
        store.append([event(f"gone{n}", 900, archived=True, archived_at=0) for n in range(4)])
        store.append([event(f"e{n}") for n in range(3)])
        before: list[int] = []
        retention = make(back_up=lambda _: before.append(store.count()))
        assert retention.run(go_on).deleted == 4
        assert before == [7]
        store.append([event("gone", 900, archived=True, archived_at=0)])
        assert retention.run(go_on).deleted == 1
        assert before == [7]

    def test_a_policy_that_cannot_back_up_deletes_nothing(self, store, make):
        store.append([event("gone", 900, archived=True, archived_at=0), event("e")][:2])
        store.append([event("gone too", 900, archived=True, archived_at=0)])

        def back_up(_):
            raise StoreUnavailableError("The disk is full.")

        with pytest.raises(StoreUnavailableError, match="EVENT_BACKUP_BEFORE_PURGE"):
            make(back_up=back_up).run(go_on)
        assert len(left(store)) == 3


YEARS = 3660 * DAY
HOUR = DAY // 24


class TestWrongClocks:
    """A clock that is ahead deletes nothing, and the right one is not held up for long."""

    @pytest.fixture
    def make(self, make):
        """Make retentions that do not believe any clock."""
        return lambda **given: make(**{"started": NOW, **given})

    @pytest.fixture
    def lab(self, store):
        """A store with something to archive and something to delete, whose last event is of now."""
        store.append(
            [event("old", 100), event("gone", 900, archived=True, archived_at=NOW - 400 * DAY)]
        )
        store.append([event("fresh", 0.1)])
        return store

    def believe(self, store, moment: int) -> None:
        """The clock of a server is believed at a time."""
        trusting = guard(store, moment, moment)
        trusting.confirm()
        trusting.check(moment)

    @pytest.mark.parametrize("was_known", [False, True])
    @pytest.mark.parametrize("ahead", [8 * DAY + HOUR, 150 * DAY, YEARS])
    def test_one_that_is_far_ahead_changes_nothing_and_says_what_to_do(
        self, lab, make, ahead, was_known
    ):
        if was_known:
            self.believe(lab, NOW)
        with pytest.raises(HeldBackError, match="POST /retention/confirm") as held:
            make(now=NOW + ahead, started=NOW + ahead).run(go_on)
        assert left(lab) == {"old": False, "gone": True, "fresh": False}
        assert ("goes on by itself" in held.value.message) == (ahead <= LONGEST_US)

    @pytest.mark.parametrize("step", [-YEARS, -DAY, -HOUR, 0, HOUR, DAY, 7 * DAY])
    def test_one_that_is_little_ahead_or_behind_is_believed(self, lab, make, step):
        make(now=NOW + step, started=NOW + step).run(go_on)
        self.believe(lab, NOW)
        make(now=NOW + step, started=NOW + step).run(go_on)

    @pytest.mark.parametrize("started", [NOW, NOW + YEARS], ids=["stepped", "started"])
    def test_what_comes_in_by_a_wrong_clock_makes_it_no_better(self, lab, make, started):
        """Also when the server is started again by that clock."""
        late = NOW + YEARS
        for hour in range(3):
            lab.append([event(f"old{hour}", received_at=late), later(f"new{hour}", late)])
            with pytest.raises(HeldBackError):
                make(now=late + hour * HOUR, started=started + hour * HOUR).run(go_on)
        assert make().run(go_on).complete  # set right

    def test_somebody_may_say_that_it_is_right(self, lab, make):
        retention = make(now=NOW + YEARS)
        with pytest.raises(HeldBackError):
            retention.run(go_on)
        assert retention.confirm_clock() == NOW + YEARS
        report = retention.run(go_on)
        assert (report.archived, report.deleted) == (2, 1)

    def test_a_lab_that_was_switched_off_for_three_months_goes_on_after_two_days_of_events(
        self, lab, make
    ):
        self.believe(lab, NOW)
        back = NOW + 90 * DAY
        lab.append([later("first", back)])
        with pytest.raises(HeldBackError, match="events have come in for two days"):
            make(now=back + SETTLED_US - HOUR).run(go_on)
        assert make(now=back + SETTLED_US + HOUR).run(go_on).complete

    def test_a_policy_that_was_switched_off_for_years_is_believed_where_events_came_in(self, lab, make):
        self.believe(lab, NOW)
        lab.append([later(f"week{n}", NOW + n * (GAP_US - HOUR)) for n in range(1, 120)])
        assert make(now=NOW + 120 * (GAP_US - HOUR)).run(go_on).complete

    def test_a_sender_with_a_clock_that_is_ahead_is_no_proof(self, lab, make):
        lab.append([later("theirs", NOW + YEARS, received_at=NOW)])
        with pytest.raises(HeldBackError):
            make(now=NOW + YEARS).run(go_on)

    def test_a_store_without_events_has_nothing_to_lose(self, store, make):
        assert make(now=NOW + YEARS, started=NOW + YEARS).run(go_on).complete

    def test_a_clock_that_was_behind_holds_up_nothing_when_it_is_right_again(self, lab, make):
        assert make().run(go_on).complete
        make(now=NOW - YEARS, started=NOW - YEARS).run(go_on)
        assert make(now=NOW + HOUR).run(go_on).complete

    def test_what_is_archived_by_a_clock_that_is_behind_is_not_deleted_once_it_is_right(
        self, lab, make
    ):
        self.believe(lab, NOW)
        assert make(now=0).archive_ids(["old"]) == 1
        assert lab.get("old").archived_at == NOW
        assert make(now=NOW + DAY).run(go_on).deleted == 1  # the other one
        assert set(left(lab)) == {"old", "fresh"}


def later(event_id: str, moment: int, received_at: int | None = None) -> StoredEvent:
    """An event of a time, which came in at once by default."""
    return StoredEvent(event_id, "log", 20, False, moment, received_at or moment, {}, "{}")
