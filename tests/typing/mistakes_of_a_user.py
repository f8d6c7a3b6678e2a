"""Mistakes that type checkers must find: one in each line that says so."""

from __future__ import annotations

from madsci.client.event_client import EventClient, EventClientConfig
from madsci.common.context import with_event_client
from madsci.common.types.event_types import Event, EventType


@with_event_client
def measure(plate: str) -> float:
    """Keep the signature under a decorator."""
    return float(len(plate))


EventClient(nmae="arm")  # mistake
EventClient(log_file_enabled="no")  # mistake
EventClient(spool_full_policy="drop")  # mistake
EventClient("arm")  # mistake
EventClientConfig(log_level=[10])  # mistake
EventClientConfig(timeout_default="long")  # mistake
EventClientConfig().replaced(log_dir=3)  # mistake
Event(event_type=3)  # mistake
Event(event_data={}, plate="P7")  # mistake
measure(7)  # mistake
number: int = EventClient().count_events("plate")  # mistake
kind: EventType = EventClient().name  # mistake
EventClient().bind("plate")  # mistake
text: str = EventClient().get_event("e1")  # mistake
EventClient().get_utilization_periods(include_users="no")  # mistake
table: str = EventClient().get_lab_metrics(format="csv")  # mistake
