"""What somebody asks: a selector alone, or with an order, a limit, a cursor and fields around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final

from madsci.common.errors import InvalidInputError
from madsci.event_manager.export.projection import Fields, parse_fields
from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.json_reading import whole_number
from madsci.event_manager.model.operands import invalid
from madsci.event_manager.model.query import MAX_PAGE, Query, decode_cursor
from madsci.event_manager.model.selector import EVERYTHING, NOT_ARCHIVED, And, Selector
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sorting import Sort, parse_sort

_MEMBERS: Final = frozenset({"selector", "sort", "limit", "cursor", "fields", "include_archived"})


@dataclass(frozen=True)
class Question:
    """A question as it was sent. What is ``None`` was left open.

    ``since`` is when it had arrived, in seconds of ``time.monotonic``: its time runs from there.
    """

    selector: Selector = EVERYTHING
    sort: Sort | None = None
    limit: int | None = None
    cursor: str | None = None
    fields: Fields | None = None
    since: float | None = field(default=None, compare=False)

    def query(  # noqa: PLR0913 - what may stand in the URL instead of the question
        self,
        order: Sort,
        *,
        usual: int,
        most: int,
        number: int | None = None,
        offset: int = 0,
        cursor: str | None = None,
        fence: Position | None = None,
    ) -> Query:
        """Return it as one to a store; ``order`` and ``usual`` hold where order and limit are open.

        Raises:
            InvalidCursorError: its cursor, or ``cursor`` where it has none, is not one of this order.
        """
        sort = self.sort or order
        place = self.cursor or cursor
        after = None if place is None else decode_cursor(place, sort)
        limit = self.limit if number is None else number
        return Query(self.selector, min(limit or usual, most), offset, after, sort, fence=fence)


def read_question(document: object, naive_zone: tzinfo | None) -> Question:
    """Read a bare selector, or an object with a ``selector`` and what goes with it.

    No event has members with the names that go with it, so one is never taken for the other.

    Raises:
        InvalidInputError: a member cannot be used.
    """
    if not isinstance(document, Mapping) or not document or not _is_envelope(document):
        if isinstance(document, Mapping) and (misplaced := _MEMBERS.intersection(document)):
            member = min(misplaced)
            raise invalid(
                f'{member} goes beside the selector: {{"selector": {{...}}, "{member}": ...}}.', member
            )
        return Question(parse_selector(document, naive_zone))
    unknown = set(document) - _MEMBERS
    if unknown:
        raise _invalid(
            min(unknown), f"is none of the members of a question: {', '.join(sorted(_MEMBERS))}"
        )
    selector = parse_selector(document.get("selector", {}), naive_zone)
    if not _flag(document, "include_archived"):
        selector = And((selector, NOT_ARCHIVED))
    sort, fields = document.get("sort"), document.get("fields")
    return Question(
        selector,
        None if sort is None else parse_sort(sort),
        _limit(document.get("limit")),
        _cursor(document.get("cursor")),
        None if fields is None else parse_fields(fields),
    )


def _is_envelope(document: Mapping[str, Any]) -> bool:
    return "selector" in document or _MEMBERS.issuperset(document)


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, True)
    if not isinstance(value, bool):
        raise _invalid(name, f"is true or false, not {value!r:.40}")
    return value


def _limit(value: Any) -> int | None:
    if value is None:
        return None
    number = whole_number(value)
    if number is None:
        raise _invalid("limit", f"is a whole number from 0 on, not {value!r:.40}")
    return number or MAX_PAGE


def _cursor(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _invalid("cursor", f"is the text of an X-Next-Cursor header, not {value!r:.40}")


def _invalid(member: str, problem: str) -> InvalidInputError:
    return InvalidInputError(f"{member} {problem}.", [{"loc": ["body", member], "msg": problem}])
