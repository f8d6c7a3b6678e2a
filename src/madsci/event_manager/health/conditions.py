"""What is wrong, from when it begins until it ends; the log tells both, once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

_logger = logging.getLogger(__name__)

CALM: Final = 5.0
"""Seconds after which something has ended: what comes and goes is one condition, not a hundred."""
LASTING: Final = 60.0
"""Seconds after which people are told of it: a database that restarts is back by then."""


@dataclass(frozen=True)
class Finding:
    """Something that is not well: what it is about, in a word that does not change, and in a sentence.

    ``is_trouble`` for what makes the server unhealthy; the others are warnings. ``is_told`` where the
    log has it already when it begins, from whom it concerns.
    """

    topic: str
    sentence: str
    is_trouble: bool = True
    is_told: bool = False


@dataclass
class _Condition:
    finding: Finding
    since: float
    seen: float
    is_alarmed: bool = False


class Conditions:
    """Tells of each topic when it begins and when it has ended. Used by one thread; seconds."""

    def __init__(self, calm: float = CALM, clock: Callable[[], float] = time.monotonic) -> None:
        self._calm = calm
        self._clock = clock
        self._present: dict[str, _Condition] = {}

    def update(self, findings: Iterable[Finding]) -> None:
        """Take note of all that is not well now."""
        now = self._clock()
        for finding in findings:
            known = self._present.get(finding.topic)
            if known is None:
                self._present[finding.topic] = _Condition(finding, now, now)
                if not finding.is_told:
                    level = logging.ERROR if finding.is_trouble else logging.WARNING
                    _logger.log(level, "%s", finding.sentence)
            else:
                known.seen = now
        for topic, known in list(self._present.items()):
            if now - known.seen >= self._calm:
                del self._present[topic]
                _logger.warning(
                    "This is over after %.0f s: %s", known.seen - known.since, known.finding.sentence
                )

    def lasting(self) -> list[Finding]:
        """Return what has lasted for so long that people are to be told of it, each once."""
        now, found = self._clock(), []
        for known in self._present.values():
            if not known.is_alarmed and now - known.since >= LASTING:
                known.is_alarmed = True
                found.append(known.finding)
        return found
