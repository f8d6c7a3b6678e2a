"""Which events a question is about, as a request body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from madsci.common.jsonable import to_jsonable

Sort = str | Mapping[str, int] | Sequence[str | Mapping[str, int]]
"""A path, with ``-`` in front for descending; or ``{path: 1 or -1}``; or several of these."""
Fields = str | Sequence[str] | Mapping[str, int]
"""Paths that are wanted, in a list or a text; or ``{path: 1}``; or with ``{path: 0}`` all but these."""


@dataclass(frozen=True)
class Selection:
    """A MongoDB-style selector (none for all events), the order, and which members are wanted."""

    selector: Mapping[str, Any] | None = None
    sort: Sort | None = None
    include_archived: bool = True
    fields: Fields | None = None

    def body(self) -> bytes:
        """Return it as JSON: the bare selector where that says all, as older servers know no more."""
        selector = {} if self.selector is None else self.selector
        rest = {
            "sort": self.sort,
            "fields": (as_list(self.fields) if isinstance(self.fields, str) else self.fields) or None,
            "include_archived": None if self.include_archived else False,
        }
        asked = {name: value for name, value in rest.items() if value is not None}
        return msgspec.json.encode(to_jsonable({"selector": selector, **asked} if asked else selector))


def as_list(names: str | Sequence[str]) -> list[str]:
    """Return names as a list; they may come as a text, with commas between them."""
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
