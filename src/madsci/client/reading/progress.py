"""A progress bar for work that takes as long as there are events."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class ProgressBar(Protocol):
    """Is told how much more was done."""

    def update(self, n: float, /) -> Any:
        """Count ``n`` more units as done."""
        ...


class _Unseen:
    def update(self, n: float, /) -> None:
        """Show nothing."""


def progress_bar(
    title: str, unit: str, total: int | None = None, *, shown: bool | None
) -> AbstractContextManager[ProgressBar]:
    """Return a bar on stderr for a ``with`` block; ``shown=None`` shows it on a terminal only.

    ``unit`` is ``B`` for bytes or the name of what is counted, ``total`` how many there will be.
    """
    if shown is False:
        return nullcontext(_Unseen())
    from tqdm import tqdm  # noqa: PLC0415 - only a bar needs it

    bar: AbstractContextManager[ProgressBar] = tqdm(
        desc=title,
        total=total,
        unit=unit,
        unit_scale=True,
        unit_divisor=1024 if unit == "B" else 1000,
        disable=None if shown is None else False,
    )
    return bar
