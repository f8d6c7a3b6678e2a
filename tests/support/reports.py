"""Reports over HTTP: waiting until what was sent is in them, and how their members are to look."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from madsci.common.clock import iso
from madsci.event_manager.analytics.follower import NAME
from madsci.event_manager.model.stored_event import StoredEvent, decode_json
from support.server import wait_until


def as_json(event: StoredEvent) -> dict[str, Any]:
    """An event as a client sends it."""
    return {
        "_id": event.event_id,
        "event_type": event.event_type,
        "event_timestamp": iso(event.event_timestamp),
        "source": event.source,
        "event_data": decode_json(event.event_data),
    }


def send(client, events: Iterable[StoredEvent]) -> None:
    """Have a server store events, and wait until the reports know them."""
    some = [as_json(one) for one in events]
    reply = client.post("/events", json=some)
    assert reply.status_code == 200, reply.text
    assert reply.json()["stored"] == len(some)
    await_followers(client)


def await_followers(client) -> None:
    """Wait until what reports are made of is at the end of the feed."""

    def is_there() -> bool:
        lags = {one["name"]: one["lag"] for one in client.get("/followers").json()["followers"]}
        return lags[NAME] == 0

    wait_until(is_there, "the end of the feed")


def report(client, path: str, **parameters: Any) -> dict[str, Any]:
    """A report as JSON."""
    reply = client.get(path, params=parameters)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def report_when(
    client, path: str, holds: Callable[[dict[str, Any]], object], **parameters: Any
) -> dict[str, Any]:
    """A report as soon as something holds of it."""
    found: dict[str, Any] = {}

    def is_so() -> object:
        nonlocal found
        found = report(client, path, **parameters)
        return holds(found)

    wait_until(is_so, f"what {path} is to say")
    return found


def rows_of(text: str) -> list[list[str]]:
    """The rows of CSV."""
    return list(csv.reader(io.StringIO(text, newline="")))


@dataclass(frozen=True)
class Each:
    """What each member of an object, or each one of a list, looks like; there is at least one."""

    look: Any
    kind: type


def misshapen(found: Any, look: Any, path: str = "report") -> list[str]:
    """What of a report has no member of the expected type, where; more members may be there."""
    if isinstance(look, Each):
        if not isinstance(found, look.kind) or not found:
            return [f"{path}: {found!r}"]
        items = found.items() if isinstance(found, dict) else enumerate(found)
        return [line for name, one in items for line in misshapen(one, look.look, f"{path}.{name}")]
    if isinstance(look, dict):
        if not isinstance(found, dict):
            return [f"{path}: {found!r}"]
        gone = [f"{path}.{name}" for name in look if name not in found]
        here = (name for name in look if name in found)
        return gone + [
            line for name in here for line in misshapen(found[name], look[name], f"{path}.{name}")
        ]
    is_right = isinstance(found, look) and (not isinstance(found, bool) or look is bool)
    return [] if is_right else [f"{path}: {found!r}"]
