"""The inverted index: which events have a word in their message, a type, an id, or an alert.

Each event has one row of terms in a full-text table: the words of its message, and a term for its type,
its trace, its alert, its sender's name and host, and each of the ids in ``source`` and ``event_data``.
One posting costs a tenth of what an entry in an index of its own would, so everything of a workflow or
an experiment is found at once in a store of any size.

What facets count is written in clear (see ``countable``), so that the index holds their answers; the
rest is a short hash of name and value. Words are exact; of a hash the event itself is asked again.
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
from madsci.event_manager.stores.sqlite.countable import (
    COUNTED_MEMBERS,
    MARK,
    counted_term,
    is_countable,
    mark_of_uncountable,
    overridden_term,
    type_term,
)

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

_ALERT: Final = f"{MARK}a"
# A node has an index of its own.
_SOURCE_PATHS: Final = {name: f"source.{name}" for name in OWNERSHIP_IDS if name != "node_id"}
_DATA_PATHS: Final = tuple(f"event_data.{name}" for name in OWNERSHIP_IDS)
_SENDER_PATHS: Final = ("sender.name", "sender.host")
_TOLD: Final = frozenset({"event_type", *_SENDER_PATHS})
"""Paths of one text each, so that a term in clear says all."""
_PATHS: Final = _TOLD.union({"trace_id"}, _SOURCE_PATHS.values(), _DATA_PATHS)


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


def insert_alert(connection: apsw.Connection, seq: int) -> None:
    """Index that an event that is indexed already became an alert."""
    connection.execute("INSERT INTO event_terms (rowid, terms) VALUES (?, ?)", (seq, _ALERT))


def terms_of(event: StoredEvent) -> str:
    """Return the terms of an event, with spaces between."""
    source = event.source
    terms = [_TYPES.get(event.event_type) or type_term(event.event_type)]
    if event.trace_id:
        terms.append(_hash("trace_id", event.trace_id))
    if event.alert:
        terms.append(_ALERT)
    if event.sender is not None:
        terms.append(_terms_of_sender(event.sender))
    for name, value in source.items():
        path = _SOURCE_PATHS.get(name)
        if path is not None:
            terms.append(_term(path, value) if type(value) is str else _odd_terms(path, value))
    _add_terms_of_data(terms, event.event_data, source)
    return " ".join(terms)


@lru_cache(maxsize=1024)  # the programs of a lab that send at the same time
def _terms_of_sender(sender: str) -> str:
    known = decode_json(sender)
    values = ((path, known.get(path.rpartition(".")[2])) for path in _SENDER_PATHS)
    return " ".join(_term(path, value) for path, value in values if value is not None)


def _add_terms_of_data(terms: list[str], event_data: str, source: dict[str, Any]) -> None:
    try:
        if '_id"' in event_data:
            message, *ids = msgspec.structs.astuple(_known_decoder.decode(event_data))
            for name, value in zip(OWNERSHIP_IDS, ids, strict=True):
                if value is not None:
                    _add_data_id(terms, name, value, source.get(name))
        else:
            message = _message_decoder.decode(event_data).message
    except msgspec.ValidationError:  # no object: a text, a list, a number
        _add_odd_data(terms, decode_json(event_data))
    else:
        if isinstance(message, str):
            terms.append(_words(message))


def tokens(terms: str) -> set[bytes]:
    """Return the terms as the engine keeps them: ASCII folded, each cut where it cuts them."""
    return {one[:_LONGEST] for one in _TOKEN.findall(terms.encode().lower())}


@lru_cache(maxsize=16_384)  # ids come again and again; a day of a lab has fewer
def _term(path: str, value: str) -> str:
    """Return the terms of a text: in clear where a facet counts it and it can be."""
    if path not in COUNTED_MEMBERS:
        return _hash(path, value)
    return counted_term(path, value) if is_countable(value) else _odd_terms(path, value)


def _odd_terms(path: str, value: Any) -> str:
    """Return the hashes of a text or of those in a list, and the mark of what a facet cannot count."""
    values = value if isinstance(value, list) else [value]
    terms = [_hash(path, one) for one in values if isinstance(one, str)]
    if path in COUNTED_MEMBERS and value is not None:
        terms.append(mark_of_uncountable(path))
    return " ".join(terms)


def _add_data_id(terms: list[str], name: str, value: Any, of_source: Any) -> None:
    """Add the terms of an id in ``event_data``, which counts where ``source`` has none."""
    path = f"event_data.{name}"
    if path not in COUNTED_MEMBERS or of_source is None:
        terms.append(_term(path, value) if type(value) is str else _odd_terms(path, value))
    elif is_countable(value) and is_countable(of_source):
        terms += _term(path, value), overridden_term(path, value)
    else:
        source_path = f"source.{name}"
        if is_countable(of_source):
            terms.remove(_term(source_path, of_source))
        terms += _odd_terms(source_path, of_source), _odd_terms(path, value)


def _add_odd_data(terms: list[str], event_data: Any) -> None:
    terms.append(_words(message_of(event_data)))
    for path, name in zip(_DATA_PATHS, OWNERSHIP_IDS, strict=True):
        for value in values_at(event_data, (name,)):
            listed = value if isinstance(value, list) else [value]
            terms += [_hash(path, one) for one in listed if isinstance(one, str)]


def _words(message: str) -> str:
    # The tokenizer folds and splits ASCII as we do; of the rest it knows nothing.
    if "\0" in message:  # where texts end for the engine
        message = message.replace("\0", " ")
    return message if message.isascii() else folded_words(message)


@lru_cache(maxsize=16_384)
def _hash(path: str, value: str) -> str:
    return f"{MARK}_{blake2b(f'{path}={value}'.encode(), digest_size=8).hexdigest()}"


_TYPES: Final = {kind.value: type_term(kind.value) for kind in EventType}


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
    values = part.values if isinstance(part, In) else (part.value,)
    if path == "alert":
        return _any_of([_ALERT]) if set(map(type, values)) == {bool} and all(values) else None
    if path not in _PATHS:
        return None
    texts = [value for value in values if isinstance(value, str) and value]  # "" has no posting
    if not texts or len(texts) < len(values):
        return None
    return _any_of(term for text in texts for term in _terms_for(path, text))


def is_told_by_terms(part: Selector) -> bool:
    """Tell whether the events that a part of ``narrowing`` lists are those that it selects."""
    if isinstance(part, Text):
        return bool(part.search.words) and part.search.is_about_words_only
    if not isinstance(part, (Equals, In)):
        return False
    if part.path == ("alert",):
        return _group(part) is not None
    values = part.values if isinstance(part, In) else (part.value,)
    return ".".join(part.path) in _TOLD and all(map(is_countable, values))


def _terms_for(path: str, text: str) -> list[str]:
    """Return the terms, of which each event with a text at a path has one."""
    if path == "event_type":
        return [type_term(text)]
    hashed = _hash(path, text)
    if path in COUNTED_MEMBERS and is_countable(text):
        counted = counted_term(path, text)
        return [counted] if path in _TOLD else [hashed, counted]  # ids may stand in lists
    return [hashed]


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
    return f'"{type_term(event_type)}"'


def _any_of(terms: Iterable[str]) -> str:
    """Join quoted terms. They hold letters, digits and underscores only, so quoting them is safe."""
    return "(" + " OR ".join(f'"{term}"' for term in sorted(terms)) + ")"
