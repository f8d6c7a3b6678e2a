"""The members of an event: the one table of what each is called and holds.

Reading, flat rows, exports, data frames, selectors, orders, and the documents and columns of the stores
take their lists of members from here. What is left to say elsewhere is how a value is written.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Kind = Literal["text", "integer", "boolean", "instant", "object", "any"]
"""What a member holds. An ``instant`` is a text for everybody, and microseconds in the stores."""


class Member(NamedTuple):
    """A member; one that ``may_lack`` is null, or absent, where nothing is known."""

    name: str
    kind: Kind
    may_lack: bool = False

    @property
    def is_scalar(self) -> bool:
        """Whether it holds one value, and no members of its own."""
        return self.kind not in ("object", "any")


MEMBERS: Final = (
    Member("event_id", "text"),
    Member("event_timestamp", "instant"),
    Member("received_at", "instant"),
    Member("event_type", "text"),
    Member("log_level", "integer"),
    Member("alert", "boolean"),
    Member("archived", "boolean"),
    Member("archived_at", "instant", may_lack=True),
    Member("trace_id", "text", may_lack=True),
    Member("span_id", "text", may_lack=True),
    Member("source", "object"),
    Member("sender", "object", may_lack=True),
    Member("event_data", "any"),
    Member("extra", "object", may_lack=True),
)
"""In the order of the columns of a table. The id is called ``_id``, too."""

NAMES: Final = frozenset({"_id", *(member.name for member in MEMBERS)})
SCALARS: Final = tuple(member for member in MEMBERS if member.is_scalar)
OBJECTS: Final = tuple(member.name for member in MEMBERS if not member.is_scalar)
"""Those that hold members of their own."""
INSTANTS: Final = frozenset(member.name for member in MEMBERS if member.kind == "instant")
FLAGS: Final = frozenset(member.name for member in MEMBERS if member.kind == "boolean")
