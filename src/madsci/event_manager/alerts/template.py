"""JSON with places for what an alert says. Texts are replaced, never JSON, which nothing can end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from madsci.common.errors import SettingsError
from madsci.common.nearest import did_you_mean

_PATH: Final = r"[a-z_]+(?:\.[A-Za-z0-9_]+)*"
_PLACE: Final = re.compile(rf"\$(?:(\$)|({_PATH})|\{{({_PATH})\}})")
NAMES: Final = (
    "title", "text", "severity", "key", "event_id", "type", "timestamp", "alert", "event", "names",
    "links",
)  # fmt: skip
"""What a place may begin with."""
_DEPTH: Final = 20


class Template:
    """A document with places such as ``$title`` and ``${alert.rule}``; ``$$`` is a dollar."""

    def __init__(self, document: Any, of: str) -> None:
        """Raises ``SettingsError``: a place names nothing that alerts have; ``of`` says whose it is."""
        self._document = document
        _each_text(document, lambda text: _checked(text, of))

    def filled(self, values: Mapping[str, Any]) -> Any:
        """Return the document with the values in their places; what there is not is an empty text."""
        return _each_text(document=self._document, change=lambda text: _filled(text, values))


def _each_text(document: Any, change: Callable[[str], Any], depth: int = 0) -> Any:
    if depth > _DEPTH:
        raise SettingsError("A template of a webhook is nested too deeply.")
    if isinstance(document, str):
        return change(document)
    if isinstance(document, Mapping):
        return {name: _each_text(value, change, depth + 1) for name, value in document.items()}
    if isinstance(document, list):
        return [_each_text(value, change, depth + 1) for value in document]
    return document


def _checked(text: str, of: str) -> str:
    for place in _PLACE.finditer(text):
        name = (place[2] or place[3] or NAMES[0]).partition(".")[0]
        if name not in NAMES:
            raise SettingsError(
                f"The template of {of} has ${name}, which alerts do not have."
                f"{did_you_mean(name, NAMES)} There are: {', '.join(NAMES)}; $$ is a dollar."
            )
    return text


def _filled(text: str, values: Mapping[str, Any]) -> Any:
    whole = _PLACE.fullmatch(text)
    if whole is not None and not whole[1]:
        value = _value(whole[2] or whole[3], values)
        return "" if value is None else value  # by itself, it is what it is: a number, an object
    return _PLACE.sub(
        lambda place: "$" if place[1] else _as_text(_value(place[2] or place[3], values)), text
    )


def _value(path: str, values: Mapping[str, Any]) -> Any:
    value: Any = values
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)
