"""One sender per server address, for all clients of the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from madsci.client.delivery.sender import Sender

_shared: dict[str, tuple[Sender, int]] = {}
_shared_lock = threading.RLock()


def share_sender(url: str, make: Callable[[], Sender]) -> Sender:
    """Return the sender of a server address, made by the first of its clients with its settings."""
    with _shared_lock:
        sender, users = _shared.get(url) or (make(), 0)
        _shared[url] = (sender, users + 1)
        return sender


def release_sender(url: str, timeout: float | None = None) -> bool:
    """Give a shared sender back; the last user's leaving ends it once it has delivered everything.

    Returns whether everything was delivered. A sender that could not deliver goes on trying for as
    long as the process lives.
    """
    sender, _ = _shared[url]
    delivered = sender.flush(timeout)
    with _shared_lock:
        sender, users = _shared[url]
        if users > 1 or not delivered:
            _shared[url] = (sender, users - 1)
            return delivered
        del _shared[url]
    return sender.close(timeout)


def _forget_parent() -> None:
    global _shared_lock  # noqa: PLW0603 - a lock that another thread held is lost in the child
    _shared_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
