"""Keeping secrets out of events: the values of data whose names look like secrets are masked.

A name is judged by its words, so that ``db_password``, ``apiToken`` and ``X-Api-Key`` are secrets, and
``token_count`` and ``secretary`` are not. What is masked is the whole value; ``None`` and booleans
tell nothing and stay. Texts are not searched: a password inside a message is the program's to mind.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Final

from madsci.client.writing.arguments import LIFTED
from madsci.common.settings import REDACTED

MAX_NAMES: Final = 10_000
"""Harmless names that are remembered: programs have hundreds, and may make some up forever."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORDS: Final = frozenset(
    {
        "password", "passwords", "passwd", "pwd", "passphrase", "secret", "secrets", "token",
        "jwt", "apikey", "apitoken", "accesstoken", "authtoken", "secretkey", "accesskey",
        "privatekey", "authorization", "credential", "credentials", "cookie",
    }
)  # fmt: skip
_SECRET_PAIRS: Final = frozenset({("api", "key"), ("access", "key"), ("private", "key")})
_TELLING_ENDS: Final = frozenset(
    {
        "at", "budget", "changed", "count", "counts", "enabled", "endpoint", "exists",
        "expiration", "expired", "expires", "expiry", "file", "id", "kind", "len", "length",
        "limit", "method", "name", "path", "policy", "present", "rate", "remaining", "required",
        "set", "size", "type", "uri", "url", "usage", "used", "valid",
    }
)  # fmt: skip
"""Last words of names that are about a secret and do not hold it."""


class Redaction:
    """Knows which names of data are secret: by the words in them, or by patterns of the lab's own.

    Patterns are whole names in any letter case, with ``*`` for any characters.
    """

    def __init__(self, patterns: Iterable[str] = (), *, enabled: bool = True) -> None:
        self._patterns = tuple(pattern.lower() for pattern in patterns)
        self._is_enabled = enabled
        self.plain_names: set[str] = set()
        """Names known to be plain data, neither secret nor lifted: log calls with only such names
        need no second look."""

    def are_plain(self, names: Iterable[str]) -> bool:
        """Judge names that are new, and tell whether all are plain data."""
        return all(name not in LIFTED and self._is_plain(name) for name in names)

    def is_secret(self, name: str) -> bool:
        """Tell whether a datum of this name is masked."""
        if not self._is_enabled:
            return False
        lowered = name.lower()
        if any(fnmatchcase(lowered, pattern) for pattern in self._patterns):
            return True
        words = [word.lower() for word in _WORD.findall(name)]
        if not words or words[-1] in _TELLING_ENDS:
            return False
        return not _SECRET_WORDS.isdisjoint(words) or any(
            pair in _SECRET_PAIRS for pair in pairwise(words)
        )

    def mask_members(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data with the secrets among them masked; what they contain is not looked at."""
        return {name: self._mask_member(name, value) for name, value in data.items()}

    def mask_tree(self, value: Any) -> Any:
        """Mask the secrets anywhere in plain JSON data, in place, and return the data."""
        if type(value) is dict:
            for name, member in value.items():
                value[name] = self._mask_member(name, member)
                if value[name] is member:
                    self.mask_tree(member)
        elif type(value) is list:
            for item in value:
                if type(item) is dict or type(item) is list:
                    self.mask_tree(item)
        return value

    def _mask_member(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool) or name in LIFTED or self._is_plain(name):
            return value
        return REDACTED

    def _is_plain(self, name: str) -> bool:
        if name in self.plain_names:
            return True
        if self.is_secret(name):
            return False
        if len(self.plain_names) >= MAX_NAMES:
            self.plain_names.clear()
        self.plain_names.add(name)
        return True


@functools.lru_cache(maxsize=64)
def shared_redaction(patterns: tuple[str, ...], *, enabled: bool) -> Redaction:
    """Return the redaction of these settings, which remembers names for all clients that have them."""
    return Redaction(patterns, enabled=enabled)
