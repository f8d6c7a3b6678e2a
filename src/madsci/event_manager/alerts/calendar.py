"""Who is told of what, and when: routes, quiet hours, maintenance. Pure; times are microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final, NamedTuple

from madsci.common.clock import from_us, parse_instant, to_us, zone_named
from madsci.common.errors import SettingsError
from madsci.common.nearest import did_you_mean
from madsci.common.types.alert_times import DAYS, AlertRoute, AlertTimes, Maintenance, QuietHours
from madsci.event_manager.alerts.channel import Channel

_ANY: Final = "*"
_CHAIN: Final = 100
"""Quiet times that follow one another without a gap, at most; beyond, people are told anyhow."""


def holds(times: AlertTimes, at: int, default_zone: tzinfo | None = None) -> bool:
    """Tell whether an instant lies in such a time."""
    return _end_of(times, at, default_zone) is not None


def ends(times: AlertTimes, at: int, default_zone: tzinfo | None = None) -> int:
    """Return when the time ends that an instant lies in; the instant itself if it lies in none."""
    end = _end_of(times, at, default_zone)
    return at if end is None else end


def _end_of(times: AlertTimes, at: int, default_zone: tzinfo | None) -> int | None:
    zone = zone_named(times.zone) or default_zone
    today = from_us(at).astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if DAYS[day.weekday()] in times.days:
            last = day + timedelta(days=1) if times.end <= times.start else day
            end = _instant(datetime.combine(last, times.end), zone)
            if _instant(datetime.combine(day, times.start), zone) <= at < end:
                return end
    return None


def _instant(wall: datetime, zone: tzinfo | None) -> int:
    # What summer time leaves out is read as if it had not; what it has twice is the first of both.
    return to_us(wall.astimezone() if zone is None else wall.replace(tzinfo=zone))


class _Closed(NamedTuple):
    """A maintenance with its instants."""

    start: int
    end: int
    rules: Sequence[str]
    nodes: Sequence[str]


class Calendar:
    """Knows whom to tell. Immutable; any number of threads may ask.

    Without routes everybody on every channel is told. Times without a zone are in ``default_zone``.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        routes: Sequence[AlertRoute] = (),
        quiet: Sequence[QuietHours] = (),
        maintenance: Sequence[Maintenance] = (),
        default_zone: tzinfo | None = None,
    ) -> None:
        """Raises ``SettingsError``: a route names nobody whom there is."""
        self._zone = default_zone
        self._everybody = [(one.name, whom) for one in channels for whom in one.recipients]
        self._routes = [(route, self._named(route, channels)) for route in routes]
        self._quiet = quiet
        self._closed = [
            _Closed(
                parse_instant(one.start, default_zone), parse_instant(one.end, default_zone),
                one.rules, one.nodes,
            )
            for one in maintenance
        ]  # fmt: skip

    def _named(self, route: AlertRoute, channels: Sequence[Channel]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        names = [one.name for one in channels]
        for text in route.channels:
            name, _, whom = text.partition(":")
            if name not in names:
                raise SettingsError(
                    f"alert_routes names the channel {name!r}, which there is not."
                    f"{did_you_mean(name, names)} There are: {', '.join(names) or 'none'}."
                )
            of_channel = [one for one in self._everybody if one[0] == name and whom in ("", one[1])]
            if whom and not of_channel:
                raise SettingsError(
                    f"alert_routes names {whom!r}, who is no recipient of the channel {name!r}. Name"
                    " them there, too."
                )
            found.extend(of_channel)
        return found

    def recipients(self, severity: int, rule: str, at_us: int) -> list[tuple[str, str]]:
        """Return the channels and recipients that are told of something now."""
        if not self._routes:
            return self._everybody
        told = dict.fromkeys(
            one
            for route, people in self._routes
            if severity >= route.at_least
            and _is_named(rule, route.rules)
            and (route.during is None or holds(route.during, at_us, self._zone))
            for one in people
        )
        return list(told)

    def not_before(self, severity: int, at_us: int) -> int:
        """Return when people may be told of it: now, or at the end of the quiet times."""
        at = at_us
        for _ in range(_CHAIN):
            later = max(
                (ends(one.during, at, self._zone) for one in self._quiet if severity < one.below),
                default=at,
            )
            if later == at:
                break
            at = later
        return at

    def is_silenced(self, rule: str, group: Mapping[str, Any], at_us: int) -> bool:
        """Tell whether nobody is told, since somebody works there."""
        return any(
            one.start <= at_us < one.end
            and _is_named(rule, one.rules)
            and (not one.nodes or group.get("node") in one.nodes)
            for one in self._closed
        )


def _is_named(rule: str, names: Sequence[str]) -> bool:
    return not names or any(
        rule == name or (name.endswith(_ANY) and rule.startswith(name[:-1])) for name in names
    )
