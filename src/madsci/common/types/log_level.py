"""Log levels: the integers of Python's ``logging``, readable from numbers and names."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

_NAMES_ELSEWHERE: Final = {
    "NOTSET": "ALL",
    "DEBUG": "TRACE VERBOSE FINE FINER FINEST DBG DBUG TRC TRCE VRB D T V",
    "INFO": "INFORMATION INFORMATIONAL NOTICE CONFIG SUCCESS INF I",
    "WARNING": "WARN WRN W",
    "ERROR": "ERR SEVERE FAIL FAILURE E",
    "CRITICAL": "FATAL CRIT ALERT EMERG EMERGENCY PANIC DPANIC FTL C F",
}
"""What syslog, .NET, Java, Rust, Go and their loggers call the levels; CONFIG as SLF4J reads it.

OFF and NONE are thresholds above every event, and no levels of events.
"""
OTHER_NAMES: Final = {
    other: name for name, others in _NAMES_ELSEWHERE.items() for other in others.split()
}


class EventLogLevel(IntEnum):
    """How much an event matters. Serialised as the integer; read from integers and names."""

    NOTSET = 0
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50

    @classmethod
    def _missing_(cls, value: object) -> EventLogLevel | None:
        number = level_number(value)
        return None if number is None or number not in cls._value2member_map_ else cls(number)

    @classmethod
    def at_or_below(cls, number: int) -> EventLogLevel:
        """Return the highest level that is not above the number (25 → INFO)."""
        return max((level for level in cls if level <= number), default=cls.NOTSET)


def level_number(value: Any) -> int | None:
    """Read a level threshold: any integer, a numeric text or a level name in any letter case.

    Names are those of Python and of other loggers; they may carry the prefix ``EventLogLevel.``.
    Returns ``None`` for everything else.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return None
    name = value.strip().upper().removeprefix("EVENTLOGLEVEL.")
    name = OTHER_NAMES.get(name, name)
    if name in EventLogLevel.__members__:
        return int(EventLogLevel[name])
    digits = name.removeprefix("-")
    return int(name) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None  # noqa: PLR2004


def level_filter(level: object) -> int | None:
    """Read a level filter: ``None`` and -1 mean no filter.

    Raises:
        ValueError: it is no level.
    """
    if level is None or level == -1:
        return None
    number = level_number(level)
    if number is None:
        raise ValueError(f"{level!r} is not a level; give a name such as INFO or an integer.")
    return number
