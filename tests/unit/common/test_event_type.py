"""Event types: the 63 values of the contract, each with a meaning, read in any letter case."""

from __future__ import annotations

import pytest

from madsci.common.types.event_type import EVENT_TYPE_DESCRIPTIONS, EventType

# Contract 1.4, in its order.
VALUES = [
    "unknown", "test", "log", "log_debug", "log_info", "log_warning", "log_error",
    "log_critical", "lab_create", "lab_start", "lab_stop", "node_create", "node_start",
    "node_stop", "node_config_update", "node_status_update", "node_error", "workcell_create",
    "workcell_start", "workcell_stop", "workcell_config_update", "workcell_status_update",
    "workflow_create", "workflow_start", "workflow_complete", "workflow_abort",
    "workflow_step_start", "workflow_step_complete", "workflow_step_failed",
    "experiment_create", "experiment_start", "experiment_complete", "experiment_failed",
    "experiment_cancelled", "experiment_pause", "experiment_continued", "campaign_create",
    "campaign_start", "campaign_complete", "campaign_abort", "action_status_change",
    "action_start", "action_complete", "action_failed", "resource_create", "resource_update",
    "resource_delete", "resource_allocate", "resource_release", "location_create",
    "location_update", "location_delete", "attachment_create", "attachment_delete",
    "data_store", "data_query", "data_export", "manager_start", "manager_stop", "manager_error",
    "manager_health_check", "backup_create", "backup_restore",
]  # fmt: skip


def test_the_types_are_those_of_the_contract():
    assert len(VALUES) == 63
    assert [kind.value for kind in EventType] == VALUES


@pytest.mark.parametrize("value", VALUES)
def test_a_type_is_read_in_any_letter_case_and_written_in_lower_case(value):
    kind = EventType(value)
    assert kind.name == value.upper()
    for text in (value.upper(), value.title(), f" {value} ", f"EventType.{value.upper()}"):
        assert EventType(text) is kind
    assert str(kind) == kind.value == value == kind


@pytest.mark.parametrize("value", VALUES)
def test_every_type_has_a_meaning_of_its_own(value):
    meaning = EVENT_TYPE_DESCRIPTIONS[EventType(value)]
    assert meaning == EventType(value).meaning
    assert len(meaning) > 8
    assert list(EVENT_TYPE_DESCRIPTIONS.values()).count(meaning) == 1


@pytest.mark.parametrize("text", ["experiment_stop", "EXPERIMENT_STOP", "EventType.experiment_stop"])
def test_the_former_value_of_a_cancelled_experiment_is_read(text):
    assert EventType(text) is EventType.EXPERIMENT_CANCELLED


@pytest.mark.parametrize(
    "value", ["", "info", "log-info", "experiment_stopped", 20, None, True, [], b"log"]
)
def test_anything_else_is_no_type(value):
    with pytest.raises(ValueError, match="is not a valid EventType"):
        EventType(value)


def test_log_lines_and_no_type_are_told_from_facts_of_the_lab():
    logs = [kind.value for kind in EventType if kind.is_log]
    assert logs == [
        "unknown", "log", "log_debug", "log_info", "log_warning", "log_error", "log_critical",
    ]  # fmt: skip
