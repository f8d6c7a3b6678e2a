"""Context of a program's run: which part of an experiment logs here, and where the servers are."""

from madsci.common.context.carrying import carry_context, context_thread
from madsci.common.context.client import (
    event_client_context,
    get_event_client,
    get_event_client_context,
    has_event_client_context,
)
from madsci.common.context.decorators import event_client_class, with_event_client
from madsci.common.context.event_context import EventClientContext
from madsci.common.context.servers import (
    GlobalMadsciContext,
    get_current_madsci_context,
    has_madsci_context,
    madsci_context,
    madsci_context_class,
    set_current_madsci_context,
    with_madsci_context,
)
from madsci.common.types.context_types import MadsciContext

__all__ = [
    "EventClientContext",
    "GlobalMadsciContext",
    "MadsciContext",
    "carry_context",
    "context_thread",
    "event_client_class",
    "event_client_context",
    "get_current_madsci_context",
    "get_event_client",
    "get_event_client_context",
    "has_event_client_context",
    "has_madsci_context",
    "madsci_context",
    "madsci_context_class",
    "set_current_madsci_context",
    "with_event_client",
    "with_madsci_context",
]
