"""Something else to do for a thread that waits for a reply: one thread is enough for a client.

A server that hangs holds the sender for the whole timeout; the spool is to be synced meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import urllib3

SLICE: Final = 0.02
"""Seconds of undisturbed waiting; most replies are there before."""


def make_patient(pool: urllib3.PoolManager, meanwhile: Callable[[], object]) -> None:
    """Have the connections of a pool call ``meanwhile`` again and again until a reply begins."""
    kinds: dict[str, Any] = pool.pool_classes_by_scheme
    pool.pool_classes_by_scheme = {
        scheme: type(
            kind.__name__, (kind,), {"ConnectionCls": _patient_kind(kind.ConnectionCls, meanwhile)}
        )
        for scheme, kind in kinds.items()
    }


def _patient_kind(kind: Any, meanwhile: Callable[[], object]) -> Any:
    from urllib3.util.wait import wait_for_read  # noqa: PLC0415 - as the library itself

    def getresponse(self: Any) -> Any:
        patience = float("inf") if self.timeout is None else float(self.timeout)
        until = time.monotonic() + patience
        while self.sock is not None and not wait_for_read(self.sock, timeout=SLICE):
            meanwhile()
            if time.monotonic() >= until:
                raise TimeoutError(f"no reply within {patience:.1f} s")
        return kind.getresponse(self)

    return type(kind.__name__, (kind,), {"getresponse": getresponse})
