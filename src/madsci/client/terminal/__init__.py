"""Watching events in a terminal: a program on the client's side, for servers on any machine.

This is the room's door; ``madsci.event_manager.tail`` is where people find it.
"""

from madsci.client.terminal.viewing import main

__all__ = ["main"]
