"""Texts and JSON in as much room as there is: what is cut says so."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from madsci.common.stderr import visible
from madsci.event_manager.model.stored_event import json_size

_MAX_MEMBERS: Final = 100
"""Members of one object, and items of one list, that are kept where not all of it is."""
_LONGEST_NAME: Final = 100
"""Characters of the name of such a member."""
_DEEPEST: Final = 4
"""Levels that are looked into where not all is kept: an event, its data, and two of what these hold."""
_ELLIPSIS: Final = "…"


def cut(text: str, most: int) -> str:
    """Return the beginning of a text, at most so many characters."""
    return text if len(text) <= most else f"{text[: max(most - 1, 0)]}{_ELLIPSIS}"


def one_line(text: str, most: int) -> str:
    """Return a text as one line without anything that is not seen, at most so many characters."""
    # Each character that is seen may come of many that are not.
    return cut(visible(" ".join(text[: 20 * most].split())), most)


def lines_of(text: str, most: int) -> str:
    """Return the beginning of a text with its lines, without anything else that is not seen."""
    return cut(visible(cut(text, most).strip("\r\n").replace("\r\n", "\n"), has_lines=True), most)


def last_lines(text: str, most: int) -> str:
    """Return the last lines of a text that are not more characters together; one line at least."""
    text = text.rstrip()
    if len(text) <= most:
        return lines_of(text, most)
    tail = text[-most:].partition("\n")[2].lstrip("\r\n")
    if not tail:  # the last line alone is longer
        return lines_of(text[text.rfind("\n") + 1 :], most)
    number = text.count("\n", 0, len(text) - len(tail))
    return f"[cut {number} line{'s' * (number > 1)} before]\n{lines_of(tail, most)}"


def shortened(value: Any, most: int, depth: int = 0) -> Any:
    """Return a decoded JSON value in about so many bytes of JSON.

    Members that are small stay as they are, and the large ones share what is left. Where something is
    cut, a text stands that begins with ``[cut``; of texts it holds the beginning and the end.
    """
    size = json_size(value)
    if size <= most:
        return value
    if isinstance(value, str):
        return _short_text(value, most)
    if isinstance(value, dict) and depth < _DEEPEST:
        return _short_object(value, most, depth + 1)
    if isinstance(value, list) and depth < _DEEPEST:
        return _short_list(value, most)
    return f"[cut: {size} bytes of JSON]"


def _short_text(text: str, most: int) -> str:
    said = f"[cut from {len(text)} characters] "
    half = (most - len(said)) // 2
    while half > 0:
        short = f"{said}{text[:half]} {_ELLIPSIS} {text[-half:]}"
        if json_size(short) <= most:
            return short
        half = half * 3 // 4
    return said.rstrip()


def _short_object(value: dict[str, Any], most: int, depth: int) -> dict[str, Any]:
    kept = {
        name: one for name, one in islice(value.items(), _MAX_MEMBERS) if len(name) <= _LONGEST_NAME
    }
    left = most - sum(json_size(name) + 2 for name in kept)
    sizes = sorted((json_size(one), name) for name, one in kept.items())
    for waiting, (_, name) in zip(range(len(sizes), 0, -1), sizes, strict=True):
        kept[name] = shortened(kept[name], max(left, 0) // waiting, depth)
        left -= json_size(kept[name])
    if len(kept) < len(value):
        kept["[cut]"] = f"{len(value) - len(kept)} of {len(value)} members"
    return kept


def _short_list(value: list[Any], most: int) -> list[Any]:
    kept: list[Any] = []
    most -= json_size(f"[cut: {len(value)} more items]") + 2
    for item in islice(value, _MAX_MEMBERS):
        most -= json_size(item) + 1
        if most < 0:
            break
        kept.append(item)
    return [*kept, f"[cut: {len(value) - len(kept)} more items]"]
