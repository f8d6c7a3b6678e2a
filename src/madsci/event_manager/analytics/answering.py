"""Answering for the life of the lab: a report as a question that any process can answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from madsci.event_manager.analytics.asked import Asked
from madsci.event_manager.analytics.undisturbed import undisturbed
from madsci.event_manager.model.budget import Budget

if TYPE_CHECKING:
    from madsci.event_manager.analytics.documents import Source


@dataclass(frozen=True)
class ReportJob:
    """A report, as a question that any process can answer."""

    asked: Asked

    @property
    def narrowing(self) -> str:
        """What to ask instead where it takes too long."""
        return "Take a shorter time between start_time and end_time."

    def run(self, events: Source, budget: Budget) -> bytes:
        """Return the report, in its form.

        Raises:
            InvalidInputError: it would be too large.
            QueryTimeoutError: the budget is used up.
        """
        # NumPy, for a process that makes reports: the server beside it does without.
        from madsci.event_manager.analytics.documents import made  # noqa: PLC0415

        with undisturbed():
            return made(self.asked, events, budget)
