"""What a context of events is: a client, names and data. It knows no client, and clients know it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Generic

from typing_extensions import TypeVar

HIERARCHY: Final = "hierarchy"
"""The datum of an event that says in which contexts it was logged: their names joined by dots."""

ClientType = TypeVar("ClientType", default=Any)


@dataclass
class EventClientContext(Generic[ClientType]):
    """A client, the names of the contexts around it from the outermost, and the data it adds."""

    client: ClientType
    hierarchy: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The names joined by dots."""
        return ".".join(self.hierarchy) or "madsci"

    def child(
        self, /, name: str, client: ClientType | None = None, **metadata: Any
    ) -> EventClientContext[ClientType]:
        """Return this context extended by a name and data, of which the client gets the new data only.

        A client that is given is taken as it is.
        """
        if client is None:
            client = self._bound(metadata) if metadata else self.client
        return EventClientContext(client, [*self.hierarchy, name], {**self.metadata, **metadata})

    def entered(self, name: str, metadata: Mapping[str, Any]) -> EventClientContext[ClientType]:
        """Return the context below, whose client tells the hierarchy, too. Data may have any names."""
        hierarchy = [*self.hierarchy, name]
        client = self._bound({HIERARCHY: ".".join(hierarchy), **metadata})
        return EventClientContext(client, hierarchy, {**self.metadata, **metadata})

    def _bound(self, data: Mapping[str, Any]) -> ClientType:
        client: Any = self.client
        bound: ClientType = client.bind(**data)
        return bound


current_event_context: Final[ContextVar[EventClientContext[Any] | None]] = ContextVar(
    "madsci_event_client", default=None
)
"""The innermost context of here and now. Only this package sets it."""
