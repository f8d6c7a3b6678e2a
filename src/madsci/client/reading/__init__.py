"""Asking for events again, from the server or the local log. Logging never needs it.

What an ``EventClient`` can be asked is here; how it is asked and answered is loaded with the first
question.
"""

from madsci.client.reading.administration import Administration
from madsci.client.reading.questions import Questions
from madsci.client.reading.reports import Reports
from madsci.client.reading.watching import Watching

__all__ = ["Administration", "Questions", "Reports", "Watching"]
