"""Which names are names of secrets, among the data of events and in documents that are shown.

A name is judged by its words, so that ``db_password``, ``apiToken`` and ``X-Api-Key`` are secrets, and
``token_count`` and ``secretary`` are not. Words that are written together, as in ``PGPASSWORD`` and
``csrftoken``, are found by what they contain or end in.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORD: Final = re.compile(
    r".*(?:password(?!less)|passwd|passphrase).*"
    r"|.*(?:pwd|secret|credential)s?|.*(?:token|jwt|authorization)|(?:set)?cookies?"
    r"|.*(?:api|access|auth|private|secret|encryption|signing)key"
    r"|(?:php|j)sess(?:ion)?id"
)
_KEYS: Final = frozenset({"api", "access", "auth", "private", "encryption", "signing"})
"""What stands before the word ``key`` where that is a secret."""
_OWNER: Final = (
    "admin|api|app|auth|cert|db|default|email|ftp|git|http|imap|key|ldap|login|mail|mongo|my|mysql|pg|postgres|proxy"
    "|rabbit|redis|root|rsync|smtp|socks|sql|ssh|ssl|sudo|user|vnc|vpn|web|wifi"
)
"""What stands before ``pass`` where that is a password: filters are called low-pass, tools compass."""
_PASS: Final = re.compile(rf"(?:{_OWNER})pass")
_OWNERS: Final = frozenset(_OWNER.split("|"))
_TELLING_ENDS: Final = frozenset(
    {
        "at", "budget", "changed", "count", "counts", "enabled", "endpoint", "exists",
        "expiration", "expired", "expires", "expiry", "file", "id", "kind", "len", "length",
        "limit", "method", "name", "path", "policy", "present", "rate", "remaining", "required",
        "set", "size", "type", "uri", "url", "usage", "used", "valid",
    }
)  # fmt: skip
"""Last words of names that are about a secret and do not hold it."""


def is_secret_name(name: str) -> bool:
    """Tell whether what has this name is a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _TELLING_ENDS:
        return False
    return any(_SECRET_WORD.fullmatch(word) or _PASS.fullmatch(word) for word in words) or any(
        (second == "key" and first in _KEYS) or (second == "pass" and first in _OWNERS)
        for first, second in pairwise(words)
    )
