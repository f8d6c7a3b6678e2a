"""The client of the Event Manager: `EventClient` logs events locally and brings them to the server.

Importing this package costs nothing; `EventClient` is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madsci.client.event_client import EventClient

__all__ = ["EventClient"]


def __getattr__(name: str) -> Any:
    if name != "EventClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from madsci.client.event_client import EventClient  # noqa: PLC0415 - loaded on demand

    return EventClient
