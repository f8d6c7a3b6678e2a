"""What stands behind an operator of the query language, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from madsci.common.errors import InvalidSelectorError
from madsci.event_manager.model.pattern import Pattern
from madsci.event_manager.model.text_search import TextSearch
from madsci.event_manager.model.values import INT64, Kind, kind_of, whole_number

_TYPE_CODES: Final = {
    1: "double", 2: "string", 3: "object", 4: "array", 5: "binData", 6: "undefined", 7: "objectId",
    8: "bool", 9: "date", 10: "null", 11: "regex", 12: "dbPointer", 13: "javascript", 14: "symbol",
    15: "javascriptWithScope", 16: "int", 17: "timestamp", 18: "long", 19: "decimal", -1: "minKey",
    127: "maxKey",
}  # fmt: skip
_TYPE_NAMES: Final = frozenset(_TYPE_CODES.values())
_NUMBERS: Final = frozenset({"double", "int", "long", "decimal"})
_SIGN_BIT: Final = 63
_MAX_POSITIONS: Final = 1_000


def invalid(message: str, path: str = "") -> InvalidSelectorError:
    """Return the error that says what is wrong with a selector, and where."""
    return InvalidSelectorError(message, [{"loc": [path] if path else [], "msg": message}])


def is_operators(value: object) -> bool:
    """Tell whether a value is an object of operators, and none of MongoDB's extended JSON."""
    return (
        isinstance(value, Mapping)
        and any(key.startswith("$") for key in value)
        and not _is_extended(value)
    )


def _is_extended(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in _EXTENDED


def plain_value(value: Any, name: str) -> Any:
    """Return a value in place of MongoDB's extended JSON for it: dates, ids, sized numbers, patterns.

    Raises:
        InvalidSelectorError: it looks like extended JSON, but is none.
    """
    if not isinstance(value, Mapping) or not _is_extended(value):
        return value
    ((kind, inner),) = value.items()
    if kind == _REGULAR and isinstance(inner, Mapping) and inner.keys() <= {"pattern", "options"}:
        return pattern(inner.get("pattern"), inner.get("options", ""), name)
    try:
        return _EXTENDED[kind](inner)
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid(f"{kind} at {name} cannot be read: {inner!r:.80}.", name) from error


def _date(value: Any) -> Any:
    if isinstance(value, Mapping):
        return int(value["$numberLong"]) if set(value) == {"$numberLong"} else value
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _refused(_: Any) -> Any:
    raise TypeError


_REGULAR: Final = "$regularExpression"
_EXTENDED: Final[dict[str, Callable[[Any], Any]]] = {
    _REGULAR: _refused,  # but for one of its form
    "$date": _date,
    "$oid": _text,
    "$numberInt": int,
    "$numberLong": int,
    "$numberDouble": float,
}


def type_names(operand: Any, name: str) -> frozenset[str]:
    """Read the operand of ``$type``: names, codes, or a list of them; ``number`` means all of them."""
    listed = operand if isinstance(operand, list) else [operand]
    if not listed:
        raise invalid(f"$type at {name} takes at least one type.", name)
    found: set[str] = set()
    for one in listed:
        known = _TYPE_CODES.get(one) if kind_of(one) is Kind.NUMBER else one
        if known == "number":
            found |= _NUMBERS
        elif isinstance(known, str) and known in _TYPE_NAMES:
            found.add(known)
        else:
            raise invalid(
                f"$type at {name} does not know {one!r:.40}. Use a name such as 'string', 'int',"
                " 'double', 'number', 'bool', 'object', 'array' or 'null'.",
                name,
            )
    return frozenset(found)


def modulo(operand: Any, name: str) -> tuple[int, int]:
    """Read the operand of ``$mod``: divisor and remainder, their fractions cut off."""
    if not isinstance(operand, list) or len(operand) != 2:  # noqa: PLR2004 - [divisor, remainder]
        raise invalid(f"$mod at {name} takes [divisor, remainder], not {operand!r:.80}.", name)
    divisor, remainder = (whole_number(number) for number in operand)
    if divisor is None or remainder is None:
        raise invalid(f"$mod at {name} takes two numbers of 64 bits, not {operand!r:.80}.", name)
    if divisor == 0:
        raise invalid(f"$mod at {name} cannot divide by 0.", name)
    return divisor, remainder


def array_size(operand: Any, name: str) -> int:
    """Read the operand of ``$size``."""
    size = _count(operand)
    if size is None:
        raise invalid(f"$size at {name} takes a whole number from 0 on, not {operand!r:.80}.", name)
    return size


def bit_mask(operator: str, operand: Any, name: str) -> int:
    """Read the operand of a bit operator: a mask, or a list of positions."""
    if isinstance(operand, list) and len(operand) <= _MAX_POSITIONS:
        positions = [_count(position) for position in operand]
        if None not in positions:
            # Bits beyond the 64th are copies of the sign.
            return sum(1 << place for place in {min(one or 0, _SIGN_BIT) for one in positions})
    elif _count(operand) is not None:
        return int(operand)
    raise invalid(
        f"{operator} at {name} takes a whole number from 0 on or a list of positions from 0 on, not"
        f" {operand!r:.80}.",
        name,
    )


def _count(value: Any) -> int | None:
    """Return a whole number from 0 on in 64 bits."""
    if kind_of(value) is not Kind.NUMBER or value != value // 1 or value < 0:
        return None
    return int(value) if int(value) in INT64 else None


def pattern(operand: Any, options: Any, name: str) -> Pattern:
    """Read the operands of ``$regex`` and ``$options``."""
    if not isinstance(operand, str) or not isinstance(options, str):
        wrong = options if isinstance(operand, str) else operand
        raise invalid(f"$regex and $options at {name} take text, not {wrong!r:.80}.", name)
    try:
        return Pattern(operand, options)
    except ValueError as error:
        raise invalid(f"$regex at {name} cannot be used: {operand!r:.80}: {error}.", name) from error


def text_search(operand: Any) -> TextSearch:
    """Read the operand of ``$text``."""
    if not isinstance(operand, Mapping) or not isinstance(operand.get("$search"), str):
        raise invalid(f'$text takes {{"$search": "some words"}}, not {operand!r:.80}.', "$text")
    unknown = set(operand) - {"$search", "$language", "$caseSensitive", "$diacriticSensitive"}
    if unknown:
        raise invalid(f"$text does not know {min(unknown)!r}.", "$text")
    language = operand.get("$language", "none")
    if language != "none":
        raise invalid(
            f"$language {language!r:.40} is not served: words are searched as they are written, which"
            " MongoDB calls 'none'. Leave $language out.",
            "$text",
        )
    flags = []
    for flag in ("$caseSensitive", "$diacriticSensitive"):
        flags.append(operand.get(flag, False))
        if not isinstance(flags[-1], bool):
            raise invalid(f"{flag} takes true or false, not {flags[-1]!r:.40}.", "$text")
    return TextSearch.parse(operand["$search"], case_sensitive=flags[0], diacritic_sensitive=flags[1])
