"""The real server with three followers as labs have them: counts, who was there last, and alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.event_server import EventManager
from madsci.event_manager.feed.follower import Conclusion, Follower, Kept
from madsci.event_manager.model.feed import Entry
from madsci.event_manager.model.stored_event import decode_json, encode_json
from madsci.event_manager.model.tables import Change, put, put_if_absent

_HOUR = 3_600_000_000
_SERIOUS = 40


class Counts:
    """How many events of each type there were in each hour."""

    name = "counts"

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        del now
        hours: dict[str, Counter[str]] = {}
        for entry in entries:
            if not entry.is_raised_alert:
                hour = f"{entry.event.event_timestamp // _HOUR:012d}"
                hours.setdefault(hour, Counter())[entry.event.event_type] += 1
        changes: list[Change] = []
        for hour, counts in hours.items():
            known = kept.read("counts", hour)
            if known is not None:
                counts.update(decode_json(known))
            changes.append(put("counts", hour, encode_json(dict(counts))))
        return Conclusion(changes)


class LastSeen:
    """When each node was heard of last."""

    name = "last_seen"

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        del kept, now
        nodes = {
            str(entry.event.source.get("node_id")): entry.event.event_timestamp for entry in entries
        }
        return Conclusion(
            [put("last_seen", node, encode_json({"at": at})) for node, at in nodes.items()]
        )


class Alerts:
    """What somebody has to be told of."""

    name = "alerts"

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        del kept, now
        serious = [one for one in entries if one.event.alert or one.event.log_level > _SERIOUS]
        return Conclusion(
            [
                put_if_absent("alerts", f"{one.lane}-{one.number}", encode_json({"state": "waiting"}))
                for one in serious
            ]
        )


def followers() -> list[Follower]:
    """Return one of each."""
    return [Counts(), LastSeen(), Alerts()]


if __name__ == "__main__":
    EventManager(EventManagerSettings(), followers()).run_server()
