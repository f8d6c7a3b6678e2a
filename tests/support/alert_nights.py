"""A lab whose events alert people, with clocks that tests set: a store, the follower, and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from madsci.common.types.alert_rules import AlertRule
from madsci.event_manager.alerts.defaults import default_rules
from madsci.event_manager.alerts.follower import AlertFollower
from madsci.event_manager.alerts.notice import OUTBOX, Notice, decode_notice
from madsci.event_manager.alerts.records import ALERTS, STATES, TIMERS, Alert, read_alert
from madsci.event_manager.alerts.shelf import Shelf
from madsci.event_manager.model.feed import START, Position
from madsci.event_manager.model.stored_event import StoredEvent, encode_json
from madsci.event_manager.model.tables import FOLLOWERS, Step, position_of
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.memory import MemoryStore

SECOND = 1_000_000
EVENING = 1_800_000_000 * SECOND
"""When nights begin."""


class Everybody:
    """Tells two people of everything at once; nobody of what happens at the nodes of ``silenced``."""

    def __init__(self) -> None:
        self.people = [("email", "anna@lab.org"), ("email", "ben@lab.org")]
        self.silenced: set[str] = set()
        self.quiet_until = 0

    def recipients(self, severity: int, rule: str, at_us: int) -> Sequence[tuple[str, str]]:
        return self.people

    def not_before(self, severity: int, at_us: int) -> int:
        return max(at_us, self.quiet_until)

    def is_silenced(self, rule: str, group: Mapping[str, Any], at_us: int) -> bool:
        return group.get("node") in self.silenced


class Night:
    """Events happen and time passes; the follower goes on as it does in a server."""

    def __init__(
        self, *rules: dict[str, Any], store: EventStore | None = None, defaults: bool = True
    ) -> None:
        self.store = store or MemoryStore()
        self.now = EVENING
        self.people = Everybody()
        self._looks = count(step=60)  # so that rules are looked at anew each time
        self.shelf = Shelf(
            default_rules(40) if defaults else [],
            [AlertRule(**one) for one in rules],
            elapsed=lambda: float(next(self._looks)),
        )
        self.follower = AlertFollower(self.shelf.rulebook, self.people)
        self._made = 0
        self.follow()

    def happens(self, event_type: str = "log_info", **members: Any) -> StoredEvent:
        """Have an event committed and followed; what is no member of events goes to its data."""
        self._made += 1
        plain: dict[str, Any] = {
            "event_id": f"e{self._made}", "log_level": 20, "alert": False, "event_timestamp": self.now,
            "received_at": self.now, "source": {},
        }  # fmt: skip
        if "node" in members:
            plain["source"] = {"node_id": members.pop("node")}
        names = set(StoredEvent.__struct_fields__)
        data = {name: value for name, value in members.items() if name not in names}
        own = {name: value for name, value in members.items() if name in names}
        event = StoredEvent(
            **{"event_data": encode_json(data), "event_type": event_type, **plain, **own}
        )
        self.store.append([event])
        self.follow()
        return event

    def asks_for_people(self, event: StoredEvent) -> None:
        """Send an event again, this time with an alert."""
        self.store.append([msgspec.structs.replace(event, alert=True)])
        self.follow()

    def passes(self, seconds: float) -> None:
        """Let time pass, during which the server looks as often as it does."""
        end = self.now + round(seconds * SECOND)
        while self.now < end:
            self.now = min(end, self.now + 30 * SECOND)
            self.follow()

    def is_off_for(self, seconds: float) -> None:
        """Let time pass while the server is off."""
        self.now += round(seconds * SECOND)
        self.follower = AlertFollower(self.shelf.rulebook, self.people)
        self.follow()

    def follow(self) -> None:
        """Go on to the end of the feed, and look once more there."""
        while True:
            kept = self.store.read(FOLLOWERS, "alerts")
            position = START if kept is None else position_of(kept)
            part = self.store.since(position, 1_000)
            self._conclude(position, part.next, part.entries)
            if not part.entries:
                return

    def _conclude(self, before: Position, after: Position, entries: Any) -> None:
        concluded = self.follower.conclude(entries, self.store, self.now)
        assert self.store.apply(concluded.changes, Step("alerts", before, after))

    def notices(self, recipient: str = "anna@lab.org") -> list[Notice]:
        found = [decode_notice(text) for _, text in self.store.scan(OUTBOX, limit=10_000)]
        return [one for one in found if one.recipient == recipient]

    def told(self, recipient: str = "anna@lab.org") -> list[str]:
        """Why somebody was told, in order."""
        return [one.occasion.value for one in self.notices(recipient)]

    def alerts(self) -> list[Alert]:
        return [read_alert(text) for _, text in self.store.scan(ALERTS, limit=10_000)]

    def documents(self) -> dict[str, int]:
        """How many documents there are of those that come and go."""
        tables = {"states": STATES, "timers": TIMERS}
        return {name: len(self.store.scan(table, limit=10_000)) for name, table in tables.items()}
