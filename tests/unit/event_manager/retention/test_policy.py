"""The policy: which events are archived and deleted when, and by which rule."""

from __future__ import annotations

from datetime import timezone

import pytest

from madsci.common.errors import SettingsError
from madsci.common.types.retention_settings import RetentionRule, RetentionSettings
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.retention.policy import Policy, archived_for_long

DAY = 86_400_000_000
NOW = 20_000 * DAY


def event(days: float, kind: str = "log", level: int = 20, archived_days: float | None = None, **more):
    at = None if archived_days is None else NOW - int(archived_days * DAY)
    return StoredEvent(
        "e", kind, level, False, NOW - int(days * DAY), NOW, more.get("source", {}), "{}",
        archived=at is not None, archived_at=at,
    )  # fmt: skip


def policy(*rules: dict, **settings) -> Policy:
    listed = [RetentionRule(**rule) for rule in rules]
    return Policy.from_settings(RetentionSettings(retention_rules=listed, **settings), timezone.utc)


def deciding(due, one: StoredEvent) -> list[str]:
    """The rules that want it done; and the whole wants what any of them wants."""
    document = one.document()
    names = [name for name, selector in due.of_rule.items() if matches(selector, document)]
    assert bool(names) is (bool(due.of_rule) and matches(due.all, document))
    return names


def test_without_rules_age_decides_and_the_limit_is_exclusive():
    due = policy(soft_delete_after_days=90).to_archive(NOW)
    assert deciding(due, event(90.001)) == ["others"]
    assert deciding(due, event(90)) == []
    assert deciding(due, event(100, archived_days=1)) == []


def test_the_first_rule_that_is_about_an_event_decides():
    kept = policy(
        {"event_types": ["log_debug"], "archive_after_days": 3},
        {"levels": [30, 40], "archive_after_days": 1000},
        {"min_level": 30},
        {"event_types": ["log_debug", "test"], "archive_after_days": 1},
        soft_delete_after_days=90,
    )
    due = kept.to_archive(NOW)
    for one, name, wanted in [
        (event(4, "log_debug", 40), "rule 1", True),
        (event(2, "log_debug", 40), "rule 1", False),
        (event(999, "log_error", 40), "rule 2", False),
        (event(1001, "log_error", 40), "rule 2", True),
        (event(9999, "log_critical", 50), "rule 3", False),
        (event(2, "test", 20), "rule 4", True),
        (event(91, "log_info", 20), "others", True),
        (event(89, "log_info", 20), "others", False),
    ]:
        assert kept.rule_of(one).name == name
        assert deciding(due, one) == ([name] if wanted else []), one


def test_a_rule_without_days_keeps_for_ever():
    due = policy({"archive_after_days": 1}).to_delete(NOW)
    assert due.of_rule["others"]  # of which no event is left
    assert deciding(due, event(10_000, archived_days=10_000)) == []


def test_deleting_counts_from_archiving():
    kept = policy({"min_level": 40, "delete_after_days": 10}, hard_delete_after_days=365)
    due = kept.to_delete(NOW)
    assert deciding(due, event(1000, level=40, archived_days=11)) == ["rule 1"]
    assert deciding(due, event(1000, level=40, archived_days=9)) == []
    assert deciding(due, event(1000, level=20, archived_days=11)) == []
    assert deciding(due, event(1000, level=20, archived_days=366)) == ["others"]
    assert deciding(due, event(1000)) == []


def test_what_came_in_as_archived_without_a_time_counts_from_its_reception():
    one = StoredEvent("e", "log", 20, False, 0, NOW - 5 * DAY, {}, "{}", archived=True)
    assert matches(archived_for_long(4, NOW), one.document())
    assert not matches(archived_for_long(6, NOW), one.document())


def test_no_days_are_all_that_is_archived():
    selector = archived_for_long(0, NOW)
    assert matches(selector, event(0, archived_days=-1).document())  # by a clock that is ahead
    assert not matches(selector, event(0).document())


def test_more_days_than_there_were_match_nothing():
    due = policy({"archive_after_days": 1e300}).to_archive(NOW)
    assert deciding(due, event(19_999)) == []


def test_held_events_are_archived_and_never_deleted():
    kept = policy(
        legal_hold=[{"source.experiment_id": "exp-1"}, {"log_level": {"$gte": "ERROR"}}],
        hard_delete_after_days=1,
    )
    for one in (event(100, level=40, archived_days=9),
                event(100, archived_days=9, source={"experiment_id": "exp-1"})):  # fmt: skip
        assert deciding(kept.to_delete(NOW), one) == []
        assert matches(kept.held_back(NOW), one.document())
        assert not matches(kept.unheld(archived_for_long(0, NOW)), one.document())
    free = event(100, archived_days=9, source={"experiment_id": "exp-2"})
    assert deciding(kept.to_delete(NOW), free) == ["others"]
    assert not matches(kept.held_back(NOW), free.document())
    assert deciding(kept.to_archive(NOW), event(100, level=40)) == ["others"]


def test_an_empty_selector_holds_everything():
    kept = policy(legal_hold=[{}], hard_delete_after_days=1)
    assert kept.holds
    assert deciding(kept.to_delete(NOW), event(100, archived_days=9)) == []


def test_a_hold_that_cannot_be_read_is_refused_with_its_number():
    with pytest.raises(SettingsError, match=r"legal_hold: selector 2 .*'\$near'"):
        policy(legal_hold=[{}, {"event_data.a": {"$near": 1}}])


def test_a_hold_of_a_mistyped_level_or_of_the_last_days_does_not_let_the_server_start():
    for hold, says in (
        ({"log_level": "EROR"}, "Did you mean ERROR"),
        ({"plate": "P7"}, "Did you mean event_data.plate"),
        ({"event_timestamp": {"$gte": "-30d"}}, "would be read once"),
    ):
        with pytest.raises(SettingsError, match=f"legal_hold: selector 1 .*{says}"):
            policy(legal_hold=[hold])


def test_times_of_a_hold_without_an_offset_are_in_the_zone():
    kept = policy(legal_hold=[{"event_timestamp": {"$lt": "2024-10-04T00:00:00"}}])
    assert matches(kept.hold, event(0.001).document())
    assert not matches(kept.hold, event(0).document())
