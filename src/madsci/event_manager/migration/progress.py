"""Progress bars of long steps, on the terminal of whoever waits."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm
from typing_extensions import Self


class Bars:
    """Shows what is being done, one bar after the other, on a terminal's standard error only."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._bar: tqdm[Any] | None = None
        self._what = ""

    def __call__(self, what: str, done: int, of: int | None) -> None:
        """Show how far something is; see ``stores.upkeep.Progress``."""
        if not self._shown:
            return
        if self._bar is None or what != self._what:
            self._end()
            self._what = what
            self._bar = tqdm(desc=what, total=of, unit_scale=True, disable=None, leave=False)
        self._bar.update(done - self._bar.n)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
