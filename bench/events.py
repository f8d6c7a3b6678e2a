"""Realistic events: about 480 bytes of JSON each, ids and times ascending, the same for every run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.model.stored_event import StoredEvent

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
STEP = timedelta(milliseconds=50)
EVENTS_PER_SAMPLE = 20
EVENTS_PER_WORKFLOW = 200
RARE_EVERY = 10_000
RARE_WORD = "jammed"
"""Stands in the message of one of so many events."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_KINDS = (
    ("workflow_step_start", "Step started on the node"),
    ("workflow_step_complete", "Step completed without incident"),
    ("log_info", "Plate moved to the next position"),
    ("action_status_change", "Action changed its status"),
    ("node_status_update", "Node reported its status"),
)
_LEVELS = (10,) * 10 + (20,) * 80 + (30,) * 6 + (40,) * 3 + (50,)


def ulid(moment: datetime, number: int) -> str:
    """Return the ULID of a moment with a number in place of its random part."""
    return time_text(moment) + f"{number:016d}"


def time_text(moment: datetime) -> str:
    """Return the first ten characters of a ULID made at a moment."""
    milliseconds = int(moment.timestamp() * 1000)
    return "".join(_ALPHABET[(milliseconds >> shift) & 31] for shift in range(45, -1, -5))


NODES = tuple(ulid(START, 1000 + number) for number in range(40))


def sample_name(number: int) -> str:
    """Return the sample that the event with this number tells of."""
    return f"S-{number // EVENTS_PER_SAMPLE:07d}"


def workflow_name(number: int) -> str:
    """Return the workflow that the event with this number belongs to."""
    return f"wf-{number // EVENTS_PER_WORKFLOW:06d}"


def encoded_events(count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield events as clients send them."""
    chance = random.Random(seed)
    for number in range(count):
        moment = START + STEP * number
        kind, message = chance.choice(_KINDS)
        if number % RARE_EVERY == RARE_EVERY // 2:
            message = f"The gripper {RARE_WORD}"
        event = {
            "event_id": ulid(moment, number),
            "event_type": kind,
            "log_level": chance.choice(_LEVELS),
            "alert": False,
            "event_timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "source": {"node_id": chance.choice(NODES), "workcell_id": NODES[0]},
            "event_data": {
                "message": message,
                "sample": sample_name(number),
                "step": f"transfer_{number % 7}",
                "well": f"{'ABCDEFGH'[number % 8]}{number % 12 + 1}",
                "volume_ul": chance.randrange(1, 2000) / 10,
                "duration_ms": chance.randrange(20, 90_000),
                "workflow_id": workflow_name(number),
            },
            "trace_id": f"{number // EVENTS_PER_SAMPLE + 1:032x}",
            "span_id": f"{number + 1:016x}",
        }
        yield json.dumps(event, separators=(",", ":")).encode()


def stored_events(count: int) -> Iterator[StoredEvent]:
    """Yield the same events as the server keeps them."""
    read = Intake(own_source={}).read
    return (read(data).event for data in encoded_events(count))


def bulk_bodies(count: int, per_body: int) -> list[bytes]:
    """Return the same events as newline-delimited JSON, so many in each body."""
    lines = list(encoded_events(count))
    return [b"\n".join(lines[start : start + per_body]) for start in range(0, count, per_body)]


def templates(count: int) -> list[str]:
    """Return events with ``@ID@`` and ``@TIME@`` where a load generator puts its own."""
    found = []
    for data in encoded_events(count):
        event = json.loads(data)
        event.update(event_id="@ID@", event_timestamp="@TIME@")
        found.append(json.dumps(event, separators=(",", ":")))
    return found
