"""Which servers are meant here: the process's ``MadsciContext``, and others for parts of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Final, TypeVar, overload

from madsci.common.context.wrapping import (
    Opened,
    hook_values,
    opened,
    wrap_function,
    wrap_public_methods,
)
from madsci.common.types.context_types import MadsciContext

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Class = TypeVar("_Class", bound=type)

_current: Final[ContextVar[MadsciContext | None]] = ContextVar("madsci_context", default=None)


class GlobalMadsciContext:
    """The ``MadsciContext`` of the process, read from its sources when it is first asked for."""

    _context: ClassVar[MadsciContext | None] = None
    _is_set: ClassVar[bool] = False
    _lock: ClassVar[threading.RLock] = threading.RLock()

    @classmethod
    def get_context(cls) -> MadsciContext:
        """Return it.

        Raises:
            SettingsError: a setting in the environment or a file cannot be used.
        """
        context = cls._context
        if context is None:
            context = MadsciContext()
            with cls._lock:
                if cls._context is None:
                    cls._context = context
                context = cls._context
        return context

    @classmethod
    def set_context(cls, context: MadsciContext | None) -> None:
        """Replace it; ``None`` lets it be read anew."""
        with cls._lock:
            cls._context = context
            cls._is_set = context is not None

    @classmethod
    def is_set(cls) -> bool:
        """Tell whether it was set, rather than read from its sources."""
        return cls._is_set


def get_current_madsci_context() -> MadsciContext:
    """Return the context that holds here: the innermost one, else that of the process."""
    return _current.get() or GlobalMadsciContext.get_context()


def set_current_madsci_context(context: MadsciContext | None) -> None:
    """Let a context hold from here on, in this thread or task; ``None`` for that of the process."""
    _current.set(context)


def has_madsci_context() -> bool:
    """Tell whether somebody set a context; reading one sets none."""
    return _current.get() is not None or GlobalMadsciContext.is_set()


@contextmanager
def madsci_context(**overrides: Any) -> Iterator[MadsciContext]:
    """Let other addresses hold inside the block, and yield the context with them.

    Raises:
        SettingsError: there is no such server, or a value is no address.
    """
    with opened(_open(overrides)) as context:
        yield context


@overload
def with_madsci_context(function: _Function, /) -> _Function: ...
@overload
def with_madsci_context(
    function: None = None, /, **overrides: Any
) -> Callable[[_Function], _Function]: ...
def with_madsci_context(function: Callable[..., Any] | None = None, /, **overrides: Any) -> Any:
    """Run a function, of any kind, with other addresses.

    A parameter named ``madsci_ctx`` that the caller leaves out is given the context.
    """
    if function is None:
        return lambda given: with_madsci_context(given, **overrides)
    return wrap_function(function, lambda _: _open(overrides), "madsci_ctx")


class _CurrentContext:
    """The attribute ``madsci_context`` of objects. An object may have its own instead."""

    def __get__(self, owner: object, kind: type | None = None) -> Any:
        return self if owner is None else get_current_madsci_context()


@overload
def madsci_context_class(decorated: _Class, /) -> _Class: ...
@overload
def madsci_context_class(
    decorated: None = None, /, *, wrap_methods: bool | Iterable[str] = True, **overrides: Any
) -> Callable[[_Class], _Class]: ...
def madsci_context_class(
    decorated: type | None = None,
    /,
    *,
    wrap_methods: bool | Iterable[str] = True,
    **overrides: Any,
) -> Any:
    """Run the public methods of a class with other addresses, and give it ``madsci_context``.

    An object may add its own: ``get_context_overrides()`` returns them, for each call anew.
    ``wrap_methods`` names the methods instead.
    """
    if decorated is None:
        return lambda given: madsci_context_class(given, wrap_methods=wrap_methods, **overrides)

    def wrap(_: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def open_for(arguments: tuple[Any, ...]) -> Opened:
            own = hook_values(arguments[0], "get_context_overrides") if arguments else {}
            return _open({**overrides, **own})

        return wrap_function(method, open_for, "madsci_ctx")

    if not hasattr(decorated, "madsci_context"):
        decorated.madsci_context = _CurrentContext()  # type: ignore[attr-defined]
    return wrap_public_methods(decorated, "servers", wrap, wrap_methods)


def _open(overrides: Mapping[str, Any]) -> Opened:
    context = get_current_madsci_context()
    inner = context.replaced(**overrides) if overrides else context.model_copy()
    return Opened(_current, inner, lambda: inner)
