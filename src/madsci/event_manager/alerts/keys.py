"""The key of a message, as headers may have it."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 120
"""Characters: a header with it stays far below the 998 of a line of mail, and shows in logs."""


def header_key(key: str) -> str:
    """Return a key as ASCII that no header takes for more than one word; others keys give other ones.

    Letters, digits, ``_``, ``-`` and ``~`` stay; the rest is written as in URLs, full stops included:
    they part what Standard Webhooks sign. A key that is long then is its SHA-256. So it is an atom of
    RFC 5322.
    """
    plain = quote(key, safe="", errors="surrogatepass").replace(".", "%2E")
    if 0 < len(plain) <= _LONGEST:
        return plain
    return "sha256-" + hashlib.sha256(plain.encode()).hexdigest()
