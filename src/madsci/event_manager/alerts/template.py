"""Bodies of webhooks by a template: JSON, in whose strings words stand for what the message says.

Only strings of the decoded template are replaced, and each stays one string: whatever an event holds,
it cannot add a member, end a text or change a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from madsci.common.errors import DeliveryError, SettingsError
from madsci.common.nearest import did_you_mean
from madsci.event_manager.alerts.channel import Message

WORDS: Final = ("title", "text", "severity", "event_id", "key")
"""What a template may name without a dot."""
WHOLE: Final = "document"
"""The document itself, and before a path its members: ``$document.count``."""
LONGEST_VALUE: Final = 20_000
"""Characters that stand for one word: more than any service shows."""
_LONGEST: Final = 64_000
"""Characters of a template: cards of chat services have a few thousand."""
_LONGEST_FILLED: Final = 1_000_000
"""Characters of all that is put in: larger requests are refused nearly everywhere."""
_DEEPEST: Final = 50
"""Levels of a template: cards of chat services have ten."""
_LOOKED_AT: Final = 200
"""Names among which the nearest is sought: more than people give, and data can have a million."""

_PLACE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<braced>[^{}]{0,500})\}|(?P<plain>[a-z_]\w*(?:\.\w+)*))",
    re.ASCII | re.IGNORECASE,
)


class Template:
    """A template that was read once and is filled for each message. Thread-safe.

    ``$title``, ``$text``, ``$severity`` (the number of the level), ``$event_id`` and ``$key`` are those
    of the message. What has a dot is a path into its document: ``$event.source.node_id``,
    ``$events.0.message``, ``$document.count`` for a member of the document itself. Braces part a word
    from what follows, and let names have any characters: ``${title}s``. ``$$`` is a dollar, and so is
    one before anything else. Objects and lists appear as JSON, ``null`` as nothing.
    """

    def __init__(self, name: str, template: str | Mapping[str, Any]) -> None:
        """``name`` is the webhook's, for messages; ``template`` is JSON as text, or decoded.

        Raises:
            SettingsError: it is no JSON, or names what there is not.
        """
        self._name = name
        self._template = self._decoded(template)
        self._check(self._template, 0)

    def filled(self, message: Message) -> Any:
        """Return the template with what a message says, as decoded JSON.

        Raises:
            DeliveryError: the document of the message has no such path, or too much would be put in.
        """
        return _Filling(self._name, message).of(self._template)

    def _decoded(self, template: str | Mapping[str, Any]) -> Any:
        if isinstance(template, str) and len(template) > _LONGEST:
            raise self._too_long(template)
        try:
            value = json.loads(template) if isinstance(template, str) else template
            text = json.dumps(value, allow_nan=False)  # NaN and 1e999 can be read, and are no JSON
        except (ValueError, TypeError, RecursionError) as error:
            raise self._wrong(
                f"is no JSON ({error}).", 'Write an object such as {"text": "$title"}.'
            ) from None
        if len(text) > _LONGEST:
            raise self._too_long(text)
        return json.loads(text)  # a copy, with names of texts and lists for tuples

    def _check(self, value: Any, depth: int) -> None:
        if depth > _DEEPEST:
            raise self._wrong(f"has more than {_DEEPEST} levels.", "Flatten it.")
        if isinstance(value, dict):
            for member in value.values():
                self._check(member, depth + 1)
        elif isinstance(value, list):
            for member in value:
                self._check(member, depth + 1)
        elif isinstance(value, str):
            for place in _PLACE.finditer(value):
                self._check_place(place)

    def _check_place(self, place: re.Match[str]) -> None:
        path = _path(place)
        if path is None or path in WORDS or path == WHOLE:
            return
        if "." not in path:
            raise self._wrong(
                f"names ${path[:80]}, which there is not.{did_you_mean(path, WORDS)}",
                f"There are {', '.join('$' + word for word in WORDS)}, and paths into the document such"
                f" as ${WHOLE}.{path[:80] or 'rule'}. A dollar is written as $$.",
            )
        if not all(path.split(".")):
            raise self._wrong(
                f"has a path with an empty name, ${path[:80]}.", "Write one such as ${event.message}."
            )

    def _too_long(self, text: str) -> SettingsError:
        return self._wrong(f"has {len(text):,} characters.", f"Keep it below {_LONGEST:,}.")

    def _wrong(self, what: str, remedy: str) -> SettingsError:
        return SettingsError(f"The template of the webhook {self._name!r} {what} {remedy}")


class _Filling:
    """What is put into a template for one message."""

    def __init__(self, name: str, message: Message) -> None:
        self._name = name
        self._document = message.document
        self._words = {
            "title": message.title,
            "text": message.text,
            "severity": message.severity,
            "event_id": message.event_id,
            "key": message.key,
        }
        self._room = _LONGEST_FILLED

    def of(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.of(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.of(member) for member in value]
        return _PLACE.sub(self._replaced, value) if isinstance(value, str) else value

    def _replaced(self, place: re.Match[str]) -> str:
        path = _path(place)
        if path is None:
            return "$"
        text = _as_text(self._words[path] if path in self._words else self._member(path))
        self._room -= len(text)
        if self._room < 0:
            raise self._unfit(
                f"makes more than {_LONGEST_FILLED:,} characters of this message.",
                "Name long texts in it less often.",
            )
        return text

    def _member(self, path: str) -> Any:
        names = path.split(".")
        value: Any = self._document
        for name in names[1:] if names[0] == WHOLE and WHOLE not in value else names:
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and int(name[:9]) < len(value):
                value = value[int(name[:9])]
            else:
                raise self._missing(path, name, value)
        return value

    def _missing(self, path: str, name: str, value: Any) -> DeliveryError:
        there = [str(one) for one in islice(value, _LOOKED_AT)] if isinstance(value, dict) else []
        return self._unfit(
            f"asks for ${path[:200]}, and this message has no {name[:80]!r} there."
            f"{did_you_mean(name, there)}",
            "Correct it, or name in it only what all messages have.",
        )

    def _unfit(self, what: str, remedy: str) -> DeliveryError:
        return DeliveryError(
            f"The template of the webhook {self._name!r} {what} {remedy}", is_final=True
        )


def _path(place: re.Match[str]) -> str | None:
    """Return what a place names; ``None`` for a dollar."""
    if place["dollar"]:
        return None
    return place["plain"] if place["braced"] is None else place["braced"].strip()


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shortened(text)


def shortened(text: str) -> str:
    """Return a text, cut where it is longer than anybody reads."""
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
