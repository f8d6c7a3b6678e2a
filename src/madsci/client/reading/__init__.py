"""Asking for events again, from the server or the local log. Logging never needs it."""
