"""The service that makes reports: one after the other of the same is made once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Final

from madsci.common.errors import ConflictError, InvalidInputError
from madsci.event_manager.analytics.answering import ReportJob
from madsci.event_manager.analytics.asked import Asked
from madsci.event_manager.analytics.follower import NAME
from madsci.event_manager.analytics.shelves import PROGRESS, STATES
from madsci.event_manager.model.tables import FOLLOWERS
from madsci.event_manager.stores.base import TableReader

_MOST: Final = 32
_MOST_BYTES: Final = 16_000_000
"""How many reports are kept that were made, and their bytes together."""
_MOST_OF_A_NAME: Final = 1_000
"""Reports of one name in a folder: as many as are made in a day."""

_SHORTLY: Final = 10.0
"""Seconds for which a report of all time is kept: it ends when it was made."""

_Key = tuple[Asked, str]


@dataclass(frozen=True)
class _Kept:
    """A report that was made, and until when it holds (monotonic seconds)."""

    body: bytes
    until: float = inf


class Reports:
    """Makes reports, and keeps those last made for as long as nothing new is known.

    ``answer`` has a job answered somewhere; ``behind`` tells how many events are not read yet of which
    reports are made. Files are written below ``folder`` only. Used on one event loop.
    """

    def __init__(
        self,
        store: TableReader,
        answer: Callable[[ReportJob], Awaitable[bytes]],
        behind: Callable[[], int | None],
        folder: Path | None,
    ) -> None:
        self._store = store
        self._answer = answer
        self._behind = behind
        self._folder = folder
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    async def report(self, asked: Asked) -> bytes:
        """Return a report, as ``ReportJob`` makes it; raises what that does, and a busy server."""
        whole = replace(asked, events_behind=self._behind())
        key = replace(whole, now=0), await asyncio.to_thread(self._standing)
        kept = self._kept.get(key)
        if kept is not None and kept.until > time.monotonic():
            self._kept.move_to_end(key)
            return kept.body
        body = await self._answer(ReportJob(whole))
        if asked.window is None:
            self._keep(key, _Kept(body, time.monotonic() + _SHORTLY))
        elif asked.window[1] <= asked.now:
            self._keep(key, _Kept(body))
        return body

    def _standing(self) -> str:
        """Return what changes whenever anything new is known."""
        read = self._store.read
        return f"{read(FOLLOWERS, NAME)} {read(STATES, PROGRESS)}"

    def _keep(self, key: _Key, kept: _Kept) -> None:
        self._kept[key] = kept
        while (
            len(self._kept) > _MOST or sum(len(one.body) for one in self._kept.values()) > _MOST_BYTES
        ):
            self._kept.popitem(last=False)

    def folder(self, name: str | None) -> Path:
        """Return the folder of the server that a request names.

        Raises:
            ConflictError: the server has no folder for reports.
            InvalidInputError: none is named, or one that is not within that.
        """
        if self._folder is None:
            raise ConflictError(
                "The server writes no reports into files: report_dir is not set. Set it in its"
                " settings, or take the report from the reply."
            )
        if not name:
            raise InvalidInputError("output_path is required when save_to_file=True.")
        root = self._folder.resolve()
        try:
            place = (root / name).resolve()
        except (ValueError, OSError, RuntimeError) as error:  # a NUL, a loop of links, too long
            raise InvalidInputError(f"output_path: {name!r:.200} is no folder: {error}.") from error
        if not place.is_relative_to(root):
            raise InvalidInputError(
                f"output_path: {name!r:.200} is not within {root}, where the server writes reports."
                " Name a folder below it."
            )
        return place

    async def save(self, body: bytes, folder: Path, name: str) -> Path:
        """Write a report into a folder, beside others of its name; return the file.

        Raises:
            ConflictError: that cannot be done, or there is no more room for one of this name.
        """
        return await asyncio.to_thread(_save, body, folder, name)


def _save(body: bytes, folder: Path, name: str) -> Path:
    stem, _, suffix = name.rpartition(".")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _MOST_OF_A_NAME + 1):
            path = folder / (name if number == 1 else f"{stem}_{number}.{suffix}")
            with contextlib.suppress(FileExistsError), path.open("xb") as file:
                file.write(body)
                return path
    except OSError as error:
        raise ConflictError(f"The report could not be written into {folder}: {error}.") from error
    raise ConflictError(f"There are {_MOST_OF_A_NAME} reports like {name} in {folder}. Remove some.")
