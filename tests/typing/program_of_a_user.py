"""A program as users write them. Type checkers read it, strictly; nothing runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from madsci.client.event_client import EventClient, EventClientConfig
from madsci.client.testing import RecordingTransport, capture_events
from madsci.common.context import (
    MadsciContext,
    event_client_class,
    event_client_context,
    get_event_client,
    get_event_client_context,
    madsci_context,
    with_event_client,
)
from madsci.common.ownership import (
    get_current_ownership_info,
    global_ownership_info,
    ownership_context,
    with_ownership,
)
from madsci.common.types.auth_types import OwnershipInfo
from madsci.common.types.event_types import (
    EmailAlertsConfig,
    Event,
    EventClientContext,
    EventLogLevel,
    EventManagerHealth,
    EventManagerSettings,
    EventType,
    NodeUtilizationData,
)
from madsci.common.utils import new_ulid_str

config = EventClientConfig(
    name="arm",
    event_server_url="http://localhost:8001",
    log_level="DEBUG",
    log_dir="logs",
    spool_dir=Path("spool"),
    source={"node_id": "arm"},
    event_server_headers={"X-Api-Key": "key"},
    spool_full_policy="block",
)
level: int = config.log_level
folder: Path = config.log_dir
louder: EventClientConfig = config.replaced(log_level=EventLogLevel.WARNING, log_dir=Path("other"))
client = EventClient(config, log_console_enabled=False)
other = EventClient(name="gripper", event_server="http://localhost:8001", log_level=30)
fake = EventClient(transport=RecordingTransport())


def log_everything(plate: str) -> None:
    """Log in every way."""
    client.debug("Plate seen", plate=plate, wells=96)
    client.info("Plate moved", plate=plate, event_type=EventType.ACTION_COMPLETE)
    client.warning("Volume low: %d µl", 12, event_type="log_warning")
    client.error("Grip lost", alert=True, exc_info=True)
    client.critical("Fire", stack_info=True, where={"deck": [1, 2]})
    try:
        client.info({"any": "object"})
    except ValueError as error:
        client.exception("Cannot move", plate=plate)
        client.error("Cannot move", exc_info=error)
        client.log(error)
    event = Event(event_type=EventType.TEST, event_data={"plate": plate}, log_level="warning")
    client.log(event)
    client.log_info(event)
    client.alert(event)
    client.log("text", EventLogLevel.INFO, alert=False, plate=plate)


def bind_and_nest(plate: str) -> EventClient:
    """Let data hold for parts of a run."""
    bound = client.bind(plate=plate).unbind("plate").bind(run=1)
    with event_client_context("run", plate=plate) as here, ownership_context(experiment_id="e1") as ids:
        here.info("Inside", experiment=ids.experiment_id)
        context: EventClientContext[EventClient] | None = get_event_client_context()
        if context is not None:
            context.child("step", step=1).client.info("Nested in %s", context.name)
        with madsci_context(event_server_url="http://other:8001") as servers:
            address: str | None = servers.event_server_url
            get_event_client("reader", address=address).info("Elsewhere")
    return bound


@with_event_client
def measure(plate: str, repeat: int = 1, event_client: EventClient | None = None) -> float:
    """Keep the signature under a decorator."""
    if event_client is not None:
        event_client.info("Measuring", plate=plate)
    return 0.5 * repeat


@with_event_client(name="steps", kind="demo")
async def step(number: int) -> str:
    """Keep the signature of a coroutine."""
    await asyncio.sleep(0)
    return str(number)


@with_ownership(node_id="arm")
def wells() -> Iterator[int]:
    """Keep the signature of a generator."""
    yield from range(96)


@event_client_class(name="Robot", bay=3)
class Robot:
    """Keep a class a class."""

    def __init__(self, place: str) -> None:
        self.place = place

    def move(self, to: str) -> bool:
        """Move."""
        return to != self.place


measured: float = measure("P7", repeat=2)
first: int = next(wells())
moved: bool = Robot("deck").move(to="shelf")
global_ownership_info.manager_id = new_ulid_str()
owner: OwnershipInfo = get_current_ownership_info()


async def read_back() -> None:
    """Ask for events again."""
    awaited: str = await step(2)
    event: Event | None = client.get_event(awaited)
    if event is not None:
        when: datetime = event.event_timestamp
        print(when.isoformat(), event.event_type.value, int(event.log_level), event.source.node_id)
    newest: dict[str, Event] = client.get_events(
        number=50, level="ERROR", start_time=datetime.now(timezone.utc) - timedelta(hours=1)
    )
    found = client.query_events({"source": {"node_id": "arm"}, "log_level": {"$gte": 30}})
    texts = [each.event_id for each in (*newest.values(), *found.values())]
    count: int = client.count_events({"event_data.plate": {"$in": texts}})
    for each in client.iter_events({"event_type": "log_error"}, number=count):
        print(each.event_data)
    with client.tail({"log_level": {"$gte": "warning"}}, since=datetime.now(timezone.utc)) as tail:
        for each in tail:
            position: str = tail.position
            print(each.event_data, position, tail.missed, tail.is_live)
    async for each in client.async_tail(level="ERROR", since="last:10"):
        print(each.event_data)
    print(await client.async_get_events(number=5), client.stats(), client.rejected_events)
    when_asked = datetime.now(timezone.utc)
    client.archive_events(before_date=when_asked)
    busy: dict[str, Any] | str | None = client.get_session_utilization(
        "-24h", datetime.now(timezone.utc)
    )
    users = client.get_user_utilization_report(None, None, True, output_path=Path("reports"))
    weeks = await client.async_get_utilization_periods(analysis_type="weekly", include_users=False)
    print(busy, users, weeks, await client.async_get_lab_metrics(format="methods", timeout=90))
    await client.aclose()


def settings_of_a_server() -> EventManagerSettings:
    """Make the settings of an Event Manager."""
    mail = EmailAlertsConfig(smtp_server="mail", email_addresses=["lab@example.com"])
    MadsciContext(event_server_url="http://localhost:8001")
    print(EventManagerHealth(healthy=True).description, NodeUtilizationData(node_id="arm").busy_time)
    return EventManagerSettings(db_url="sqlite:///events.db", alert_level="WARNING", email_alerts=mail)


def test_that_it_logs() -> None:
    """See what would be sent."""
    with capture_events() as events, EventClient(name="tested") as tested:
        tested.info("works")
    assert events[0].event_data["message"] == "works"
