"""The flags of the demo, and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Final

from madsci.common.asked_time import read_asked_time
from madsci.common.clock import from_us, zone_named
from madsci.common.errors import SettingsError
from madsci.common.settings import read_flags
from madsci.demo.lab import LabPlan

USAGE: Final = """\
usage: python -m madsci.demo [flags]
Plays the life of a simulated lab into an Event Manager.

  --url URL      the Event Manager; http://localhost:8001 by default
  --days N       how many days of the lab; 30 by default
  --until WHEN   where its time ends: now, today, -1d, 2026-11-23T14:00; now by default
  --seed N       another number is another lab; the same one, with the same time, the same events
  --zone ZONE    the zone of the clocks by which its people work; Europe/Berlin by default
  --speed N      play N seconds of the lab in a second; as fast as it goes by default
  --disturbed    1 % of the events come late, 1 % come twice, 2 % of all ends never come
  --truth FILE   write what really happened as JSON
"""
HINT: Final = "python -m madsci.demo --help shows the flags."
_VALUES: Final = ("url", "days", "seed", "speed", "until", "zone", "truth")
_SWITCHES: Final = ("disturbed",)
_MOST_DAYS: Final = 3_660


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to be played, and how; ``speed`` is ``None`` for as fast as it goes."""

    plan: LabPlan
    url: str = "http://localhost:8001"
    speed: float | None = None
    is_disturbed: bool = False
    truth: Path | None = None


def read_command_line(words: Sequence[str], now: int | None = None) -> Wanted:
    """Return what the words of a command line ask for; ``now`` is in microseconds since 1970.

    Raises:
        SettingsError: a flag is none, lacks its value, or has one that cannot be used.
    """
    given = read_flags(words, _VALUES, _SWITCHES)
    truth = given.get("truth")
    return Wanted(
        plan=_plan(given, now),
        url=given.get("url", Wanted.url),
        speed=_speed(given["speed"]) if "speed" in given else None,
        is_disturbed="disturbed" in given,
        truth=None if truth is None else Path(truth),
    )


def _plan(given: dict[str, str], now: int | None) -> LabPlan:
    days = _number("days", given.get("days", str(LabPlan.days)))
    if not 1 <= days <= _MOST_DAYS:
        raise SettingsError(f"--days is a number from 1 to {_MOST_DAYS}, not {days}.")
    zone = given.get("zone", LabPlan.zone)
    clocks = zone_named(zone) or timezone.utc
    try:
        until = from_us(read_asked_time(given.get("until", "now"), clocks, now).first)
        begin = until.astimezone(clocks) - timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"--until cannot be used: {error}") from None
    seed = _number("seed", given.get("seed", str(LabPlan.seed)))
    return LabPlan(seed=seed, begin=begin, days=days, zone=zone)


def _number(flag: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"--{flag} is a whole number, not {text:.80}.") from None


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"--speed is a number greater than 0, such as 60, not {text:.80}.")
    return speed
