"""A selector as SQL.

Each comparison becomes an expression that is 1, 0 or NULL for "cannot tell": an array on the path, an
object to compare with, an integer that SQLite would round. SQL's three-valued AND, OR and NOT carry
"cannot tell" through, and the store asks the matcher about exactly those rows. Paths and values are
bound, never spliced; only integers of typed columns stand in the text, because the planner uses a
partial index for a literal only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from madsci.event_manager.model.matcher import Kind, kind_of, matches
from madsci.event_manager.model.selector import (
    And,
    Compare,
    Equals,
    Exists,
    In,
    Not,
    Or,
    Path,
    Selector,
)
from madsci.event_manager.stores.sqlite.schema import SERIOUS_LEVEL

_CANNOT_TELL: Final = "NULL"
_INT64: Final = range(-(2**63), 2**63)
_SQL_OPERATORS: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


class _Column(NamedTuple):
    """A typed column; ``absent`` names the verdict of its NULL, if it may be NULL."""

    name: str
    kind: Kind
    absent: str | None = None


_COLUMNS: Final[dict[Path, _Column]] = {
    ("_id",): _Column("event_id", Kind.TEXT),
    ("event_type",): _Column("event_type", Kind.TEXT),
    ("trace_id",): _Column("trace_id", Kind.TEXT, "null"),
    ("span_id",): _Column("span_id", Kind.TEXT, "null"),
    ("source", "node_id"): _Column("node_id", Kind.TEXT, "missing"),
    ("log_level",): _Column("log_level", Kind.NUMBER),
    ("event_timestamp",): _Column("event_timestamp", Kind.NUMBER),
    ("received_at",): _Column("received_at", Kind.NUMBER),
    ("archived_at",): _Column("archived_at", Kind.NUMBER, "null"),
    ("alert",): _Column("alert", Kind.BOOLEAN),
    ("archived",): _Column("archived", Kind.BOOLEAN),
}
_JSON_COLUMNS: Final = {"source", "event_data", "extra"}


@dataclass(frozen=True)
class CompiledSelector:
    """``where`` finds every row that matches and every row that cannot be told.

    ``verdict`` is 1 for the former and NULL for the latter; it is ``None`` where no row is in doubt.
    Parameters are numbered from 1.
    """

    where: str
    verdict: str | None
    parameters: list[Any]


def compile_selector(selector: Selector) -> CompiledSelector:
    """Compile a selector for the ``events`` table."""
    compiler = _Compiler()
    terms: list[str] = []
    doubtful: list[str] = []
    for part in selector.parts if isinstance(selector, And) else (selector,):
        compiler.in_doubt = False
        sql = compiler.expression(part)
        if compiler.in_doubt:
            doubtful.append(sql)
            terms.append(f"({sql}) IS NOT 0")
        else:
            terms.append(sql)
        if _asks_for_serious_levels(part):
            terms.append(f"log_level >= {SERIOUS_LEVEL}")
    return CompiledSelector(
        where=_balanced(terms, "AND", "1"),
        verdict=_balanced(doubtful, "AND", "1") if doubtful else None,
        parameters=compiler.parameters,
    )


class _Compiler:
    """One compilation: collects the parameters and whether anything so far may be NULL."""

    def __init__(self) -> None:
        self.parameters: list[Any] = []
        self.in_doubt = False

    def expression(self, selector: Selector) -> str:
        if isinstance(selector, And):
            return _balanced([self.expression(part) for part in selector.parts], "AND", "1")
        if isinstance(selector, Or):
            return _balanced([self.expression(part) for part in selector.parts], "OR", "0")
        if isinstance(selector, Not):
            return f"(NOT {self.expression(selector.part)})"
        path, verdicts = selector.path, self._verdicts(selector)
        if path in _COLUMNS:
            return self._typed_leaf(_COLUMNS[path], verdicts)
        if path[0] in _JSON_COLUMNS:
            return self._json_leaf(path[0], path[1:], verdicts)
        return verdicts.missing  # below a scalar, or a member that events do not have

    def _typed_leaf(self, column: _Column, verdicts: _Verdicts) -> str:
        if column.kind is Kind.BOOLEAN:
            same = verdicts.true == verdicts.false
            return verdicts.true if same else f"{column.name} = {verdicts.true}"
        test = verdicts.text if column.kind is Kind.TEXT else verdicts.number
        sql = test(column.name)
        self.in_doubt |= sql == _CANNOT_TELL
        if column.absent is None:
            return f"({sql})"
        if (verdicts.null if column.absent == "null" else verdicts.missing) == "1":
            return f"({column.name} IS NULL OR {sql})"
        return f"({column.name} IS NOT NULL AND {sql})"

    def _json_leaf(self, column: str, path: Path, verdicts: _Verdicts) -> str:
        self.in_doubt = True
        if any(_is_unquotable(name) for name in path):
            return _CANNOT_TELL
        where = self._bind(_json_path(path))
        value = f"({column} ->> {where})"
        number = verdicts.number(value)
        return (
            f"(CASE json_type({column}, {where})"
            f" WHEN 'text' THEN {verdicts.text(value)}"
            # An integer beyond 64 bits comes out of JSON rounded to a REAL.
            f" WHEN 'integer' THEN CASE typeof{value} WHEN 'integer' THEN {number} END"
            f" WHEN 'real' THEN {number}"
            f" WHEN 'true' THEN {verdicts.true} WHEN 'false' THEN {verdicts.false}"
            f" WHEN 'null' THEN {verdicts.null}"
            f" WHEN 'array' THEN {verdicts.array} WHEN 'object' THEN {verdicts.object}"
            f" ELSE {self._missing(column, path, verdicts)} END)"
        )

    def _missing(self, column: str, path: Path, verdicts: _Verdicts) -> str:
        """Return the verdict for a path that is not there, unless an array on the way has it."""
        if not path:
            return verdicts.missing
        arrays = [
            f"json_type({column}, {self._bind(_json_path(path[:length]))}) IS 'array'"
            for length in range(len(path))
        ]
        some_array = _balanced(arrays, "OR", "0")
        return f"CASE WHEN {some_array} THEN {_CANNOT_TELL} ELSE {verdicts.missing} END"

    def _verdicts(self, leaf: Equals | Compare | In | Exists) -> _Verdicts:
        if isinstance(leaf, Exists):
            return _EXISTENCE
        if isinstance(leaf, Compare):
            values: Sequence[Any] = (leaf.value,)
            operator = _SQL_OPERATORS[leaf.operator]
        else:
            values = leaf.values if isinstance(leaf, In) else (leaf.value,)
            operator = "="
        texts = [value for value in values if kind_of(value) is Kind.TEXT]
        numbers = [value for value in values if kind_of(value) is Kind.NUMBER]
        containers = any(kind_of(value) in (Kind.ARRAY, Kind.OBJECT) for value in values)
        # The matcher is asked about the constants, so that its rules stand in one place.
        true, false, null = (_says(leaf, constant) for constant in (True, False, None))
        return _Verdicts(
            number=lambda sql: self._test(sql, operator, numbers),
            text=lambda sql: self._test(sql, operator, texts),
            true=true,
            false=false,
            null=null,
            missing=null,
            array=_CANNOT_TELL,  # its elements are candidates too, and only the matcher walks them
            object=_CANNOT_TELL if containers else "0",
        )

    def _test(self, sql: str, operator: str, operands: Sequence[Any]) -> str:
        if not operands:
            return "0"
        if any(isinstance(operand, int) and operand not in _INT64 for operand in operands):
            return _CANNOT_TELL
        literal = not sql.startswith("(")  # a typed column
        bound = [
            str(operand) if literal and isinstance(operand, int) else self._bind(operand)
            for operand in operands
        ]
        if len(bound) == 1:
            return f"{sql} {operator} {bound[0]}"
        return f"{sql} IN ({', '.join(bound)})"

    def _bind(self, value: Any) -> str:
        self.parameters.append(value)
        return f"?{len(self.parameters)}"


@dataclass(frozen=True)
class _Verdicts:
    """What a comparison says of each kind of value: "1", "0", "NULL", or SQL over the value."""

    number: Callable[[str], str]
    text: Callable[[str], str]
    true: str
    false: str
    null: str
    missing: str
    array: str
    object: str


_EXISTENCE: Final = _Verdicts(
    number=lambda _: "1",
    text=lambda _: "1",
    true="1",
    false="1",
    null="1",
    missing="0",
    array="1",
    object="1",
)


def _says(leaf: Equals | Compare | In, constant: object) -> str:
    document: Any = constant
    for name in reversed(leaf.path):
        document = {name: document}
    return str(int(matches(leaf, document)))


def _balanced(parts: Sequence[str], operator: str, empty: str) -> str:
    """Join with balanced brackets: SQLite bounds the depth of an expression, not its width."""
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left = _balanced(parts[:middle], operator, empty)
    return f"({left} {operator} {_balanced(parts[middle:], operator, empty)})"


def _json_path(path: Path) -> str:
    return "$" + "".join(f'."{name}"' for name in path)


def _is_unquotable(name: str) -> bool:
    # SQLite's path syntax has no escape for these inside a quoted label.
    return '"' in name or "\\" in name or any(char < " " for char in name)


def _asks_for_serious_levels(part: Selector) -> bool:
    """Tell whether the part implies the condition of the partial index on serious events."""
    return (
        isinstance(part, (Compare, Equals))
        and part.path == ("log_level",)
        and kind_of(part.value) is Kind.NUMBER
        and part.value >= SERIOUS_LEVEL
        and not (isinstance(part, Compare) and part.operator in ("$lt", "$lte"))
    )
