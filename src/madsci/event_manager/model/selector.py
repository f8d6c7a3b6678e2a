"""The query language as a small tree, which every store compiles and ``matcher`` explains.

``selector_parser`` makes it from JSON. A leaf speaks about the values that its path reaches; in the
tree below an ``ElementPasses`` the empty path is the element itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from madsci.event_manager.model.pattern import Pattern
from madsci.event_manager.model.text_search import TextSearch

Path = tuple[str, ...]


@dataclass(frozen=True)
class And:
    """All parts hold; holds when there are none."""

    parts: tuple[Selector, ...]


@dataclass(frozen=True)
class Or:
    """At least one part holds; never holds when there are none."""

    parts: tuple[Selector, ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold, also where it cannot be compared."""

    part: Selector


@dataclass(frozen=True)
class Equals:
    """A value at the path equals the operand, or is an array that contains it."""

    path: Path
    value: Any


@dataclass(frozen=True)
class Compare:
    """A value at the path, of the operand's kind, is greater or less than it.

    ``operator`` is one of ``$gt $gte $lt $lte``.
    """

    path: Path
    operator: str
    value: Any


@dataclass(frozen=True)
class In:
    """A value at the path equals one of the operands."""

    path: Path
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Exists:
    """There is something at the path, be it null."""

    path: Path


@dataclass(frozen=True)
class HasType:
    """A value at the path, or an element of an array there, has one of MongoDB's types."""

    path: Path
    types: frozenset[str]


@dataclass(frozen=True)
class Modulo:
    """A number at the path, its fraction cut off, leaves this remainder; the sign is the dividend's."""

    path: Path
    divisor: int
    remainder: int


@dataclass(frozen=True)
class HasBits:
    """Bits of a whole number at the path are set or clear.

    ``operator`` is one of ``$bitsAllSet $bitsAllClear $bitsAnySet $bitsAnyClear``; bit 63 of the mask
    is the sign and all bits above it.
    """

    path: Path
    operator: str
    mask: int


@dataclass(frozen=True)
class HasSize:
    """The path ends at an array of so many elements."""

    path: Path
    size: int


@dataclass(frozen=True)
class Matches:
    """A text at the path matches a regular expression; an instant does in its text form."""

    path: Path
    pattern: Pattern
    of_instant: bool = False


@dataclass(frozen=True)
class ElementMatches:
    """The path ends at an array with an element that, read as a document, matches ``selector``."""

    path: Path
    selector: Selector


@dataclass(frozen=True)
class ElementPasses:
    """The path ends at an array with an element that itself passes ``test``, a tree of empty paths."""

    path: Path
    test: Selector


@dataclass(frozen=True)
class Text:
    """The message of the event has the words."""

    search: TextSearch


Leaf = (
    Equals | Compare | In | Exists | HasType | Modulo | HasBits | HasSize | Matches | ElementMatches
    | ElementPasses
)  # fmt: skip
Selector = And | Or | Not | Leaf | Text

EVERYTHING: Final = And(())
NOT_ARCHIVED: Final = Equals(("archived",), value=False)
NOTHING: Final = Or(())


def conjuncts(selector: Selector) -> Iterator[Selector]:
    """Yield the parts all of which must hold."""
    if isinstance(selector, And):
        for part in selector.parts:
            yield from conjuncts(part)
    else:
        yield selector


def is_everything(selector: Selector) -> bool:
    """Tell whether every event matches, as can be seen."""
    return next(conjuncts(selector), None) is None


def leaves(selector: Selector) -> Iterator[Leaf | Text]:
    """Yield the leaves of the tree; what lies below an array's element belongs to its leaf."""
    if isinstance(selector, (And, Or)):
        for part in selector.parts:
            yield from leaves(part)
    elif isinstance(selector, Not):
        yield from leaves(selector.part)
    else:
        yield selector
