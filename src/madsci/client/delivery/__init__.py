"""Bringing what waits in a spool to the server: the sending thread, and HTTP.

This is the room's door: others use what is named here, and ``delivery.http`` where there is a server,
which loads the HTTP library.
"""

from madsci.client.delivery.access import ServerAccess, server_access
from madsci.client.delivery.ending import adopt_with
from madsci.client.delivery.replies import Reply, StreamedReply
from madsci.client.delivery.retry import MAX_BACKOFF, Backoff, is_temporary, parse_retry_after
from madsci.client.delivery.sender import Sender, SenderSettings, SenderStats, senders
from madsci.client.delivery.transport import Rejection, SendReport, Transport
from madsci.client.delivery.underway import Underway

__all__ = [
    "MAX_BACKOFF",
    "Backoff",
    "Rejection",
    "Reply",
    "SendReport",
    "Sender",
    "SenderSettings",
    "SenderStats",
    "ServerAccess",
    "StreamedReply",
    "Transport",
    "Underway",
    "adopt_with",
    "is_temporary",
    "parse_retry_after",
    "senders",
    "server_access",
]
