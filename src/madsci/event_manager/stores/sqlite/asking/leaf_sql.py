"""One comparison as SQL: an expression that is 1 or 0 for every row.

What SQL can tell by itself it tells; where only MongoDB's semantics of arrays and objects can, the
expression calls the matcher. Paths and values are bound, never spliced; only integers of typed columns
stand in the text, because the planner uses a partial index for a literal only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import apsw

from madsci.common.types.members import INSTANTS, OBJECTS, SCALARS
from madsci.event_manager.model.matcher import leaf_holds
from madsci.event_manager.model.pattern import Pattern
from madsci.event_manager.model.selector import (
    Compare,
    ElementMatches,
    ElementPasses,
    Equals,
    Exists,
    HasBits,
    HasSize,
    HasType,
    In,
    Leaf,
    Matches,
    Modulo,
    Path,
)
from madsci.event_manager.model.values import INT64, Kind, kind_of

_OPERATORS: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_BITS: Final = {
    "$bitsAllSet": "({value} & {mask}) = {mask}",
    "$bitsAllClear": "({value} & {mask}) = 0",
    "$bitsAnySet": "({value} & {mask}) <> 0",
    "$bitsAnyClear": "({value} & {mask}) <> {mask}",
}


class _Column(NamedTuple):
    """A typed column; ``absent`` says what its NULL stands for, if it may be NULL."""

    name: str
    kind: Kind
    absent: str | None = None


_KINDS: Final = {"text": Kind.TEXT, "boolean": Kind.BOOLEAN}
COLUMNS: Final[dict[Path, _Column]] = {
    ("_id" if member.name == "event_id" else member.name,): _Column(
        member.name, _KINDS.get(member.kind, Kind.NUMBER), "null" if member.may_lack else None
    )
    for member in SCALARS
}
COLUMNS["source", "node_id"] = _Column("node_id", Kind.TEXT, "missing")


class LeafCompiler:
    """Compiles leaves and collects their parameters, which are numbered from 1."""

    def __init__(self) -> None:
        self.parameters: list[Any] = []

    def bind(self, value: Any) -> str:
        """Return the placeholder of a value."""
        self.parameters.append(value)
        return f"?{len(self.parameters)}"

    def leaf(self, leaf: Leaf) -> str:
        """Return the expression of a leaf."""
        path = leaf.path
        if path in COLUMNS:
            return self._typed(COLUMNS[path], leaf)
        if path[0] in OBJECTS:
            return self._json(path[0], path[1:], leaf)
        return _says(leaf)  # below a scalar, or a member that events do not have

    def _typed(self, column: _Column, leaf: Leaf) -> str:
        if column.kind is Kind.BOOLEAN:
            true, false = _says(leaf, True), _says(leaf, False)
            return true if true == false else f"{column.name} = {true}"
        tests = _Tests(self, leaf, literals=True)
        if column.kind is Kind.TEXT:
            sql = tests.text(column.name)
        elif column.name in INSTANTS:
            sql = tests.instant(column.name)
        else:
            sql = tests.integer(column.name)
        if column.absent is None:
            return f"({sql})"
        absent = _says(leaf, None) if column.absent == "null" else _says(leaf)
        if absent == "1":
            return f"({column.name} IS NULL OR {sql})"
        return f"({column.name} IS NOT NULL AND {sql})"

    def _json(self, column: str, path: Path, leaf: Leaf) -> str:
        ask = f"leaf_holds({self.bind(apsw.pyobject(leaf))}, json({column}))"
        if any(is_unquotable(name) for name in path):
            return ask
        where = self.bind(json_path(path))
        tests = _Tests(self, leaf, otherwise=ask)
        scalar = tests.by_type(f"json_type({column}, {where})", f"({column} ->> {where})")
        missing = self._missing(column, path, leaf, ask)
        return f"({scalar} WHEN 'array' THEN {tests.array(column, where)} ELSE {missing} END)"

    def _missing(self, column: str, path: Path, leaf: Leaf, ask: str) -> str:
        """Return the verdict on a path that is not there, unless an array on the way has it."""
        missing = _says(leaf)
        if not path:
            return missing
        arrays = [
            f"json_type({column}, {self.bind(json_path(path[:length]))}) IS 'array'"
            for length in range(len(path))
        ]
        return f"CASE WHEN {balanced(arrays, 'OR', '0')} THEN {ask} ELSE {missing} END"


class _Tests:
    """What a leaf says of a value of each kind, as SQL over the value."""

    def __init__(
        self, compiler: LeafCompiler, leaf: Leaf, *, otherwise: str = "0", literals: bool = False
    ) -> None:
        self._bind = compiler.bind
        self._leaf = leaf
        self._ask = otherwise
        self._literals = literals

    def by_type(self, kind: str, value: str) -> str:
        """Return the beginning of a CASE over everything but arrays; they and the end are missing."""
        leaf = self._leaf
        return (
            f"CASE {kind} WHEN 'text' THEN {self.text(value)}"
            # An integer beyond 64 bits comes out of JSON rounded to a REAL.
            f" WHEN 'integer' THEN CASE typeof{_bracketed(value)} WHEN 'integer'"
            f" THEN {self.integer(value)} ELSE {self._ask} END"
            f" WHEN 'real' THEN {self._real(value)}"
            f" WHEN 'true' THEN {_says(leaf, True)} WHEN 'false' THEN {_says(leaf, False)}"
            f" WHEN 'null' THEN {_says(leaf, None)}"
            f" WHEN 'object' THEN {self._object()}"
        )

    def text(self, value: str) -> str:
        leaf = self._leaf
        if isinstance(leaf, Matches):
            return self._pattern(value, leaf.pattern)
        if isinstance(leaf, (Equals, In, Compare)):
            return self._compared(value, Kind.TEXT)
        return _says(leaf, "")

    def integer(self, value: str) -> str:
        leaf = self._leaf
        if isinstance(leaf, Modulo):
            return f"({value} % {leaf.divisor}) = {leaf.remainder}"
        if isinstance(leaf, HasBits):
            mask = leaf.mask if leaf.mask in INT64 else leaf.mask - 2**64
            return _BITS[leaf.operator].format(value=value, mask=self._bind(mask))
        if isinstance(leaf, HasType):
            return self._integer_type(value, leaf.types)
        if isinstance(leaf, (Equals, In, Compare)):
            return self._compared(value, Kind.NUMBER)
        return _says(leaf, 0)

    def instant(self, column: str) -> str:
        """Return the test of a column of instants, which are texts to whom does not compare them."""
        if isinstance(self._leaf, Matches):
            return self._pattern(f"instant_text({column})", self._leaf.pattern)
        return self.integer(column)

    def array(self, column: str, where: str) -> str:
        """Return the test of an array at the end of a path: it is meant, and so is each element."""
        leaf = self._leaf
        if isinstance(leaf, HasSize):
            return f"json_array_length({column}, {where}) = {leaf.size}"
        if isinstance(leaf, Exists) or (isinstance(leaf, HasType) and "array" in leaf.types):
            return "1"
        if isinstance(leaf, (ElementMatches, ElementPasses)) or _has_containers(leaf):
            return self._ask
        element = self.by_type("one.type", "one.value")
        elements = f"json_each({column}, {where}) AS one"
        return f"EXISTS (SELECT 1 FROM {elements} WHERE {element} ELSE 0 END)"  # noqa: S608

    def _real(self, value: str) -> str:
        leaf = self._leaf
        if isinstance(leaf, (Modulo, HasBits)):
            return self._ask
        if isinstance(leaf, (Equals, In, Compare)):
            if any(type(one) is int and one not in INT64 for one in _operands(leaf)):
                return self._ask
            return self._compared(value, Kind.NUMBER)
        return _says(leaf, 0.0)

    def _object(self) -> str:
        leaf = self._leaf
        return self._ask if _has_containers(leaf) else _says(leaf, {})

    def _integer_type(self, value: str, types: frozenset[str]) -> str:
        is_int = f"{value} BETWEEN -2147483648 AND 2147483647"
        if "int" in types:
            return "1" if "long" in types else is_int
        return f"NOT {is_int}" if "long" in types else "0"

    def _pattern(self, value: str, pattern: Pattern) -> str:
        if pattern.literal is None:
            found = f"pattern_found({self._bind(apsw.pyobject(pattern))}, {value})"
            if pattern.required is None:
                return found
            # Calling Python takes longer than looking for a text; CASE has an order, AND has none.
            holds = f"instr({value}, {self._bind(pattern.required)})"
            return f"CASE WHEN {holds} THEN {found} ELSE 0 END"
        anchored, text = pattern.literal
        if anchored:
            return f"substr({value}, 1, {len(text)}) = {self._bind(text)}"
        return f"instr({value}, {self._bind(text)}) > 0"

    def _compared(self, value: str, kind: Kind) -> str:
        """Compare a value with the operands of its kind."""
        leaf = self._leaf
        operands = [one for one in _operands(leaf) if kind_of(one) is kind]
        if isinstance(leaf, Compare):
            if not operands:
                return "0"
            if type(leaf.value) is int and leaf.value not in INT64:
                return str(int((leaf.value > 0) is (leaf.operator in ("$lt", "$lte"))))
            return f"{value} {_OPERATORS[leaf.operator]} {self._operand(leaf.value)}"
        # A whole number of 64 bits equals none beyond them.
        bound = [self._operand(one) for one in operands if type(one) is not int or one in INT64]
        if len(bound) == 1:
            return f"{value} = {bound[0]}"
        return f"{value} IN ({', '.join(bound)})" if bound else "0"

    def _operand(self, value: Any) -> str:
        return str(value) if self._literals and type(value) is int else self._bind(value)


def _operands(leaf: Leaf) -> Sequence[Any]:
    if isinstance(leaf, In):
        return leaf.values
    return (leaf.value,) if isinstance(leaf, (Equals, Compare)) else ()


def _has_containers(leaf: Leaf) -> bool:
    return any(kind_of(one) in (Kind.ARRAY, Kind.OBJECT) for one in _operands(leaf))


_NOTHING: Final = object()


def _says(leaf: Leaf, constant: object = _NOTHING) -> str:
    """Return what the matcher says of a constant at the path, so that its rules stand in one place."""
    document: Any = {}
    if constant is not _NOTHING:
        document = constant
        for name in reversed(leaf.path):
            document = {name: document}
    return str(int(leaf_holds(leaf, document)))


def _bracketed(value: str) -> str:
    return value if value.startswith("(") else f"({value})"


def balanced(parts: Sequence[str], operator: str, empty: str) -> str:
    """Join with balanced brackets: SQLite bounds the depth of an expression, not its width."""
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left = balanced(parts[:middle], operator, empty)
    return f"({left} {operator} {balanced(parts[middle:], operator, empty)})"


def json_path(path: Path) -> str:
    """Return a path as SQLite writes it."""
    return "$" + "".join(f'."{name}"' for name in path)


def is_unquotable(name: str) -> bool:
    """Tell whether SQLite's syntax of paths, which has no escapes, cannot say a name."""
    return '"' in name or "\\" in name or any(char < " " for char in name)
