"""What the server can be asked to do: one table, for routing, for what stands before, for OpenAPI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeVar

from starlette.types import ASGIApp

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Scope(Enum):
    """What somebody may do who may do an operation."""

    SEND = "send"
    """Add events. Never limited: a flight recorder that turns evidence away has failed."""
    READ = "read"
    """Ask for events, and for what the server is set to."""
    MANAGE = "manage"
    """Archive, delete, copy."""
    OPEN = "open"
    """Learn that the server is there, and how it is."""


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    ``name`` is the operation's id in OpenAPI, and what a generated client calls it. ``handler`` is read
    by the framework: its parameters are those of the URL, its docstring the description. ``statuses``
    are those of the problems that it may end in, beside those that every operation may. ``options`` are
    further arguments of the framework's routes.
    """

    method: str
    path: str
    name: str
    summary: str
    scope: Scope
    handler: Callable[..., Any]
    tag: str
    statuses: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FastOperation(Operation):
    """A row whose handler is plain ASGI, without the layers of a framework, and takes no parameters.

    They cost more than reading, checking and keeping an event. ``document`` is its part of OpenAPI.
    """

    handler: ASGIApp
    document: dict[str, Any] = field(default_factory=dict)


WANTS_HEAD: Final = "madsci.wants_head"
"""In the scope of a GET that stands for a HEAD: nothing is to be changed for it."""
VARIABLE: Final = "{"
"""Begins the part of a path that differs; it is the last one."""


class Operations:
    """The table. Each topic fills one with ``add``; they are joined with ``extend``."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Operation] = {}

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._rows.values())

    def put(self, row: Operation) -> None:
        """Add a row.

        Raises:
            ValueError: there is one already, or something follows the variable part of the path.
        """
        key = row.method, row.path
        if key in self._rows or (VARIABLE in row.path and not row.path.endswith("}")):
            raise ValueError(f"{row.method} {row.path} cannot be added.")
        self._rows[key] = row

    def add(  # noqa: PLR0913, PLR0917 - the columns of the table
        self,
        method: str,
        path: str,
        name: str,
        summary: str,
        scope: Scope,
        tag: str,
        statuses: tuple[int, ...] = (),
        **options: Any,
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that makes a function the handler of a row."""

        def decorate(handler: Handler) -> Handler:
            self.put(Operation(method, path, name, summary, scope, handler, tag, statuses, options))
            return handler

        return decorate

    def extend(self, others: Operations) -> None:
        """Add all rows of another table."""
        for row in others:
            self.put(row)
