"""Taking the context along to where Python leaves it behind: threads and executors.

Tasks and ``asyncio.to_thread`` have it anyway. Processes cannot: give them names and ids as arguments,
and open a context there.
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from typing_extensions import ParamSpec

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def carry_context(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Return the function as one that runs in the context of here and now, wherever it is called.

    For executors: ``executor.submit(carry_context(measure), plate)``. Every call gets a copy, so that
    calls may run at the same time and do not see each other's contexts.
    """
    context = contextvars.copy_context()

    @functools.wraps(function)
    def run(*args: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        return context.copy().run(function, *args, **named)

    return run


def context_thread(
    target: Callable[..., object],
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    **thread: Any,
) -> threading.Thread:
    """Return a thread, not yet started, whose target runs in the context of here and now.

    Further arguments are ``threading.Thread``'s.
    """
    return threading.Thread(target=carry_context(target), args=tuple(args), kwargs=kwargs, **thread)
