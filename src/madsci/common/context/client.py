"""The client of here: which one logs in this part of a run, under which name, with which data.

This module alone in ``madsci.common`` knows the client, and imports it only when one has to be made:
programs ask ``madsci.common`` for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from madsci.common.calling import caller_name
from madsci.common.context.event_context import EventClientContext, current_event_context
from madsci.common.context.servers import get_current_madsci_context
from madsci.common.context.wrapping import Opened, opened
from madsci.common.errors import SettingsError

if TYPE_CHECKING:
    from madsci.client.event_client import EventClient

MAX_CACHED_CLIENTS: Final = 64
"""Clients kept for calls of ``get_event_client`` outside of contexts, one for each name."""


def event_client_context(
    name: str | None = None,
    client: EventClient | None = None,
    inherit: bool = True,  # noqa: FBT001, FBT002 - given by position in existing programs
    **metadata: Any,
) -> AbstractContextManager[EventClient]:
    """Let what is logged inside the block carry these data and this name; yields the client for it.

    Inside another context its client goes on, with these data over its own. Otherwise, and with
    ``inherit=False``, a new client is made, and closed at the end of the block: what it has not
    delivered by then is delivered behind the program's back, which does not wait. A ``client`` that is
    given begins a hierarchy of its own and is left open.

    The name is the calling module's if none is given.
    """
    return _entered(name, name or caller_name(), client, inherit, metadata)


@contextmanager
def _entered(
    given_name: str | None,
    name: str,
    client: EventClient | None,
    inherit: bool,  # noqa: FBT001
    metadata: dict[str, Any],
) -> Iterator[EventClient]:
    if client is not None:
        bound = client.bind(**metadata) if metadata else client
        hierarchy = [given_name] if given_name else []
        context = Opened(
            current_event_context,
            EventClientContext(bound, hierarchy, metadata),
            lambda: bound,
        )
    else:
        outer = current_event_context.get() if inherit else None
        if outer is not None and given_name is None:
            name = name.rpartition(".")[2]
        context = open_context(name, metadata, outer, make_client)
    with opened(context) as current:
        yield current


def open_context(
    name: str,
    metadata: Mapping[str, Any],
    outer: EventClientContext[EventClient] | None,
    make: Callable[[str], tuple[EventClient, Callable[[], object] | None]],
) -> Opened:
    """Return the context below ``outer``, or a root one whose client and its end ``make`` knows."""
    if outer is not None:
        context, end = outer.entered(name, metadata), None
    else:
        client, end = make(name)
        context = EventClientContext(client).entered(name, metadata)
    return Opened(current_event_context, context, lambda: context.client, end)


def make_client(name: str) -> tuple[EventClient, Callable[[], object] | None]:
    """Return a new client, and what closes it without waiting for the server."""
    client = _new_client(name)
    return client, lambda: client.close(timeout=0.0)


def cached_client(name: str) -> tuple[EventClient, None]:
    """Return the process's client of this name, which stays open."""
    try:
        server = get_current_madsci_context().event_server_url
    except SettingsError:  # of which the client itself tells when it is made
        server = None
    return _cached_client(name, server), None


def get_event_client(
    name: str | None = None,
    create_if_missing: bool = True,  # noqa: FBT001, FBT002 - given by position in existing programs
    **data: Any,
) -> EventClient:
    """Return the client of the current context, which adds these data to what it logs.

    Outside of contexts it is the process's client of this name, or of the calling module's.

    Raises:
        RuntimeError: there is no context, and ``create_if_missing`` is false.
    """
    context = current_event_context.get()
    if context is not None:
        client: EventClient = context.client
    elif create_if_missing:
        client, _ = cached_client(name or caller_name())
    else:
        raise RuntimeError(
            "There is no event client here. Wrap the code in `with event_client_context():`, or call"
            " get_event_client() with create_if_missing=True."
        )
    return client.bind(**data) if data else client


def get_event_client_context() -> EventClientContext[EventClient] | None:
    """Return the innermost context, or ``None``."""
    return current_event_context.get()


def has_event_client_context() -> bool:
    """Tell whether this runs inside a context."""
    return current_event_context.get() is not None


def _new_client(name: str) -> EventClient:
    from madsci.client.event_client import EventClient  # noqa: PLC0415 - see above

    return EventClient(name=name)


@functools.lru_cache(maxsize=MAX_CACHED_CLIENTS)
def _cached_client(name: str, _server: str | None) -> EventClient:
    return _new_client(name)
