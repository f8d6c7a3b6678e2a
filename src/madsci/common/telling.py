"""Trouble of the client, told to the standard log, and not again and again."""

from __future__ import annotations

import logging
import time
from typing import Final

INTERVAL: Final = 60.0
"""Seconds between two warnings about one topic: a server that is away for a night fills no log."""


class Teller:
    """Tells what one part of the client has to say. A message never comes back as an event."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._told_at: dict[str, float] = {}
        self.last: str | None = None
        """What was last to be said, told or not."""

    def tell(self, text: str, topic: str = "") -> None:
        """Log a warning, unless one of the same topic was logged a short while ago."""
        self.last = text
        now = time.monotonic()
        if now - self._told_at.get(topic, float("-inf")) >= INTERVAL:
            self._told_at[topic] = now
            self._logger.warning("%s", text)
