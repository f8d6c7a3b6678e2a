"""The asynchronous twins of methods that wait for the network: the same call, in a thread.

A twin calls the method by its name, so that a class that overrides the method has changed its twin,
too. asyncio is imported by the first call: only asynchronous programs have it, and they have it anyway.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from inspect import cleandoc, signature
from itertools import islice
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

_AT_ONCE: Final = 1_000
"""Items taken in one visit to a thread: a page of events, so that nobody waits for the next one."""

_Owner = TypeVar("_Owner")
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def asynchronous(
    method: Callable[Concatenate[_Owner, _Parameters], _Result],
) -> Callable[Concatenate[_Owner, _Parameters], Coroutine[Any, Any, _Result]]:
    """Return the twin of a method that returns something; it is to be called ``async_<its name>``.

    A call that is cancelled goes on in its thread until its request ends; what it returns is lost.
    """
    name = method.__name__

    @wraps(method)
    async def twin(owner: _Owner, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        import asyncio  # noqa: PLC0415 - see the module's docstring

        result: _Result = await asyncio.to_thread(getattr(owner, name), *args, **kwargs)
        return result

    return _named(twin, method)


def asynchronous_iterator(
    method: Callable[Concatenate[_Owner, _Parameters], Iterator[_Result]],
) -> Callable[Concatenate[_Owner, _Parameters], AsyncGenerator[_Result, None]]:
    """Return the twin of a method that returns an iterator: an asynchronous generator of the same.

    Up to a thousand items are fetched ahead of the one that is looked at.
    """
    name = method.__name__

    @wraps(method)
    async def twin(
        owner: _Owner, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> AsyncGenerator[_Result, None]:
        import asyncio  # noqa: PLC0415 - see the module's docstring

        items: Iterator[_Result] = await asyncio.to_thread(getattr(owner, name), *args, **kwargs)
        while some := await asyncio.to_thread(list, islice(items, _AT_ONCE)):
            for item in some:
                yield item

    shown = signature(method)
    vars(twin)["__signature__"] = shown.replace(return_annotation=f"Async{shown.return_annotation}")
    return _named(twin, method)


_Twin = TypeVar("_Twin", bound=Callable[..., Any])


def _named(twin: _Twin, method: Callable[..., Any]) -> _Twin:
    """Give a twin the name and the page of help that are its own."""
    place, dot, name = method.__qualname__.rpartition(".")
    twin.__name__ = f"async_{name}"
    twin.__qualname__ = f"{place}{dot}async_{name}"
    # ``help`` shows it as one text, whatever the indentation of the method's own.
    twin.__doc__ = (
        f"Do what ``{name}`` does, in a thread, without holding up the event loop.\n\n"
        + cleandoc(method.__doc__ or "")
    )
    return twin
