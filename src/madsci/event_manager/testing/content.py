"""What an event may hold, as ``docs/reference/events.md`` says it; every store keeps it as it came."""

from __future__ import annotations

import json
from typing import Final

import pytest

from madsci.event_manager.model.json_reading import MAX_DEPTH
from madsci.event_manager.model.query import Query
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.stored_event import encode_event, encode_json
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.testing.samples import event, ids


def nested(levels: int) -> object:
    """Return lists and objects in one another, so many levels deep."""
    value: object = "deep"
    for level in range(levels):
        value = {"k": value} if level % 2 else [value]
    return value


VALUES: Final[list[object]] = [
    None, True, False, 0, -1, "", "text", [], {}, [None], 0.1, -0.0, 1e308, 5e-324, 1.0, 1e16,
    2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**300, -(10**300), "\0", "a\0b", "\x7f\x01\n\t",
    "é", "😀", "\u2028\ufeff\uffff", "\\u0000", '"quoted"', "\\", "a" * 100_000,
    {"": 1}, {"a.b": 1, "$gt": 2, "": {"": 3}}, {'"': 1, "'": 2, "\\": 3, "\0": 4, "\n": 5},
    {"b": 1, "a": 2, "_id": 3}, [[[[]]]], [1, [2, {"x": [3]}]], {"😀": "😀"}, nested(MAX_DEPTH),
    {"NaN": "NaN"}, {str(number): number for number in range(2_000)}, list(range(5_000)),
]  # fmt: skip
"""One of each kind of JSON, and those that engines are known to change."""
IDS: Final = ["a", "A", "a ", "ä", "a\u0308", "a\0", "a\0b", "", "1", "01", "' OR 1=1 --", "%", "😀"]
"""Ids that some collations take for the same, or order in another way than by their bytes."""
TEXTS: Final = [
    "",
    "a\0b",
    "\x7f\x01\n\t",
    "ü\u0308",
    "😀",
    "\u2028\ufeff\uffff",
    "0",
    " ",
    "NULL",
    "x" * 255,
]
"""Texts of members that are columns of their own in many engines."""


class ContentContract:
    """That events of any content come back as they were."""

    @pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:24])
    def test_event_data_of_every_json_kind_comes_back_as_it_was(
        self, store: EventStore, value: object
    ) -> None:
        text = encode_json(value)
        store.append([event("a", event_data=text, source={"odd": value}, extra={"odd": value})])
        kept = store.get("a")
        assert kept is not None
        assert kept.event_data == text
        assert store.find(Query()).events == [kept]
        assert encode_json([kept.source, kept.extra]) == encode_json([{"odd": value}] * 2)
        assert json.loads(encode_event(kept))["event_data"] == json.loads(text)

    def test_ids_are_compared_exactly_and_ordered_by_their_bytes(self, store: EventStore) -> None:
        outcomes = store.append([event(name) for name in IDS])
        assert not any(one.is_duplicate for one in outcomes)
        found = [store.get(name) for name in IDS]
        assert [one and one.event_id for one in found] == IDS
        assert store.get("AA") is None
        assert ids(store.find(Query(limit=100))) == sorted(IDS, reverse=True)

    @pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text)[:24])
    def test_any_text_may_be_a_trace_a_span_or_an_id_in_source(
        self, store: EventStore, text: str
    ) -> None:
        one = event("a", trace_id=text, span_id=text, source={"node_id": text, text: text})
        store.append([one, event("b")])
        assert store.get("a") == one
        for name in ("trace_id", "span_id", "source.node_id"):
            found = store.find(Query(parse_selector({name: {"$eq": text}})))
            assert ids(found) == ["a"], name
