"""Contexts around functions and around the methods of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar, overload

from madsci.common.context.client import cached_client, get_event_client, open_context
from madsci.common.context.event_context import current_event_context
from madsci.common.context.wrapping import Opened, hook_values, wrap_function, wrap_public_methods

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Class = TypeVar("_Class", bound=type)

_PARAMETER: Final = "event_client"
_HOOK: Final = "get_event_context"


@overload
def with_event_client(function: _Function, /) -> _Function: ...
@overload
def with_event_client(
    function: str | None = None, /, *, name: str | None = None, inherit: bool = True, **metadata: Any
) -> Callable[[_Function], _Function]: ...
def with_event_client(
    function: Callable[..., Any] | str | None = None,
    /,
    *,
    name: str | None = None,
    inherit: bool = True,
    **metadata: Any,
) -> Any:
    """Run a function in an event client context named after it: a plain one, a coroutine, a generator.

    A parameter named ``event_client`` that the caller leaves out is given the client. A generator's
    context holds while the generator runs, and not while its consumer does.

    Outside of other contexts the client is the process's one of this name, which stays open: a
    function that is called often does not open files at each call.
    """
    if function is None or isinstance(function, str):
        given = name or function
        return lambda f: with_event_client(f, name=given, inherit=inherit, **metadata)
    known = name or getattr(function, "__qualname__", None) or type(function).__name__
    return wrap_function(function, lambda _: _open(known, metadata, inherit=inherit), _PARAMETER)


class _CurrentClient:
    """The attribute ``event_client`` of objects. An object may have its own instead."""

    def __init__(self, name: str, metadata: dict[str, Any]) -> None:
        self._name = name
        self._metadata = metadata

    def __get__(self, owner: object, kind: type | None = None) -> Any:
        if owner is None:
            return self
        data = {**self._metadata, **hook_values(owner, _HOOK)}
        return get_event_client(self._name).bind(**data)


@overload
def event_client_class(decorated: _Class, /) -> _Class: ...
@overload
def event_client_class(
    decorated: str | None = None,
    /,
    *,
    name: str | None = None,
    inherit: bool = True,
    wrap_methods: bool | Iterable[str] = True,
    **metadata: Any,
) -> Callable[[_Class], _Class]: ...
def event_client_class(
    decorated: type | str | None = None,
    /,
    *,
    name: str | None = None,
    inherit: bool = True,
    wrap_methods: bool | Iterable[str] = True,
    **metadata: Any,
) -> Any:
    """Run the public methods of a class in contexts named ``<class>.<method>``.

    The class gets an attribute ``event_client``, the client of where it is asked for.
    An object may add data of its own: ``get_event_context()`` returns them, for each call anew.
    ``wrap_methods`` names the methods that get a context instead, private ones if wanted; ``False``
    gives none. All others run in the context of their caller.
    """
    if decorated is None or isinstance(decorated, str):
        given = name or decorated
        return lambda kind: event_client_class(
            kind, name=given, inherit=inherit, wrap_methods=wrap_methods, **metadata
        )
    known = name or decorated.__name__

    def wrap(method_name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        context_name = f"{known}.{method_name}"

        def open_for(arguments: tuple[Any, ...]) -> Opened:
            own = hook_values(arguments[0], _HOOK) if arguments else {}
            return _open(context_name, {**metadata, **own}, inherit=inherit)

        return wrap_function(method, open_for, _PARAMETER)

    decorated._event_client_context_name = known  # type: ignore[attr-defined]  # noqa: SLF001
    decorated._event_client_context_inherit = inherit  # type: ignore[attr-defined]  # noqa: SLF001
    decorated._event_client_context_metadata = metadata  # type: ignore[attr-defined]  # noqa: SLF001
    inherited = getattr(decorated, _PARAMETER, None)
    if inherited is None or isinstance(inherited, _CurrentClient):
        setattr(decorated, _PARAMETER, _CurrentClient(known, metadata))
    return wrap_public_methods(decorated, "event client", wrap, wrap_methods)


def _open(name: str, metadata: dict[str, Any], *, inherit: bool) -> Opened:
    outer = current_event_context.get() if inherit else None
    return open_context(name, metadata, outer, cached_client)
