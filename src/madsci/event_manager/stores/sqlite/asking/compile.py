"""A selector as SQL, and the order of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from madsci.event_manager.model.feed import Position
from madsci.event_manager.model.query import Place
from madsci.event_manager.model.selector import (
    And,
    Compare,
    Equals,
    Not,
    Or,
    Path,
    Selector,
    Text,
    conjuncts,
)
from madsci.event_manager.model.selector import leaves as selector_leaves
from madsci.event_manager.model.sorting import Sort, directions
from madsci.event_manager.model.stored_event import encode_json
from madsci.event_manager.model.values import Kind, kind_of
from madsci.event_manager.stores.sqlite.asking.leaf_sql import (
    COLUMNS,
    LeafCompiler,
    balanced,
    json_path,
)
from madsci.event_manager.stores.sqlite.schema import SERIOUS_LEVEL
from madsci.event_manager.stores.sqlite.terms import words_expression


@dataclass(frozen=True)
class CompiledSelector:
    """``where`` is 1 for every row that matches and 0 for the others. Parameters count from 1."""

    where: str
    parameters: list[Any]
    is_whole: str | None = None
    """The condition that an event is not known to be damaged, where some are."""
    among: str = ""
    """Restricts what the inverted index is asked about to the numbers that it was compiled for."""

    def bind(self, value: Any) -> str:
        """Add a parameter; return its placeholder."""
        self.parameters.append(value)
        return f"?{len(self.parameters)}"


PassOver = Sequence[int] | None
"""Damaged events to be passed over beside those that the file lists; ``None`` while it lists none."""


def compile_selector(
    selector: Selector,
    fence: Position | None = None,
    pass_over: PassOver = None,
    numbers: tuple[int, int] | None = None,
) -> CompiledSelector:
    """Compile a selector for the ``events`` table, or for the events up to a number in it.

    Where it is asked of events with certain ``numbers`` only, from one to another, the inverted index
    is asked about no others.
    """
    leaves = LeafCompiler()
    among = (
        ""
        if numbers is None
        else f" AND event_terms.rowid BETWEEN {' AND '.join(map(leaves.bind, numbers))}"
    )
    terms: list[str] = []
    is_whole = None if pass_over is None else _is_whole(leaves.bind(encode_json(list(pass_over))))
    if is_whole is not None:
        terms.append(is_whole)
    if fence is not None:
        # The plus keeps the planner from walking the table by numbers instead of an index.
        terms.append(f"(+events.seq <= {leaves.bind(fence.number)})")
    for part in conjuncts(selector):
        terms.append(_guarded(_expression(part, leaves, among), is_whole, by=_reads_json(part)))
        if asks_for_serious_levels(part):
            terms.append(f"log_level >= {SERIOUS_LEVEL}")
    return CompiledSelector(balanced(terms, "AND", "1"), leaves.parameters, is_whole, among)


def _is_whole(others: str) -> str:
    """Return the condition that an event is not known to be damaged."""
    return (
        "(events.seq NOT IN (SELECT seq FROM damaged_events)"  # noqa: S608 - words of ours
        f" AND events.seq NOT IN (SELECT value FROM json_each({others})))"
    )


def _guarded(expression: str, is_whole: str | None, *, by: bool) -> str:
    """Keep an expression from JSON that cannot be read: AND has no order, CASE has."""
    if is_whole is None or not by:
        return expression
    return f"CASE WHEN {is_whole} THEN {expression} ELSE 0 END"


def _reads_json(part: Selector) -> bool:
    return any(isinstance(leaf, Text) or leaf.path not in COLUMNS for leaf in selector_leaves(part))


def _expression(selector: Selector, leaves: LeafCompiler, among: str) -> str:
    if isinstance(selector, And):
        return balanced([_expression(part, leaves, among) for part in selector.parts], "AND", "1")
    if isinstance(selector, Or):
        return balanced([_expression(part, leaves, among) for part in selector.parts], "OR", "0")
    if isinstance(selector, Not):
        return f"(NOT {_expression(selector.part, leaves, among)})"
    if isinstance(selector, Text):
        return _text(selector, leaves, among)
    return leaves.leaf(selector)


def _text(selector: Text, leaves: LeafCompiler, among: str) -> str:
    search = selector.search
    if not search.words:
        return "0"  # nothing is wanted, whatever is unwanted
    found = is_listed(leaves.bind(words_expression(search)), among)
    if search.is_about_words_only:
        return found
    ask = f"text_holds({leaves.bind(apsw.pyobject(search))}, json(event_data))"
    return f"CASE WHEN {found} THEN {ask} ELSE 0 END"


def is_listed(match: str, among: str) -> str:
    """Return the condition that the inverted index lists a row under a bound expression."""
    # The plus keeps the planner from taking this for a way into the table: ``finding`` decides that.
    return f"(+events.seq IN (SELECT rowid FROM event_terms WHERE event_terms MATCH {match}{among}))"  # noqa: S608


def asks_for_serious_levels(part: Selector) -> bool:
    """Tell whether the part implies the condition of the partial index on serious events."""
    return (
        isinstance(part, (Compare, Equals))
        and part.path == ("log_level",)
        and kind_of(part.value) is Kind.NUMBER
        and part.value >= SERIOUS_LEVEL
        and not (isinstance(part, Compare) and part.operator in ("$lt", "$lte"))
    )


_RANKS: Final = (
    "CASE json_type({0}) WHEN 'integer' THEN 1 WHEN 'real' THEN 1 WHEN 'text' THEN 2"
    " WHEN 'object' THEN 3 WHEN 'array' THEN 4 WHEN 'true' THEN 5 WHEN 'false' THEN 5 ELSE 0 END"
)


def sort_terms(sort: Sort, compiled: CompiledSelector) -> list[str]:
    """Return the expressions whose values are the place of a row in the order."""
    terms: list[str] = []
    for key in sort:
        if key.is_of_commits:
            terms.append("events.seq")
        else:
            terms.extend([COLUMNS[key.path].name] if key.is_plain else _general(key.path, compiled))
    return terms


def _general(path: Path, compiled: CompiledSelector) -> list[str]:
    """Return kind, number and text of a value, as ``sorting.general_place`` does."""
    if path in COLUMNS:
        column = COLUMNS[path]
        kind = f"({column.name} IS NOT NULL) * {int(column.kind)}"
        # A bare constant would be taken for the number of a column by ORDER BY.
        if column.kind is Kind.NUMBER:
            return [kind, f"coalesce({column.name}, 0)", f"substr({kind}, 1, 0)"]
        return [kind, f"{kind} * 0", f"coalesce({column.name}, '')"]
    where = compiled.bind(json_path(path[1:]))
    place = f"{path[0]}, {where}"
    value = f"({path[0]} ->> {where})"
    kind = f"json_type({place})"
    return [
        _RANKS.format(place),
        f"CASE WHEN {kind} IN ('integer', 'real', 'true') THEN {value} ELSE 0 END",
        f"CASE WHEN {kind} = 'text' THEN {value} ELSE '' END",
    ]


def order_by(terms: Sequence[str], sort: Sort) -> str:
    """Return the ORDER BY of the terms."""
    pairs = zip(terms, directions(sort), strict=True)
    return ", ".join(f"{term} DESC" if descends else term for term, descends in pairs)


def behind(terms: Sequence[str], sort: Sort, place: Place, compiled: CompiledSelector) -> str:
    """Return the condition that a row stands behind a place in the order."""
    is_plain = all(key.is_plain for key in sort)
    return _guarded(_behind(terms, sort, place, compiled), compiled.is_whole, by=not is_plain)


def not_behind(terms: Sequence[str], sort: Sort, place: Place, compiled: CompiledSelector) -> str:
    """Return the condition that a row stands at or before a place in an order of one direction."""
    sign = ">=" if directions(sort)[0] else "<="
    return f"({', '.join(terms)}) {sign} ({', '.join(map(compiled.bind, place))})"


def _behind(terms: Sequence[str], sort: Sort, place: Place, compiled: CompiledSelector) -> str:
    descending = directions(sort)
    values = [compiled.bind(value) for value in place]
    if len(set(descending)) == 1:
        sign = "<" if descending[0] else ">"
        return f"({', '.join(terms)}) {sign} ({', '.join(values)})"
    ways = []
    for index, (term, value) in enumerate(zip(terms, values, strict=True)):
        same = [f"{one} = {other}" for one, other in zip(terms[:index], values[:index], strict=True)]
        ways.append(" AND ".join([*same, f"{term} {'<' if descending[index] else '>'} {value}"]))
    return "(" + " OR ".join(f"({way})" for way in ways) + ")"
