"""Where events wait for the server: files that survive the process. Knows no HTTP and no sender.

This is the room's door: others use what is named here.
"""

from madsci.client.spool.contract import Backlog, RejectedEvent, SpooledEvent, SpoolStats
from madsci.client.spool.lane_writer import SpoolSettings
from madsci.client.spool.losses import losses_event
from madsci.client.spool.spool import LOOK_INTERVAL, NEVER, Spool

__all__ = [
    "LOOK_INTERVAL",
    "NEVER",
    "Backlog",
    "RejectedEvent",
    "Spool",
    "SpoolSettings",
    "SpoolStats",
    "SpooledEvent",
    "losses_event",
]
