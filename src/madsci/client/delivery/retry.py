"""When to try again: pure decisions, no clock and no network."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

from madsci.common.forking import reset_in_child

MAX_BACKOFF: Final = 30.0
"""Seconds between two attempts at most: a server that came back soon gets its events."""
MAX_RETRY_AFTER: Final = 300.0
"""Seconds that a server may ask to wait at most; more looks like a mistake of a proxy."""

_UNPROCESSABLE: Final = frozenset({400, 409, 410, 413, 414, 415, 422, 431})


_jitter: Final = random.Random()  # noqa: S311 - of our own: programs seed the module's, and count on it
reset_in_child(_jitter.seed)  # or the children of one process would come back as one


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with full jitter, so that the clients of a lab do not come back as one.

    See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    base: float = 0.3
    cap: float = MAX_BACKOFF
    draw: Callable[[float, float], float] = _jitter.uniform

    def delay(self, failures: int, retry_after: float | None = None) -> float:
        """Return the seconds to wait after so many failures in a row (1 for the first).

        What the server asked for is kept at least, jitter comes on top of it.
        """
        # 2 ** 30 is past every cap; larger exponents would only overflow.
        ceiling = min(self.cap, self.base * 2.0 ** min(failures - 1, 30))
        jitter = self.draw(0.0, ceiling)
        return jitter if retry_after is None else min(retry_after, MAX_RETRY_AFTER) + jitter


def is_temporary(status: int) -> bool:
    """Tell whether a request that got this HTTP status may succeed later, unchanged.

    Statuses that speak about the content of the request are final. All others, wrong addresses,
    missing rights and redirections too, are for people to repair while the events wait.
    """
    return status not in _UNPROCESSABLE


def parse_retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After`` header, seconds or an HTTP date, as seconds; ``None`` if unreadable."""
    if not text:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - (now or datetime.now(timezone.utc))).total_seconds())
