"""The right to do something that one of all servers that share a store does at a time."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from madsci.common.errors import StoreError
from madsci.common.ids import new_ulid
from madsci.event_manager.stores.base import Leases

_logger = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds after which the store is asked again where it could not be."""
_LIFETIME: Final = 30.0
_RENEWAL: Final = 10.0
"""Seconds for which a server has it for itself, and between two times that it says so: one that was
killed is followed by another after half a minute."""
_ASKING: Final = 5.0
"""Seconds between two times that a server asks for what another one has."""


class Place:
    """A lease that is kept as long as somebody keeps it. Thread-safe; ``elapsed``: seconds."""

    def __init__(self, store: Leases, name: str, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._name = name
        self._elapsed = elapsed
        self._holder = new_ulid()
        self._lock = threading.Lock()
        """Held while the store is asked."""
        self._until = 0.0
        self._ask_at = 0.0

    @property
    def is_certain(self) -> bool:
        """Whether nobody else can have it."""
        return self._elapsed() < self._until

    def keep(self) -> bool:
        """Take or renew it where that is due; tell whether it is ours."""
        with self._lock:
            now = self._elapsed()
            if now >= self._ask_at or now >= self._until > 0.0:
                self._ask(now)
        return self.is_certain

    def _ask(self, now: float) -> None:
        try:
            is_ours = self._store.hold(self._name, self._holder, _LIFETIME)
            self._until = now + _LIFETIME if is_ours else 0.0
            self._ask_at = now + (_RENEWAL if is_ours else _ASKING)
        except StoreError as error:  # until its end it stays ours
            _logger.debug("The place of %s could not be asked for: %s", self._name, error.message)
            self._ask_at = now + LOOK
            self._until = self._until if self.is_certain else 0.0

    def let_go(self) -> None:
        """Let another server go on at once; where it cannot be told, after a while."""
        with self._lock, contextlib.suppress(StoreError):
            if self._until:
                self._store.let_go(self._name, self._holder)
