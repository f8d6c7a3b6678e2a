"""Where in the small tables the life of a lab is kept: keys, whose order is that of time.

A run lies in the shortest span of the calendar that holds it and the hour in which it was told: an
hour, a day, 32 days, 1,024 days, or all time. So what a window of time needs lies in the spans that
overlap it, wherever it begins and ends, and however much was kept before and after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from madsci.event_manager.analytics.marks import Thing
from madsci.event_manager.analytics.spans import HOUR, Span

MARKS: Final = "lab_marks"
"""What events said, by their hours: ``hour/number`` of what is full, ``hour/last``, ``hour/signs``."""
RUNS: Final = "lab_runs"
"""What was concluded of it: ``thing/level/span/hour/part``."""
STATES: Final = "lab_states"
"""What was under way at the ends of hours, the latest first."""
PROGRESS: Final = "progress"
"""The key of how far it is, among the states."""
HEAD: Final = "head"
"""The key of what is under way there."""
FORM: Final = "form"
"""The key of the form in which all that is kept, among the states."""
NODES: Final = "nodes"
"""The key of what is known of all nodes, among the states."""
SESSIONS: Final = "sessions"
"""The key of what sessions there ever were, among the states."""

_WIDTHS: Final = (1, 24, 768, 24_576, 1 << 40)
"""Hours of the spans of each level."""
_ORIGIN: Final = 20_000_000
"""Is added to hours since 1970, of which some are before it: keys have no sign."""
_END: Final = 99_999_999


def hour_of(at: int) -> int:
    """Return the number of the hour of an instant, counted from the year 1."""
    return at // HOUR + _ORIGIN


def begin_of(hour: int) -> int:
    """Return the first instant of an hour."""
    return (hour - _ORIGIN) * HOUR


def marks_key(hour: int, number: int) -> str:
    """Return the key of full marks."""
    return f"{hour:08d}/{number:06d}"


def last_marks_key(hour: int) -> str:
    """Return the key of the marks of an hour that further ones are added to."""
    return f"{hour:08d}/last"


def signs_key(hour: int) -> str:
    """Return the key of when which node was seen alive in an hour."""
    return f"{hour:08d}/signs"


def hour_in(key: str) -> int:
    """Return the hour of a key of marks."""
    return int(key[:8])


def before_hour(hour: int) -> str:
    """Return what is after all keys of marks of the hours before one, and before its own."""
    return f"{hour:08d}"


def state_key(hour: int) -> str:
    """Return the key of what was under way at the end of an hour; later hours come first."""
    return f"at/{_END - hour:08d}"


def hour_of_state(key: str) -> int:
    """Return the hour of such a key."""
    return _END - int(key[3:])


def span_of(begin: int, hour: int) -> str:
    """Return the prefix of the keys of runs that began at an instant and were told in an hour."""
    first = hour_of(begin)
    for level, width in enumerate(_WIDTHS):
        if first // width == hour // width:
            return f"{level}/{hour // width:08d}/"
    raise AssertionError("The last level holds everything.")


def spans_of(hour: int) -> list[str]:
    """Return the prefixes under which there may be runs that were told in an hour."""
    return [
        f"{thing.value}/{level}/{hour // width:08d}/{hour:08d}/"
        for thing in Thing
        for level, width in enumerate(_WIDTHS)
    ]


def run_key(thing: Thing, span: str, hour: int, part: int) -> str:
    """Return the key of some runs."""
    return f"{thing.value}/{span}{hour:08d}/{part:03d}"


def told_in(key: str) -> tuple[int, int]:
    """Return the hour in which the runs of a key were told, and which part of those of it they are."""
    _, _, _, hour, part = key.split("/")
    return int(hour), int(part)


def overlapping(window: Span, thing: Thing) -> Iterator[tuple[str, str, str]]:
    """Yield where runs are that overlap a window: a prefix of keys, after which key, up to which.

    The end of the window is one of its instants: what ends there ends in it.
    """
    first, last = map(hour_of, window)
    for level, width in enumerate(_WIDTHS):
        begin, end = (f"{thing.value}/{level}/{hour // width:08d}" for hour in (first, last))
        yield (f"{begin}/" if begin == end else begin[:4]), f"{begin}/", f"{end}0"
