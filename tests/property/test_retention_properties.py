"""Whatever the policy and the events: nothing is lost that should stay, and doing it twice is once."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.common.types.retention_settings import RetentionRule, RetentionSettings
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.retention.policy import Policy
from madsci.event_manager.retention.service import Retention
from madsci.event_manager.stores.memory import MemoryStore
from madsci.event_manager.stores.sqlite.store import SqliteStore

DAY = 86_400_000_000
NOW = 20_000 * DAY
slow_to_open = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

TYPES = ["log", "log_debug", "log_error", "test"]
days = st.sampled_from([0, 0.5, 1, 2, 10])
moments = days.map(lambda number: NOW - int(number * DAY) - 1)
holds = st.sampled_from(
    [{"log_level": {"$gte": 40}}, {"event_data.n": 1}, {"event_data.n": {"$in": [2, 3]}},
     {"event_type": {"$regex": "^log_"}}, {"_id": "e0"}, {}, {"event_data.n": {"$exists": False}},
     {"$nor": [{"event_type": "test"}]}, {"archived_at": None}]
)  # fmt: skip
rules = st.builds(
    lambda about, archive, delete: RetentionRule(
        **about, archive_after_days=archive, delete_after_days=delete
    ),
    st.sampled_from(
        [{}, {"event_types": ["log"]}, {"min_level": 40}, {"levels": [10, 30]},
         {"event_types": ["log_debug", "test"], "min_level": 20}]
    ),
    st.none() | days,
    st.none() | days,
)  # fmt: skip
policies = st.builds(
    lambda listed, hold: RetentionSettings(
        retention_rules=listed, legal_hold=hold, soft_delete_after_days=2, hard_delete_after_days=1
    ),
    st.lists(rules, max_size=3),
    st.lists(holds, max_size=2),
)


@st.composite
def histories(draw) -> list[StoredEvent]:
    number = draw(st.integers(1, 12))
    return [
        StoredEvent(
            f"e{place}", draw(st.sampled_from(TYPES)), draw(st.sampled_from([10, 20, 30, 40, 50])),
            False, draw(moments), draw(moments), {},
            encode_json(draw(st.sampled_from([{}, {"n": 1}, {"n": [1, 2]}, {"n": 3}, "text"]))),
            archived=(archived := draw(st.booleans())),
            archived_at=draw(st.none() | moments) if archived else None,
        )
        for place in range(number)
    ]  # fmt: skip


class Nobody:
    def record(self, event_type, level, message, **members):
        """Take no notice."""


@contextmanager
def both_stores(events: list[StoredEvent]):
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(MemoryStore()) as memory,
        closing(SqliteStore(Path(folder) / "events.db")) as sqlite,
    ):
        for store in (memory, sqlite):
            store.append(events)
        yield [memory, sqlite]


def content(store) -> dict[str, StoredEvent]:
    return {one.event_id: one for one in store.find(Query(limit=1000)).events}


def is_held(chosen: RetentionSettings, event: StoredEvent) -> bool:
    return any(matches(parse_selector(hold), event.document()) for hold in chosen.legal_hold)


def rule_of(chosen: RetentionSettings, event: StoredEvent) -> tuple[float | None, float | None]:
    """The days of an event, found the long way."""
    for rule in chosen.retention_rules:
        is_type = rule.event_types is None or event.event_type in [str(one) for one in rule.event_types]
        is_level = (rule.min_level is None or event.log_level >= rule.min_level) and (
            rule.levels is None or event.log_level in rule.levels
        )
        if is_type and is_level:
            return rule.archive_after_days, rule.delete_after_days
    return chosen.soft_delete_after_days, chosen.hard_delete_after_days


def is_over(moment: int, limit: float | None) -> bool:
    return limit is not None and moment < NOW - limit * DAY


def expected(chosen: RetentionSettings, event: StoredEvent) -> str:
    """What a run makes of an event."""
    archive, delete = rule_of(chosen, event)
    if not event.archived:
        if not is_over(event.event_timestamp, archive):
            return "listed"
        return "deleted" if delete == 0 and not is_held_archived(chosen, event) else "archived"
    since = event.received_at if event.archived_at is None else event.archived_at
    is_due = delete is not None and (delete == 0 or is_over(since, delete))
    return "deleted" if is_due and not is_held(chosen, event) else "archived"


def is_held_archived(chosen: RetentionSettings, event: StoredEvent) -> bool:
    members = {name: getattr(event, name) for name in event.__struct_fields__}
    return is_held(chosen, StoredEvent(**{**members, "archived": True, "archived_at": NOW}))


def retention(store, chosen: RetentionSettings, batch: int) -> Retention:
    return Retention(
        store, Policy.from_settings(chosen, None), Nobody(), batch_size=batch, pause=0,
        clock=lambda: NOW,
    )  # fmt: skip


@slow_to_open
@given(histories(), policies, st.integers(1, 4))
def test_a_run_does_what_each_events_rule_says_and_a_second_one_nothing(events, chosen, batch):
    wanted = {one.event_id: expected(chosen, one) for one in events}
    with both_stores(events) as stores:
        for store in stores:
            report = retention(store, chosen, batch).run(lambda: True)
            after = content(store)
            found = {one.event_id: "deleted" for one in events}
            found |= {name: "archived" if one.archived else "listed" for name, one in after.items()}
            assert found == wanted
            assert report.complete
            assert report.deleted == list(wanted.values()).count("deleted")
            again = retention(store, chosen, batch).run(lambda: True)
            assert (again.archived, again.deleted) == (0, 0)
            assert content(store) == after


@pytest.mark.slow
@slow_to_open
@given(histories(), policies, st.integers(1, 4), days)
def test_no_request_deletes_what_is_held_or_not_archived(events, chosen, batch, older_than):
    with both_stores(events) as stores:
        left = []
        for store in stores:
            retention(store, chosen, batch).purge(older_than)
            after = content(store)
            gone = [one for one in events if one.event_id not in after]
            assert all(one.archived and not is_held(chosen, one) for one in gone)
            assert retention(store, chosen, batch).purge(older_than).deleted == 0
            left.append(after)
        assert left[0] == left[1]
