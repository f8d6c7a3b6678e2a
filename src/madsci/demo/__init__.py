"""A simulated self-driving lab: events of days of work, and the truth about what happened.

Whoever computes something from events can see here whether it comes out right.
``python -m madsci.demo`` plays such a lab into an Event Manager.
"""
