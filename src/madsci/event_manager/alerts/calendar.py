"""When people are told, and who: what the settings say about an instant.

Nothing here looks at a clock. Instants are microseconds since the Unix epoch. Times of a clock on the
wall are those of a zone, ``None`` for that of this machine; each stands for the first instant at which
the clock shows it or a later one. So one that comes twice counts the first time, one that is left out
is the instant at which the clock is put forward, and periods that meet on the wall meet in time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final, NamedTuple, Protocol

from madsci.common.clock import FIRST_US, LAST_US, from_us, to_us, zone_named
from madsci.common.errors import SettingsError
from madsci.common.nearest import did_you_mean
from madsci.common.types.alert_times import (
    WEEKDAYS,
    AlertRoute,
    AlertTimes,
    Maintenance,
    QuietHours,
    is_among,
)

_DAY_US: Final = 86_400_000_000
_MARGIN_US: Final = 4 * _DAY_US
"""What the days around an instant need of the calendar; nearer to its ends there is none."""
_LONGEST_QUIET_US: Final = 15 * _DAY_US
"""What is quiet for more than a week is quiet for ever, since weeks are alike; a day of clocks that are
set, and as much again, do no harm."""
_SAMPLES: Final = (1_768_435_200_000_000, 1_784_073_600_000_000)
"""A day in January and one in July, at which quiet hours are tried whether they end."""
_NODES: Final = ("node", "node_id")


class Reachable(Protocol):
    """What is asked of a channel here."""

    @property
    def name(self) -> str:
        """By which routes call it."""
        ...

    @property
    def recipients(self) -> Sequence[str]:
        """Who is told over it."""
        ...


class _Period(NamedTuple):
    begin: int
    end: int


def holds(times: AlertTimes, at_us: int, default_zone: tzinfo | None = None) -> bool:
    """Tell whether an instant lies in one of the periods; their end does not."""
    return _period(times, at_us, default_zone) is not None


def ends(times: AlertTimes, at_us: int, default_zone: tzinfo | None = None) -> int:
    """Return when the period ends that holds at an instant, or the instant if none does.

    Another one may begin there.
    """
    period = _period(times, at_us, default_zone)
    return at_us if period is None else period.end


def _period(times: AlertTimes, at_us: int, default_zone: tzinfo | None) -> _Period | None:
    zone = zone_named(times.zone) if times.zone else default_zone
    at = max(FIRST_US + _MARGIN_US, min(at_us, LAST_US - _MARGIN_US))
    today = _wall(at, zone).date()
    # Of the day before, one may pass midnight. Clocks are set over midnight, too, both ways.
    for days in (0, -1, 1, -2):
        period = _beginning_on(today + timedelta(days=days), times, zone)
        if period is not None and period.begin <= at < period.end:
            return period
    return None


def _beginning_on(day: date, times: AlertTimes, zone: tzinfo | None) -> _Period | None:
    if WEEKDAYS[day.weekday()] not in times.days:
        return None
    midnight = datetime.combine(day, time())
    begin, end = (_first(midnight + timedelta(minutes=one), zone) for one in times.minutes)
    return _Period(begin, end)


def _wall(at_us: int, zone: tzinfo | None) -> datetime:
    """Return what the clock on the wall shows."""
    return from_us(at_us).astimezone(zone).replace(tzinfo=None, fold=0)


def _first(wall: datetime, zone: tzinfo | None) -> int:
    """Return the first instant at which the clock shows a time, or a later one."""
    early, late = sorted(_instant(wall.replace(fold=fold), zone) for fold in (0, 1))
    for at in (early, late):
        if _wall(at, zone) == wall:
            return at
    while early + 1 < late:  # left out: between the two, the clock was put forward
        middle = (early + late) // 2
        if _wall(middle, zone) < wall:
            early = middle
        else:
            late = middle
    return late


def _instant(wall: datetime, zone: tzinfo | None) -> int:
    return to_us(wall.astimezone() if zone is None else wall.replace(tzinfo=zone))


class Calendar:
    """What the settings say of who is told when. Thread-safe; nothing in it changes.

    Without ``channel_names`` nobody can say which channels there are, and none is missed.

    Raises:
        SettingsError: a route names a channel that there is not, or quiet hours never end.
    """

    def __init__(
        self,
        routes: Sequence[AlertRoute] = (),
        quiet: Sequence[QuietHours] = (),
        maintenance: Sequence[Maintenance] = (),
        default_zone: tzinfo | None = None,
        channel_names: Collection[str] | None = None,
    ) -> None:
        self._routes = tuple(routes)
        self._quiet = tuple(quiet)
        self._zone = default_zone
        self._silenced = [(one, *one.between(default_zone)) for one in maintenance]
        if channel_names is not None:
            self._check_channels(channel_names)
        self._check_quiet()

    def recipients(
        self, severity: int, rule: str, at_us: int, channels: Sequence[Reachable]
    ) -> list[tuple[str, str]]:
        """Return whom to tell, as names of channels with recipients, in the order of routes.

        Nobody comes twice. Without routes it is everybody whom the channels know; with routes those of
        all that hold, be it nobody. A recipient whom a route names is not looked for among those of the
        channel.
        """
        found: dict[tuple[str, str], None] = {}
        if not self._routes:
            for channel in channels:
                found.update(dict.fromkeys((channel.name, one) for one in channel.recipients))
        by_name = {channel.name: channel for channel in channels}
        for route in self._routes:
            if self._holds(route, severity, rule, at_us):
                for way in route.channels:
                    found.update(dict.fromkeys(_reached(way, by_name)))
        return list(found)

    def _holds(self, route: AlertRoute, severity: int, rule: str, at_us: int) -> bool:
        if severity < route.at_least or (route.rules and not is_among(rule, route.rules)):
            return False
        return route.during is None or holds(route.during, at_us, self._zone)

    def not_before(self, severity: int, at_us: int) -> int:
        """Return when people may be told: at once, or when all quiet hours have ended that follow.

        That is some two weeks later at most.
        """
        quiet = [one.during for one in self._quiet if severity < one.below]
        until, before = at_us, at_us - 1
        while before < until < at_us + _LONGEST_QUIET_US:
            before = until
            until = max((ends(times, until, self._zone) for times in quiet), default=until)
        return until

    def is_silenced(self, rule: str, group: Mapping[str, Any], at_us: int) -> bool:
        """Tell whether something that happens at an instant is part of planned work.

        ``group`` is what its events have in common, by path. Work on nodes silences nothing of which
        the group does not tell the node.
        """
        return any(
            begin <= at_us < end
            and (not work.rules or is_among(rule, work.rules))
            and (not work.nodes or any(is_among(node, work.nodes) for node in _nodes(group)))
            for work, begin, end in self._silenced
        )

    def _check_channels(self, names: Collection[str]) -> None:
        for place, route in enumerate(self._routes):
            for way in route.channels:
                if _channel_of(way, names) is not None:
                    continue
                given = way.partition(":")[0]
                there = f"There are {', '.join(sorted(names))}." if names else "There is none."
                raise SettingsError(
                    f"Route {place + 1} of alerts names the channel {given!r:.80}, which there is not."
                    f"{did_you_mean(given, names) or f' {there}'}"
                )

    def _check_quiet(self) -> None:
        for below in sorted({one.below for one in self._quiet}):
            if all(self.not_before(below - 1, at) >= at + _LONGEST_QUIET_US for at in _SAMPLES):
                raise SettingsError(
                    f"Quiet hours never end for what is below {below.name}. Leave a time in which"
                    " people are told, or do not route it to anybody (at_least)."
                )


class Audience:
    """The people whom some channels reach, as a calendar has them told. Thread-safe."""

    def __init__(self, calendar: Calendar, channels: Sequence[Reachable]) -> None:
        self._calendar = calendar
        self._channels = channels
        self.not_before = calendar.not_before
        self.is_silenced = calendar.is_silenced

    def recipients(self, severity: int, rule: str, at_us: int) -> list[tuple[str, str]]:
        """Return whom to tell; see ``Calendar``."""
        return self._calendar.recipients(severity, rule, at_us, self._channels)


def _channel_of(way: str, names: Collection[str]) -> str | None:
    """Return the channel that a way names; its name may have a colon itself."""
    fitting = (one for one in names if way == one or way.startswith(f"{one}:"))
    return max(fitting, key=len, default=None)


def _reached(way: str, channels: Mapping[str, Reachable]) -> Iterator[tuple[str, str]]:
    name = _channel_of(way, channels.keys())
    if name is None:
        return
    if name != way:
        yield name, way.removeprefix(f"{name}:")
        return
    for recipient in channels[name].recipients:
        yield name, recipient


def _nodes(group: Mapping[str, Any]) -> Iterator[str]:
    for path, value in group.items():
        if path.rpartition(".")[2] in _NODES and isinstance(value, str):
            yield value
