"""Bringing what waits in a spool to the server: the sending thread, and HTTP."""
