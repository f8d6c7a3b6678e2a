"""The parameters and bodies of questions, made of what a program says. What cannot be meant is refused.

Whatever is wrong is said before a request goes out: a question that a server would misunderstand gets
no answer rather than an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from os import PathLike, fspath
from typing import Any, Final

import msgspec

from madsci.client.reading.argument_types import Fields, Moment, Sort
from madsci.client.reading.selector_json import id_text, instant_text, selector_json
from madsci.common.asked_time import is_relative, read_asked_time
from madsci.common.flattening import split_names
from madsci.common.jsonable import to_jsonable
from madsci.common.types.log_level import level_filter

_IN_WORDS: Final = re.compile(r"\s(asc|desc|ascending|descending)\s*$", re.IGNORECASE)

_PRESENT: Final = "now"


def question_body(
    selector: Mapping[str, Any] | None,
    sort: Sort | None = None,
    fields: Fields | None = None,
    *,
    include_archived: bool = True,
) -> bytes:
    """Return a question as JSON: the bare selector where that says all, as older servers know no more.

    Raises:
        TypeError, ValueError: something in it cannot be meant; names its place.
    """
    wanted = {} if selector is None else selector_json(selector)
    rest = {
        "sort": None if sort is None else _sort_json(sort),
        "fields": _fields_json(fields) or None,
        "include_archived": None if include_archived else False,
    }
    asked = {name: value for name, value in rest.items() if value is not None}
    return msgspec.json.encode({"selector": wanted, **asked} if asked else wanted)


def events_params(
    level: object, offset: int, start_time: Moment | None, end_time: Moment | None, *, archived: bool
) -> dict[str, Any]:
    """Return the parameters of ``GET /events``; what is not asked for does not appear.

    Raises:
        ValueError: a time, a level or the offset cannot be read.
    """
    params: dict[str, Any] = {}
    threshold = level_filter(level)
    if threshold is not None:
        params["level"] = threshold
    if checked_number(offset, "offset"):
        params["offset"] = offset
    params.update(span_params(start_time, end_time))
    if archived:
        params["include_archived"] = "true"
    return params


def span_params(start_time: Moment | None, end_time: Moment | None) -> dict[str, str]:
    """Return the parameters of a span of time, without the bounds that it does not have.

    Raises:
        ValueError: a time cannot be read.
    """
    bounds = {"start_time": start_time, "end_time": end_time}
    return {name: instant_text(moment, name) for name, moment in bounds.items() if moment is not None}


def report_span_params(start_time: Moment | None, end_time: Moment | None) -> dict[str, str]:
    """Return the parameters of the time that a report is about; days and relative times as they are.

    The server reads them: by the clocks of which periods are made, and up to now where that is meant.

    Raises:
        ValueError: a time cannot be read.
    """
    bounds = {"start_time": start_time, "end_time": end_time}
    return {name: _as_said(moment, name) for name, moment in bounds.items() if moment is not None}


def _as_said(moment: Moment, name: str) -> str:
    instant = instant_text(moment, name)
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return moment.isoformat()
    if isinstance(moment, str):
        span = read_asked_time(moment)
        if is_relative(moment) or span.first != span.last:
            return moment.strip()
    return instant


def report_params(
    start_time: Moment | None,
    end_time: Moment | None,
    output_path: str | PathLike[str] | None,
    *,
    csv_export: bool,
    save_to_file: bool,
) -> dict[str, str]:
    """Return the parameters that all reports about utilization have.

    Raises:
        TypeError: the folder is no path.
        ValueError: a time cannot be read, or a file has no folder to be in.
    """
    params = report_span_params(start_time, end_time)
    if csv_export:
        params["csv_format"] = "true"
    if save_to_file:
        if not output_path:
            raise ValueError(
                "save_to_file needs output_path: a folder on the server, which writes the file."
            )
        params["save_to_file"] = "true"
        params["output_path"] = fspath(output_path)
    return params


def live_params(level: object, *, archived: bool) -> dict[str, str | int]:
    """Return the parameters of a live stream, but for where it begins.

    Raises:
        ValueError: the level cannot be read.
    """
    threshold = level_filter(level)
    params: dict[str, str | int] = {} if threshold is None else {"level": threshold}
    return {**params, "include_archived": "true" if archived else "false"}


def since_text(since: Moment | None) -> str | None:
    """Return where a live stream begins: a time in canonical form, any other text as it is.

    So a day is that of this machine's zone, wherever the server is. What is no time, such as a
    position, the server reads.

    Raises:
        TypeError, ValueError: it is neither text nor a time.
    """
    if since is None:
        return None
    if not isinstance(since, str):
        return instant_text(since, "since")
    text = since.strip()
    if not text:
        raise ValueError("since is empty. Give a time, last:100, start, now, or a position.")
    if text.lower() == _PRESENT:  # the end of the feed, whatever clocks say
        return _PRESENT
    try:
        return instant_text(text, "since")
    except ValueError:
        return text


def archive_body(
    before_date: Moment | None,
    event_ids: Collection[Any] | None,
    selector: Mapping[str, Any] | None,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """Return what ``POST /events/archive`` is sent; raises what ``question_body`` raises."""
    wanted: dict[str, Any] = {}
    if event_ids is not None:
        listed = [event_ids] if isinstance(event_ids, str) else event_ids
        wanted["event_ids"] = [id_text(one, "event_ids") for one in listed]
    if before_date is not None:
        wanted["before_date"] = instant_text(before_date, "before_date")
    if selector is not None:
        wanted["selector"] = selector_json(selector)
    if dry_run:
        wanted["dry_run"] = True
    return wanted


def checked_number(number: int, name: str = "number") -> int:
    """Return a whole number from 0 on.

    Raises:
        ValueError: it is none.
    """
    given: object = number
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ValueError(f"{name} is a whole number from 0 on, not {given!r:.80}.")
    return given


def _sort_json(sort: Any) -> Any:
    for key in sort if isinstance(sort, (list, tuple)) and not _is_pair(sort) else [sort]:
        pairs: Any = key.items() if isinstance(key, Mapping) else [key if _is_pair(key) else (key, 1)]
        for path, direction in pairs:
            is_path = isinstance(path, str) and path.strip("+- ") and not _IN_WORDS.search(path)
            if not is_path or isinstance(direction, bool) or direction not in (1, -1):
                raise ValueError(
                    f"sort: {key!r:.80} is no order. Give a path, with - in front for descending; or"
                    " {path: 1 or -1}; or a list of these."
                )
    return to_jsonable(sort)


def _is_pair(key: Any) -> bool:
    return isinstance(key, (list, tuple)) and len(key) == 2 and isinstance(key[1], (int, float))  # noqa: PLR2004


def _fields_json(fields: Any) -> Any:
    if fields is None or isinstance(fields, str):
        return split_names(fields or "")
    if isinstance(fields, Collection) and not isinstance(fields, (bytes, bytearray)):
        flags = dict(fields) if isinstance(fields, Mapping) else dict.fromkeys(fields, 1)
        if all(isinstance(name, str) and flag in (0, 1) for name, flag in flags.items()):
            return to_jsonable(flags) if isinstance(fields, Mapping) else list(flags)
    raise ValueError(
        f"fields: {fields!r:.200} is no choice. Give paths in a list, or {{path: 0}} for all but these."
    )
