"""How the server is: looked at from a thread of its own, told by ``/health`` and the log."""
