"""What somebody wants archived: events by their ids, before a date, or by a selector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from madsci.common.asked_time import read_asked_time
from madsci.common.errors import InvalidInputError
from madsci.event_manager.model.json_reading import whole_number
from madsci.event_manager.model.selector import And, Selector
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.retention.policy import before

_MEMBERS: Final = frozenset({"event_ids", "before_date", "selector", "batch_size", "dry_run"})


@dataclass(frozen=True)
class ArchiveRequest:
    """Which events, by ``event_ids`` or by ``selector``; one of them is given."""

    event_ids: list[str] | None
    selector: Selector | None
    batch_size: int | None
    dry_run: bool


def read_archive_request(document: object, naive_zone: tzinfo | None) -> ArchiveRequest:
    """Read a request as it was sent. Ids go before a date; a date and a selector hold both.

    Members that it does not have are refused: an unread ``dry_run`` would be a run.

    Raises:
        InvalidInputError: it says nothing of which events, or a member cannot be used.
    """
    if not isinstance(document, Mapping):
        raise _invalid("", f"A request to archive is a JSON object, not {document!r:.40}")
    unknown = set(document) - _MEMBERS
    if unknown:
        raise _invalid(min(unknown), f"it is none of {', '.join(sorted(_MEMBERS))}")
    ids = _ids(document.get("event_ids"))
    selector = _selector(document, naive_zone)
    if ids and document.get("selector") is not None:
        raise _invalid("event_ids", "give ids or a selector, not both")
    if not ids and selector is None:
        raise _invalid(
            "", "Either event_ids or before_date must be provided, or a selector of the events"
        )
    size = document.get("batch_size")
    batch_size = None if size is None else whole_number(size)
    if batch_size is None and size is not None:
        raise _invalid("batch_size", f"it is a whole number from 0 on, not {size!r:.40}")
    dry_run = document.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise _invalid("dry_run", f"it is true or false, not {dry_run!r:.40}")
    return ArchiveRequest(ids or None, None if ids else selector, batch_size or None, dry_run)


def _ids(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _invalid("event_ids", f"it is a list of texts, not {value!r:.40}")
    return list(dict.fromkeys(value))


def _selector(document: Mapping[str, Any], naive_zone: tzinfo | None) -> Selector | None:
    parts: list[Selector] = []
    date = document.get("before_date")
    if date is not None:
        try:
            parts.append(before(read_asked_time(date, naive_zone).first))
        except ValueError as error:
            raise _invalid("before_date", str(error)) from error
    if document.get("selector") is not None:
        parts.append(parse_selector(document["selector"], naive_zone))
    return And(tuple(parts)) if parts else None


def _invalid(member: str, problem: str) -> InvalidInputError:
    place = ["body", member] if member else ["body"]
    sentence = f"{member}: {problem}." if member else f"{problem}."
    return InvalidInputError(sentence, [{"loc": place, "msg": problem}])
