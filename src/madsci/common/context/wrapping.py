"""Running functions of every kind inside a context: plain ones, coroutines, both kinds of generators.

What a context is stays with its owner, as one ``ContextVar``. Leaving sets the variable to what it was
instead of resetting a token, since generators may end in another thread or task than they began in.
"""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from typing_extensions import Self

from madsci.common.jsonable import attempt

_Class = TypeVar("_Class", bound=type)

HOOKS: Final = frozenset(
    {"get_event_context", "get_ownership_overrides", "get_context_overrides", "get_span_attributes"}
)
"""Methods that tell about an object; they run outside of its contexts."""

_KIND: Final = "__madsci_context_kind__"


@dataclass(frozen=True)
class Opened:
    """A context that is about to begin."""

    variable: ContextVar[Any]
    value: object
    """What the variable holds inside."""
    given: Callable[[], Any]
    """Makes what the code inside is handed; called inside."""
    end: Callable[[], object] | None = None
    """Called when all is over, outside."""


Open = Callable[[tuple[Any, ...]], Opened]
"""Makes the context of a call from the call's positional arguments."""


@contextmanager
def opened(context: Opened) -> Iterator[Any]:
    """Hold a context for the length of a block."""
    outer = context.variable.get()
    context.variable.set(context.value)
    try:
        yield context.given()
    finally:
        context.variable.set(outer)
        _end(context)


def wrap_function(
    function: Callable[..., Any], open_context: Open, parameter: str
) -> Callable[..., Any]:
    """Return the function as one whose calls each run in a context of their own.

    A parameter of that name which the caller leaves out is given what the context hands over.
    """
    if not callable(function):
        raise TypeError(
            f"{function!r} is no function: put the decorator beneath @staticmethod or @classmethod."
        )
    complete = _completion(function, parameter)
    if inspect.isasyncgenfunction(function):
        return _wrap_async_generator(function, open_context, complete)
    if inspect.isgeneratorfunction(function):
        return _wrap_generator(function, open_context, complete)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run(*args: Any, **named: Any) -> Any:
            with opened(open_context(args)) as given:
                return await function(*args, **complete(args, named, given))

        return run

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        with opened(open_context(args)) as given:
            return function(*args, **complete(args, named, given))

    return call


_Complete = Callable[[tuple[Any, ...], dict[str, Any], Any], dict[str, Any]]


def _completion(function: Callable[..., Any], parameter: str) -> _Complete:
    """Return what adds the context's object to the keyword arguments of calls without it."""
    signature = attempt(inspect.signature, function)  # builtin functions may have none
    kinds = {one.name: one.kind for one in signature.parameters.values()} if signature else {}
    keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if kinds.get(parameter) not in keyword:
        return lambda _args, named, _given: named
    by_place = kinds[parameter] == inspect.Parameter.POSITIONAL_OR_KEYWORD
    place = list(kinds).index(parameter) if by_place else None

    def complete(args: tuple[Any, ...], named: dict[str, Any], given: Any) -> dict[str, Any]:
        is_there = parameter in named or (place is not None and place < len(args))
        return named if is_there else {**named, parameter: given}

    return complete


class _Steps:
    """Switches a context on for each step of a generator, and off while its consumer runs."""

    def __init__(self, context: Opened) -> None:
        self._variable = context.variable
        self._inside = context.value
        self._outside: object = None

    def __enter__(self) -> None:
        self._outside = self._variable.get()
        self._variable.set(self._inside)

    def __exit__(self, *_: object) -> None:
        self._inside = self._variable.get()  # the generator may stand in a context of its own
        self._variable.set(self._outside)


