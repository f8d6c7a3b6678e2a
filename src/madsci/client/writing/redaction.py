"""Keeping secrets out of events: the values of data whose names look like secrets are masked.

Names are judged by their words, see ``common.secret_names``. What is masked is the whole value;
``None`` and booleans tell nothing and stay. Texts are not searched: a password inside a message is the
program's to mind.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from madsci.client.writing.arguments import KEYWORDS
from madsci.common.secret_names import is_secret_name
from madsci.common.settings import REDACTED

MAX_NAMES: Final = 10_000
"""Harmless names that are remembered: programs have hundreds, and may make some up forever."""


class Redaction:
    """Knows which names of data are secret: by the words in them, or by patterns of the lab's own.

    Patterns are whole names in any letter case, with ``*`` for any characters.
    """

    def __init__(self, patterns: Iterable[str] = (), *, enabled: bool = True) -> None:
        self._patterns = tuple(pattern.lower() for pattern in patterns)
        self._is_enabled = enabled
        self.plain_names: set[str] = set()
        """Names known to be plain data, neither secret nor keywords: log calls with only such names
        need no second look."""

    def are_plain(self, names: Iterable[str]) -> bool:
        """Judge names that are new, and tell whether all are plain data."""
        return all(name not in KEYWORDS and self._is_plain(name) for name in names)

    def is_secret(self, name: str) -> bool:
        """Tell whether a datum of this name is masked."""
        if not self._is_enabled:
            return False
        lowered = name.lower()
        if any(fnmatchcase(lowered, pattern) for pattern in self._patterns):
            return True
        return is_secret_name(name)

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
        if value is None or type(value) is bool or name in KEYWORDS or self._is_plain(name):
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
