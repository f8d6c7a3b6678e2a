"""What others say of a failure, as it may be told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final
from urllib.parse import quote, unquote

from madsci.common.settings import REDACTED
from madsci.event_manager.alerts.mail import header_text

_SHORTEST_PIECE: Final = 4
"""Characters of a part of a URL that may be a secret: shorter ones are words such as ``v1`` and
``T0``."""
_BETWEEN_PIECES: Final = re.compile(r"[/:@?&=,;#\s]+")


class Quoting:
    """Makes lines of what others say, without secrets of ours that they repeat. Thread-safe.

    A secret is found as it is, as URLs, JSON and HTML write it, and in any letter case.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if form.strip()}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._secret = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        self._is_needed = bool(forms)

    def line(self, text: str) -> str:
        """Return a text as one line of a length that is read."""
        return header_text(self._secret.sub(REDACTED, text) if self._is_needed else text)


def pieces_of(url: str) -> Iterator[str]:
    """Return the parts of a URL after its scheme that may be secrets: services put tokens anywhere."""
    for piece in _BETWEEN_PIECES.split(url.partition("://")[2]):
        if len(piece) >= _SHORTEST_PIECE:
            yield piece


def _forms(secret: str) -> Iterator[str]:
    for form in (secret, unquote(secret)):
        yield form
        yield quote(form, safe="", errors="replace")
        yield json.dumps(form)[1:-1]
        yield json.dumps(form, ensure_ascii=False)[1:-1]
        yield escape(form)