class _SteppedGenerator(Generator[Any, Any, Any]):
    """A generator whose every step runs inside the context."""

    def __init__(self, generator: Generator[Any, Any, Any], steps: _Steps) -> None:
        self._generator = generator
        self._steps = steps

    def send(self, value: Any) -> Any:
        with self._steps:
            return self._generator.send(value)

    def throw(self, *error: Any) -> Any:  # the form of three arguments, too
        with self._steps:
            return self._generator.throw(*error)

    def close(self) -> None:
        with self._steps:
            self._generator.close()


def _wrap_generator(
    function: Callable[..., Any], open_context: Open, complete: _Complete
) -> Callable[..., Any]:
    @functools.wraps(function)
    def generate(*args: Any, **named: Any) -> Generator[Any, Any, Any]:
        context = open_context(args)
        steps = _Steps(context)
        try:
            with steps:
                generator = function(*args, **complete(args, named, context.given()))
            return (yield from _SteppedGenerator(generator, steps))
        finally:
            _end(context)

    return generate


class _Thrown:
    """Takes what a consumer throws into a generator, to be thrown on. Closing goes its own way."""

    error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        self.error = error
        return not isinstance(error, GeneratorExit)


def _wrap_async_generator(
    function: Callable[..., Any], open_context: Open, complete: _Complete
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def generate(*args: Any, **named: Any) -> AsyncGenerator[Any, Any]:
        context = open_context(args)
        steps = _Steps(context)
        try:
            with steps:
                generator = function(*args, **complete(args, named, context.given()))
            try:
                step = generator.asend(None)
                while True:
                    with steps:
                        item = await step
                    sent = None
                    with _Thrown() as thrown:
                        sent = yield item
                    error = thrown.error
                    step = generator.asend(sent) if error is None else generator.athrow(error)
            except StopAsyncIteration:
                return
            finally:
                with steps:
                    await generator.aclose()
        finally:
            _end(context)

    return generate


def _end(context: Opened) -> None:
    if context.end is not None:
        context.end()


_Wrap = Callable[[str, Callable[..., Any]], Callable[..., Any]]


def wrap_public_methods(
    decorated: _Class,
    kind: str,
    wrap: _Wrap,
    wanted: bool | Iterable[str],  # noqa: FBT001 - the front's wrap_methods
) -> _Class:
    """Replace methods of a class by what ``wrap`` makes of their name and function.

    ``wanted`` is true for all public ones, inherited ones too, or names them. Of a method that was
    wrapped for the parent class, for the same ``kind`` of context, the original is wrapped.
    """
    for name in _method_names(decorated, wanted):
        function = inspect.getattr_static(decorated, name)
        if name not in vars(decorated) and getattr(function, _KIND, None) == kind:
            function = function.__wrapped__
        wrapped = wrap(name, function)
        setattr(wrapped, _KIND, kind)
        setattr(decorated, name, wrapped)
    return decorated


def _method_names(decorated: type, wanted: bool | Iterable[str]) -> list[str]:  # noqa: FBT001
    if isinstance(wanted, bool):
        return [name for name in dir(decorated) if wanted and _is_public_method(decorated, name)]
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if not _is_method(decorated, name):
            raise TypeError(
                f"wrap_methods names {name!r}, but {decorated.__name__} has no such method."
            )
    return names


def _is_public_method(decorated: type, name: str) -> bool:
    return not name.startswith("_") and name not in HOOKS and _is_method(decorated, name)


def _is_method(decorated: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(decorated, name, None), types.FunctionType)


def hook_values(owner: object, hook: str) -> dict[str, Any]:
    """Return what an object's hook tells about it; a hook that fails costs its data, not the call."""
    method = getattr(owner, hook, None)
    if method is None:
        return {}
    answer = attempt(lambda: (method(),))
    if answer is not None and isinstance(answer[0], Mapping):
        return {str(name): value for name, value in answer[0].items()}
    if answer is None or answer[0] is not None:
        warnings.warn(
            f"{type(owner).__qualname__}.{hook}() should return a dict; what it tells is left out.",
            RuntimeWarning,
            stacklevel=2,
        )
    return {}
