"""The inverted index: which events have a word in their message, a type, or an id.

Each event has one row of terms in a full-text table: the words of its message and, for its type and
the ids in ``source`` and ``event_data``, a short hash of name and value. One posting costs a tenth of
what an entry in an index of its own would, so everything of a workflow or an experiment is found at
once in a store of any size. Words are exact; of a hash the event itself is asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import apsw
import msgspec

from madsci.common.types.event_type import EventType
from madsci.common.types.ownership_ids import OWNERSHIP_IDS
from madsci.event_manager.model.matcher import values_at
from madsci.event_manager.model.selector import Equals, In, Selector, Text, conjuncts
from madsci.event_manager.model.stored_event import StoredEvent, decode_json, encode_json
from madsci.event_manager.model.text_search import TextSearch, folded_words, message_of

TABLE: Final = """
CREATE VIRTUAL TABLE event_terms USING fts5 (
    terms, content='', columnsize=0, detail=none, tokenize="ascii tokenchars '_'"
)"""
_TOKEN: Final = re.compile(rb"[0-9a-z_\x80-\xff]+")
_LONGEST: Final = 32_768
"""Bytes of a token that the engine takes (FTS5_MAX_TOKEN_SIZE)."""
_INSERT: Final = """
INSERT INTO event_terms (rowid, terms) SELECT ?1 + key, value FROM json_each(?2) WHERE value IS NOT NULL
"""

_MARK: Final = "\N{CURRENCY SIGN}"
"""Begins a hash. The tokenizer takes it for a letter; as it is none, no word of a message has it."""
# A node has an index of its own.
_SOURCE_PATHS: Final = {name: f"source.{name}" for name in OWNERSHIP_IDS if name != "node_id"}
_DATA_PATHS: Final = tuple(f"event_data.{name}" for name in OWNERSHIP_IDS)
_PATHS: Final = frozenset({"event_type", *_SOURCE_PATHS.values(), *_DATA_PATHS})


class _Message(msgspec.Struct, gc=False):
    """Event data of which only the message has terms."""

    message: Any = None


class _Known(_Message, gc=False):
    """The members of event data that have terms: the message and the ids."""

    user_id: Any = None
    experiment_id: Any = None
    campaign_id: Any = None
    project_id: Any = None
    node_id: Any = None
    workcell_id: Any = None
    lab_id: Any = None
    step_id: Any = None
    workflow_id: Any = None
    manager_id: Any = None


_message_decoder = msgspec.json.Decoder(_Message)
_known_decoder = msgspec.json.Decoder(_Known)


def insert(connection: apsw.Connection, first: int, terms: Sequence[str | None]) -> None:
    """Index the terms of events with consecutive numbers; ``None`` for an event that is not stored.

    One statement for all of them: between two statements the thread gives up Python's lock, and waits
    for it again, which costs more than the index.
    """
    connection.execute(_INSERT, (first, encode_json(terms)))


def delete(connection: apsw.Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Take events out of the index; each with its number and the terms it was indexed with."""
    connection.executemany(
        "INSERT INTO event_terms (event_terms, rowid, terms) VALUES ('delete', ?, ?)", rows
    )


def merge(connection: apsw.Connection, pages: int, *, begins: bool) -> bool:
    """Bring the index closer to being one piece without deleted events, by about so many pages.

    The first call begins with it; tell whether there is more to do. See
    https://www.sqlite.org/fts5.html#the_merge_command, also for the number 2.
    """
    before = connection.total_changes()
    connection.execute(
        "INSERT INTO event_terms (event_terms, rank) VALUES ('merge', ?)",
        (-pages if begins else pages,),
    )
    return connection.total_changes() - before >= 2  # noqa: PLR2004


def terms_of(event: StoredEvent) -> str:
    """Return the terms of an event, with spaces between."""
    terms = [_TYPES.get(event.event_type) or _hash("event_type", event.event_type)]
    for name, value in event.source.items():
        path = _SOURCE_PATHS.get(name)
        if path is None:
            continue
        if type(value) is str:
            terms.append(_hash(path, value))
        else:
            _add(terms, path, value)
    event_data = event.event_data
    try:
        if '_id"' in event_data:
            message, *ids = msgspec.structs.astuple(_known_decoder.decode(event_data))
            for path, value in zip(_DATA_PATHS, ids, strict=True):
                if value:
                    _add(terms, path, value)
        else:
            message = _message_decoder.decode(event_data).message
    except msgspec.ValidationError:  # no object: a text, a list, a number
        _add_odd_data(terms, decode_json(event_data))
    else:
        if isinstance(message, str):
            terms.append(_words(message))
    return " ".join(terms)


def tokens(terms: str) -> set[bytes]:
    """Return the terms as the engine keeps them: ASCII folded, each cut where it cuts them."""
    return {one[:_LONGEST] for one in _TOKEN.findall(terms.encode().lower())}


def _add(terms: list[str], path: str, value: Any) -> None:
    """Add the hash of a text, and those of the texts in a list."""
    if isinstance(value, str):
        terms.append(_hash(path, value))
    elif isinstance(value, list):
        terms.extend(_hash(path, one) for one in value if isinstance(one, str))


def _add_odd_data(terms: list[str], event_data: Any) -> None:
    terms.append(_words(message_of(event_data)))
    for path, name in zip(_DATA_PATHS, OWNERSHIP_IDS, strict=True):
        for value in values_at(event_data, (name,)):
            _add(terms, path, value)


def _words(message: str) -> str:
    # The tokenizer folds and splits ASCII as we do; of the rest it knows nothing.
    if "\0" in message:  # where texts end for the engine
        message = message.replace("\0", " ")
    return message if message.isascii() else folded_words(message)


@lru_cache(maxsize=16_384)  # ids come again and again; a day of a lab has fewer
def _hash(path: str, value: str) -> str:
    return _MARK + blake2b(f"{path}={value}".encode(), digest_size=8).hexdigest()


_TYPES: Final = {kind.value: _hash("event_type", kind.value) for kind in EventType}


def narrowing(selector: Selector) -> str | None:
    """Return a full-text expression that every matching event satisfies, if there is one."""
    groups = [group for part in conjuncts(selector) if (group := _group(part)) is not None]
    return " AND ".join(groups) or None


def _group(part: Selector) -> str | None:
    if isinstance(part, Text):
        return words_expression(part.search) if part.search.words else None
    if not isinstance(part, (Equals, In)):
        return None
    path = ".".join(part.path)
    if path not in _PATHS:
        return None
    values = part.values if isinstance(part, In) else (part.value,)
    texts = [value for value in values if isinstance(value, str) and value]  # "" has no posting
    if not texts or len(texts) < len(values):
        return None
    return _any_of(_hash(path, text) for text in texts)


def words_expression(search: TextSearch) -> str:
    """Return the full-text expression of a search for words.

    It finds too much where the search is not about words only.
    """
    expression = _any_of(folded for word in search.words for folded in folded_words(word).split())
    if search.is_about_words_only and search.unwanted_words:
        expression = f"({expression} NOT {_any_of(search.unwanted_words)})"
    return expression


def type_expression(event_type: str) -> str:
    """Return the full-text expression of a type."""
    return f'"{_hash("event_type", event_type)}"'


def _any_of(terms: Iterable[str]) -> str:
    """Join quoted terms. They hold letters, digits and underscores only, so quoting them is safe."""
    return "(" + " OR ".join(f'"{term}"' for term in sorted(terms)) + ")"
