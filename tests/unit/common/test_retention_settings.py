"""Settings about how long events are kept are read as people write them, or refused in a sentence."""

from __future__ import annotations

import pytest

from madsci.common.errors import SettingsError
from madsci.common.types.event_types import EventManagerSettings
from madsci.common.types.log_level import EventLogLevel


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    (tmp_path / ".madsci").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(**values) -> str:
    with pytest.raises(SettingsError) as caught:
        EventManagerSettings(**values)
    return caught.value.message


def test_nothing_is_archived_or_deleted_unasked():
    settings = EventManagerSettings()
    assert settings.retention_enabled is False
    assert (settings.soft_delete_after_days, settings.hard_delete_after_days) == (90, 365)
    assert (settings.retention_rules, settings.legal_hold) == ([], [])


def test_rules_come_from_the_environment_as_json(monkeypatch):
    monkeypatch.setenv(
        "EVENT_RETENTION_RULES",
        '[{"event_types": ["LOG_DEBUG"], "archive_after_days": 0.5},'
        ' {"min_level": "error", "archive_after_days": 3650, "delete_after_days": null},'
        ' {"levels": ["info", 30]}]',
    )
    first, second, third = EventManagerSettings().retention_rules
    assert [str(kind) for kind in first.event_types] == ["log_debug"]
    assert (first.archive_after_days, first.delete_after_days) == (0.5, None)
    assert second.min_level is EventLogLevel.ERROR
    assert third.levels == [EventLogLevel.INFO, EventLogLevel.WARNING]


def test_rules_come_from_a_file(lab):
    (lab / "event.settings.yaml").write_text(
        "retention_rules:\n  - min_level: error\n    archive_after_days: 30\n"
        "legal_hold:\n  source.experiment_id: exp-456\n"
    )
    settings = EventManagerSettings()
    assert settings.retention_rules[0].archive_after_days == 30
    assert settings.legal_hold == [{"source.experiment_id": "exp-456"}]


def test_one_selector_is_a_list_of_one(monkeypatch):
    monkeypatch.setenv("EVENT_LEGAL_HOLD", '{"alert": true}')
    assert EventManagerSettings().legal_hold == [{"alert": True}]
    assert EventManagerSettings(legal_hold=None).legal_hold == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"legal_hold": "exp-456"}, "it should be a selector (an object), or a list of selectors"),
        ({"legal_hold": [{}, "exp-456"]}, "a list of selectors"),
        ({"retention_rules": [{"archive_after": 3}]}, "retention_rules.0.archive_after"),
        ({"retention_rules": [{"archive_after_days": -1}]}, "greater than or equal to 0"),
        ({"retention_rules": [{"archive_after_days": float("nan")}]}, "finite"),
        ({"retention_rules": [{"event_types": ["log_debgu"]}]}, "a type of events, perhaps log_debug;"),
        ({"retention_rules": [{"levels": ["EROR"]}]}, "or a number up to 50, perhaps ERROR."),
        ({"retention_rules": [{"event_types": []}]}, "at least 1 item"),
        ({"retention_rules": [{"levels": [10], "min_level": 30}]}, "min_level or levels, not both"),
        ({"retention_rules": [{}] * 21}, "at most 20 items"),
        ({"soft_delete_after_days": 0}, "greater than or equal to 1"),
        ({"hard_delete_after_days": -3}, "greater than or equal to 1"),
        ({"max_batches_per_run": -1}, "greater than or equal to 0"),
        ({"retention_check_interval_hours": 0}, "greater than or equal to 1"),
        ({"archive_batch_size": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_used_is_refused(values, words):
    assert words in message(**values)
