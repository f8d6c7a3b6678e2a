"""What log calls look like to people, editors and type checkers.

At run time they take ``*args`` and ``**fields``: every parameter with a name would cost each call time,
and would take a program's datum of this name that is something else. ``arguments`` reads them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeAlias, cast

from typing_extensions import ParamSpec

from madsci.common.types.event import Event
from madsci.common.types.event_type import EventType
from madsci.common.types.log_level import EventLogLevel

_Parameters = ParamSpec("_Parameters")

ExceptionInfo: TypeAlias = (
    bool
    | BaseException
    | tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None]
    | None
)


def shown_as(
    template: Callable[_Parameters, None],
) -> Callable[[Callable[..., None]], Callable[_Parameters, None]]:
    """Give a method the signature of another function; it is called as it is."""
    signature = inspect.signature(template, eval_str=True)

    def show(method: Callable[..., None]) -> Callable[_Parameters, None]:
        cast("Any", method).__signature__ = signature
        return method

    return show


def text_call(  # noqa: PLR0913 - see above
    self: Any,
    message: object = "",
    /,
    *args: object,
    event_type: EventType | str | None = None,
    alert: bool | None = None,
    exc_info: ExceptionInfo = None,
    stack_info: bool = False,
    **fields: Any,
) -> None:
    """Stand for ``info`` and its like."""


def alert_call(
    self: Any,
    message: object = "",
    /,
    *args: object,
    event_type: EventType | str | None = None,
    exc_info: ExceptionInfo = None,
    stack_info: bool = False,
    **fields: Any,
) -> None:
    """Stand for ``alert``."""


def warning_call(  # noqa: PLR0913
    self: Any,
    event: object = "",
    /,
    *args: object,
    warning_category: type[Warning] | None = UserWarning,
    event_type: EventType | str | None = None,
    alert: bool | None = None,
    exc_info: ExceptionInfo = None,
    stack_info: bool = False,
    **fields: Any,
) -> None:
    """Stand for ``log_warning``."""


def any_call(  # noqa: PLR0913
    self: Any,
    event: Event | object = "",
    /,
    level: EventLogLevel | int | str | None = None,
    alert: bool | None = None,  # noqa: FBT001 - given by position in existing programs
    warning_category: type[Warning] | None = None,
    *,
    event_type: EventType | str | None = None,
    exc_info: ExceptionInfo = None,
    stack_info: bool = False,
    **fields: Any,
) -> None:
    """Stand for ``log``."""
