"""Events that were lost before the server had them: counted, and told to it as an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from madsci.common.clock import iso, now_us
from madsci.common.ids import new_ulid
from madsci.common.types.sender import sender_here

_WARNING: Final = 30


@dataclass
class Losses:
    """Events that were lost and of which the server was not told yet, with their span of time."""

    count: int = 0
    first_moment: int = 0
    last_moment: int = 0

    def add(self, count: int, first_moment: int, last_moment: int) -> None:
        """Count further lost events."""
        if count:
            known = [moment for moment in (self.first_moment, first_moment) if moment]
            self.first_moment = min(known, default=0)
            self.last_moment = max(self.last_moment, last_moment)
            self.count += count


def losses_event(lost: Losses) -> bytes:
    """Make the event that tells of lost ones, as it is sent."""
    first, last = iso(lost.first_moment), iso(lost.last_moment)
    document = {
        "event_id": new_ulid(),
        "event_type": "log_warning",
        "log_level": _WARNING,
        "event_timestamp": iso(now_us()),
        "sender": sender_here(),
        "event_data": {
            "message": f"{lost.count} events were lost before they could be sent, {first} to {last}",
            "lost_events": lost.count,
            "lost_from": first,
            "lost_until": last,
        },
    }
    return msgspec.json.encode(document)
