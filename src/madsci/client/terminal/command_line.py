"""The flags of the terminal view, and what they ask for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from madsci.common.asked_time import is_relative
from madsci.common.errors import SettingsError
from madsci.common.settings import read_flags

USAGE: Final = """\
usage: python -m madsci.event_manager.tail [flags]
Shows events as the server takes them, until Ctrl-C. What it says itself goes to stderr.

  --url URL        the Event Manager; by default that of the client's settings (EVENT_SERVER_URL)
  --level LEVEL    this level and above: debug, info, warning, error, critical
  --text WORDS     with any of these words in the message
  --selector JSON  that a selector matches: '{"source.node_id": "arm-1"}'
  --since WHEN     begin with: 1h (ago), today, 2026-11-23T14:00, last:100, start, now, or
                   the position that an earlier view ended with; last:10 by default
  --no-follow      end where that begins which is to come
  --json           the JSON of each event, one a line
"""
HINT: Final = "python -m madsci.event_manager.tail --help shows the flags."
_VALUES: Final = ("url", "level", "text", "selector", "since")
_SWITCHES: Final = ("json", "no-follow")


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to see, and how; ``url`` only if it was given."""

    url: str | None = None
    level: str | None = None
    selector: dict[str, Any] | None = None
    since: str = "last:10"
    as_json: bool = False
    follows: bool = True


def read_command_line(words: Sequence[str]) -> Wanted:
    """Return what the words of a command line ask for.

    Raises:
        SettingsError: a flag is none, lacks its value, or has one that cannot be used.
    """
    given = read_flags(words, _VALUES, _SWITCHES)
    return Wanted(
        url=given.get("url"),
        level=given.get("level"),
        selector=_selector(given.get("selector"), given.get("text")),
        since=_moment(given.get("since", Wanted.since)),
        as_json="json" in given,
        follows="no-follow" not in given,
    )


def _moment(text: str) -> str:
    """Return where to begin; people say 1h for an hour ago."""
    return f"-{text}" if text[0].isdigit() and is_relative(f"-{text}") else text


def _selector(text: str | None, words: str | None) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = [] if words is None else [{"$text": {"$search": words}}]
    if text is not None:
        found.append(_object(text))
    if len(found) > 1:
        return {"$and": found}
    return found[0] if found else None


def _object(text: str) -> dict[str, Any]:
    try:
        selector = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"--selector is not JSON ({error}): {text:.80}. Put it in single quotes:"
            ' --selector \'{"source.node_id": "arm-1"}\'.'
        ) from None
    if not isinstance(selector, dict):
        raise SettingsError(
            f'--selector is a JSON object such as {{"source.node_id": "arm-1"}}, not {text:.80}.'
        )
    return selector
