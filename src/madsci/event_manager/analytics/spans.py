"""A stretch of time, as everything about the life of a lab says it."""

from __future__ import annotations

from typing import Final

Span = tuple[int, int]
"""From an instant on, up to another one that is not in it; microseconds since 1970."""
HOUR: Final = 3_600_000_000
"""Microseconds."""
