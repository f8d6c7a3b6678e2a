"""What programs written for MADSci import is here, and is what they expect."""

import importlib

import pytest

from madsci.common.errors import MadsciError, SettingsError
from madsci.common.ids import is_ulid
from madsci.common.ownership import get_current_ownership_info
from madsci.common.types.auth_types import OwnershipInfo
from madsci.common.types.event_types import (
    EventManagerHealth,
    NodeUtilizationData,
    SystemUtilizationData,
)
from madsci.common.utils import new_ulid_str

SURFACE = {
    "madsci.client": ["EventClient"],
    "madsci.client.event_client": ["EventClient", "EventClientConfig"],
    "madsci.common.context": [
        "EventClientContext", "GlobalMadsciContext", "MadsciContext", "event_client_class",
        "event_client_context", "get_current_madsci_context", "get_event_client",
        "get_event_client_context", "has_event_client_context", "has_madsci_context",
        "madsci_context", "madsci_context_class", "set_current_madsci_context",
        "with_event_client", "with_madsci_context",
    ],
    "madsci.common.mongodb_migration_tool": [],
    "madsci.common.ownership": [
        "get_current_ownership_info", "global_ownership_info", "has_ownership_context",
        "ownership_class", "ownership_context", "with_ownership",
    ],
    "madsci.common.types.auth_types": ["OwnershipInfo"],
    "madsci.common.types.context_types": ["MadsciContext"],
    "madsci.common.types.event_types": [
        "EVENT_TYPE_DESCRIPTIONS", "EmailAlertsConfig", "Event", "EventClientConfig",
        "EventClientContext", "EventLogLevel", "EventManagerDefinition", "EventManagerHealth",
        "EventManagerSettings", "EventType", "NodeUtilizationData", "SystemUtilizationData",
    ],
    "madsci.common.utils": ["new_ulid_str"],
    "madsci.event_manager.event_server": [],
}  # fmt: skip


@pytest.mark.parametrize("module", SURFACE)
def test_every_name_that_old_programs_import_is_there(module):
    found = importlib.import_module(module)
    assert [name for name in SURFACE[module] if not hasattr(found, name)] == []


def test_ids_are_ulids_and_ownership_is_one_class():
    assert is_ulid(new_ulid_str())
    assert type(get_current_ownership_info()) is OwnershipInfo


def test_a_setting_that_cannot_be_used_is_a_value_error():
    with pytest.raises(ValueError, match="cannot"):
        raise SettingsError
    assert issubclass(SettingsError, MadsciError)


def test_the_models_of_health_and_utilization_have_defaults_and_keep_what_they_do_not_know():
    assert EventManagerHealth().healthy
    node = NodeUtilizationData(node_id="arm", active_actions=["a"], since="monday")
    assert (node.busy_time, node.current_state, node.active_actions) == (0.0, "unknown", {"a"})
    assert node.model_extra == {"since": "monday"}
    assert SystemUtilizationData().model_dump()["utilization_percentage"] == 0.0
