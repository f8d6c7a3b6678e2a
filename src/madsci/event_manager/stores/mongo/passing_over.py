"""Documents in a collection of events that are no events: they are passed over, and named."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from madsci.common.errors import MadsciError

_logger = logging.getLogger(__name__)

_MOST: Final = 1_000
"""Documents that are remembered; more are passed over as well, and not counted."""
_MOST_LINES: Final = 100
"""Of those, the ones that are named in the log."""


class PassedOver:
    """What a store has met. Thread-safe."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @property
    def number(self) -> int:
        """How many there are, as far as they were met."""
        return len(self._keys)

    def note(self, key: Any, error: Exception) -> str:
        """Remember a document by its ``_id``, and say so once; return what is the matter with it."""
        reason = error.message if isinstance(error, MadsciError) else f"{type(error).__name__}: {error}"
        name = repr(key)[:300]
        with self._lock:
            is_new = name not in self._keys and len(self._keys) < _MOST
            if is_new:
                self._keys.add(name)
        if is_new and len(self._keys) <= _MOST_LINES:
            _logger.error(
                "The document %s in %s is no event and is passed over: %s The migration tool puts it"
                " aside, as it is.",
                name,
                self._location,
                reason,
            )
        return reason
