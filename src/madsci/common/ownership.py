"""Who is behind what happens now: ids that hold for the process, and ids that hold for part of a run.

Events carry both in ``source``. From the lowest precedence to the highest: ``global_ownership_info``,
the configuration of the client that logs, the ownership contexts, the inner over the outer.

What is handed out is always a copy: an event that exists does not change any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from madsci.common.context.wrapping import (
    Opened,
    hook_values,
    opened,
    wrap_function,
    wrap_public_methods,
)
from madsci.common.forking import reset_in_child
from madsci.common.types.ownership import OwnershipInfo

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Class = TypeVar("_Class", bound=type)

__all__ = [
    "get_current_ownership_info",
    "global_ownership_info",
    "has_ownership_context",
    "layered_ownership",
    "ownership_class",
    "ownership_context",
    "with_ownership",
]


class Changes:
    """Counts changes of the process's ids: log calls look at the count instead of at all ids.

    A forked child is another process, so it begins with a change.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        """Count one."""
        self.count += 1


process_changes: Final = Changes()
reset_in_child(process_changes.add)


class _ProcessOwnership(OwnershipInfo):
    # A visible __setattr__ would let mypy accept any attribute.
    if not TYPE_CHECKING:  # pragma: no branch

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            process_changes.add()


global_ownership_info: Final[OwnershipInfo] = _ProcessOwnership()
"""The ids of this process, such as the ``manager_id`` of a manager: assign to its members."""


class OwnershipIds:
    """The ids of the current ownership contexts together; another object whenever they change."""

    __slots__ = ("by_name",)

    def __init__(self, by_name: Mapping[str, Any]) -> None:
        self.by_name = by_name


current_ids: Final[ContextVar[OwnershipIds | None]] = ContextVar("madsci_ownership", default=None)
"""What ownership contexts say here and now. Only this module sets it."""


@contextmanager
def ownership_context(**ids: Any) -> Iterator[OwnershipInfo]:
    """Let events carry these ids inside the block, and yield the ownership that holds there.

    Ids are free text. ``None`` takes an id away.
    """
    with opened(_open(ids)) as info:
        yield info


def get_current_ownership_info() -> OwnershipInfo:
    """Return a copy of the ownership that holds here: the process's ids and those of the contexts."""
    return OwnershipInfo(**layered_ownership({}))


def has_ownership_context() -> bool:
    """Tell whether this runs inside an ownership context."""
    return current_ids.get() is not None


def layered_ownership(configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the current ids by name, where ``configured`` ones lie between process and contexts."""
    ids = current_ids.get()
    layers = {**global_ownership_info.model_dump(), **configured, **(ids.by_name if ids else {})}
    return {name: value for name, value in layers.items() if value is not None}


@overload
def with_ownership(function: _Function, /) -> _Function: ...
@overload
def with_ownership(function: None = None, /, **ids: Any) -> Callable[[_Function], _Function]: ...
def with_ownership(function: Callable[..., Any] | None = None, /, **ids: Any) -> Any:
    """Run a function, of any kind, in an ownership context.

    A parameter named ``ownership_info`` that the caller leaves out is given the ownership.
    """
    if function is None:
        return lambda given: with_ownership(given, **ids)
    return wrap_function(function, lambda _: _open(ids), "ownership_info")


@overload
def ownership_class(decorated: _Class, /) -> _Class: ...
@overload
def ownership_class(
    decorated: None = None, /, *, wrap_methods: bool | Iterable[str] = True, **ids: Any
) -> Callable[[_Class], _Class]: ...
def ownership_class(
    decorated: type | None = None, /, *, wrap_methods: bool | Iterable[str] = True, **ids: Any
) -> Any:
    """Run the public methods of a class in ownership contexts with these ids.

    An object may add its own: ``get_ownership_overrides()`` returns them, for each call anew.
    ``wrap_methods`` names the methods instead.
    """
    if decorated is None:
        return lambda given: ownership_class(given, wrap_methods=wrap_methods, **ids)

    def wrap(_: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def open_for(arguments: tuple[Any, ...]) -> Opened:
            own = hook_values(arguments[0], "get_ownership_overrides") if arguments else {}
            return _open({**ids, **own})

        return wrap_function(method, open_for, "ownership_info")

    return wrap_public_methods(decorated, "ownership", wrap, wrap_methods)


def _open(ids: Mapping[str, Any]) -> Opened:
    checked = OwnershipInfo(**ids)
    outer = current_ids.get()
    inner = {name: getattr(checked, name) for name in ids}
    whole = OwnershipIds({**(outer.by_name if outer else {}), **inner})
    return Opened(current_ids, whole, get_current_ownership_info)
