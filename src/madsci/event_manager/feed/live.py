"""Showing what is committed to all who watch, read once and encoded once for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from madsci.common.errors import InvalidInputError, MadsciError, QueryTimeoutError
from madsci.event_manager.export.frames import Frames
from madsci.event_manager.feed.watcher import MOST_BYTES, Watcher
from madsci.event_manager.model.feed import Entries, Position, unknown_position
from madsci.event_manager.model.matcher import matches
from madsci.event_manager.model.selector import Selector, is_everything
from madsci.event_manager.search.following import Part, PastJob
from madsci.event_manager.stores.base import EventLog

_logger = logging.getLogger(__name__)

_AT_ONCE: Final = 1_000
"""Entries that are read together."""
_NEAR: Final = 500
"""Entries that somebody may be behind to be let in; he reads what is more by himself."""
_POURS: Final = 5_000
"""Entries a second that are more than what comes from robots: somebody catches up, or imports. To make
frames of them here would take a fifth of the time from those who send them."""
_TOGETHER: Final = 0.1
"""Seconds for which what comes is gathered, so that many watchers cost few system calls."""
_LOOK: Final = 0.5
"""Seconds after which it is looked what other servers have committed."""
_HEARTBEAT: Final = 10.0
"""Seconds after which each watcher is told how far it is: half of what proxies are patient for."""
_ROUNDS: Final = 20
"""Looks at what other servers have committed until a position that lies beyond is one of nobody."""
_PAUSE: Final = 1.0
"""Seconds until a store that failed is asked again."""

_Handover = Callable[[], None]
ReadBeside = Callable[[PastJob], Part]


class _Kind(NamedTuple):
    """What watchers have in common who are shown the same bytes."""

    selector: str
    frames: Frames


class _Group:
    """The watchers of a kind."""

    def __init__(self, selector: Selector) -> None:
        self.selector = selector
        self._is_for_all = is_everything(selector)
        self.watchers: set[Watcher] = set()

    def wants(self, entries: Entries, documents: list[dict[str, object]]) -> list[bool]:
        """Tell for each of the entries whether its event matches; one that cannot be told does not."""
        if self._is_for_all:
            return [True] * len(entries.entries)
        if not documents:
            documents += [one.event.document() for one in entries.entries]
        return [_matches(self.selector, document) for document in documents]


def _matches(selector: Selector, document: dict[str, object]) -> bool:
    try:
        return matches(selector, document)
    except QueryTimeoutError:  # of a regular expression
        return False


class _Current:
    """How fast the feed grows. ``elapsed`` returns seconds."""

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        self._seen: tuple[Position, float] | None = None

    def pours(self, head: Position) -> bool:
        """Tell whether it grows faster than can be shown here, since it was looked at before."""
        now = self._elapsed()
        before, self._seen = self._seen, (head, now)
        if before is None:
            return False
        position, at = before
        return head.beyond(position) > _POURS * max(now - at, _TOGETHER)


class Live:
    """Reads the feed from its end on for whoever watches. Owns a thread, which rests for nobody.

    ``start`` is called on the event loop on which watchers are; ``wake`` and ``join`` are for any
    thread. A watcher joins with its position, and is shown all that comes behind it: nothing twice, and
    nothing left out. One that is too far behind is told so, and reads the past first.

    ``read_beside`` reads what pours in: not among the threads that take it.
    """

    def __init__(self, log: EventLog, read_beside: ReadBeside) -> None:
        self._log = log
        self._read_beside = read_beside
        self._current = _Current()
        self._coming: queue.SimpleQueue[Watcher] = queue.SimpleQueue()
        self._waiting: list[Watcher] = []
        self._groups: dict[_Kind, _Group] = {}
        self._position: Position | None = None
        self._loop: asyncio.AbstractEventLoop
        self._beat_at = 0.0
        self._is_watched = False
        self._has_failed = False
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Begin, for watchers on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def wake(self) -> None:
        """Say that something was committed. Does not wait, and does nothing while nobody watches."""
        if self._is_watched:
            self._woken.set()

    def join(self, watcher: Watcher) -> None:
        """Show a watcher what comes behind its position; it is told when that has begun, or cannot."""
        self._coming.put(watcher)
        self._woken.set()

    def close(self, deadline: float) -> bool:
        """Show nothing more; tell whether the thread ended in time (seconds)."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait(_LOOK if self._is_watched else None)
            self._woken.clear()
            rest = _TOGETHER
            try:
                self._take_up()
                while self._show() and not self._stopping.is_set():
                    pass
                self._has_failed = False
            except MadsciError as error:
                rest = _PAUSE
                self._tell(error.message)
            except Exception as error:  # they wait for more, and would wait for ever
                rest = _PAUSE
                _logger.debug("The feed could not be shown", exc_info=True)
                self._tell(repr(error))
            self._beat()
            self._stopping.wait(rest)

    def _tell(self, reason: str) -> None:
        if not self._has_failed:
            _logger.warning("Who watches events is shown nothing new: %s", reason)
        self._has_failed = True

    def _take_up(self) -> None:
        """Count who watches, and take over who wants to."""
        for kind, group in list(self._groups.items()):
            group.watchers = {one for one in group.watchers if one.is_live}
            if not group.watchers:
                del self._groups[kind]
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.append(self._coming.get_nowait())
        self._is_watched = bool(self._groups or self._waiting)
        if not self._is_watched:
            self._position = None
        elif not self._groups:
            self._position = self._log.head()

    def _show(self) -> bool:
        """Show the next entries, and let in who waits; tell whether more was committed already."""
        position = self._position
        if position is None:
            return False
        has_more = False
        head = self._log.head()
        pours = self._current.pours(head)
        if self._groups and head != position:
            if pours:
                self._show_from_beside(position, head)
            else:
                has_more = self._show_from_here(position)
        if not has_more:
            self._let_in()
        return has_more

    def _show_from_here(self, position: Position) -> bool:
        part = self._log.since(position, _AT_ONCE)
        if part.next != position:
            self._hand_over(self._shown(part))
        self._position = part.next
        return part.has_more

    def _show_from_beside(self, position: Position, until: Position) -> None:
        with contextlib.ExitStack() as undoing:
            undoing.callback(self._dismiss)  # some have been shown by then what others have not
            for kind, group in self._groups.items():
                self._show_group_from_beside(kind, group, position, until)
            undoing.pop_all()
        self._position = until

    def _dismiss(self) -> None:
        """Have everybody read on by himself, and come back."""
        watching = [one for group in self._groups.values() for one in group.watchers]
        self._groups.clear()
        self._hand_over([one.refuse for one in watching])

    def _show_group_from_beside(
        self, kind: _Kind, group: _Group, position: Position, until: Position
    ) -> None:
        has_more = True
        while has_more and not self._stopping.is_set():
            part = self._read_beside(
                PastJob(position, until, group.selector, kind.frames, _AT_ONCE, MOST_BYTES)
            )
            chunk = part.frames
            if part.missed:
                chunk += kind.frames.position(part.next, is_live=True, missed=part.missed)
            self._hand_over([_showing(list(group.watchers), chunk, part.next)])
            position, has_more = part.next, part.has_more

    def _shown(self, part: Entries) -> list[_Handover]:
        documents: list[dict[str, object]] = []
        handovers: list[_Handover] = []
        for kind, group in self._groups.items():
            chunk = kind.frames.entries(part.start, part.entries, group.wants(part, documents))
            if part.missed:
                chunk += kind.frames.position(part.next, is_live=True, missed=part.missed)
            handovers.append(_showing(list(group.watchers), chunk, part.next))
        return handovers

    def _let_in(self) -> None:
        """Let in those who are near enough, up to the place at which the others are."""
        here = self._position
        waiting, self._waiting = self._waiting, []
        read: dict[Position, Entries] = {}
        try:
            while waiting:
                watcher = waiting[0]
                if here is not None and not watcher.has_left:
                    self._hand_over([self._answer(watcher, here, read)])
                waiting.pop(0)
        finally:  # the one that could not be answered comes last the next time
            self._waiting += waiting[1:] + waiting[:1]

    def _answer(self, watcher: Watcher, here: Position, read: dict[Position, Entries]) -> _Handover:
        try:
            return self._entering(watcher, here, read)
        except InvalidInputError as error:
            return _failing(watcher, error)

    def _entering(self, watcher: Watcher, here: Position, read: dict[Position, Entries]) -> _Handover:
        kind = _Kind(repr(watcher.selector), watcher.frames)
        group = self._groups.get(kind) or _Group(watcher.selector)
        part = read.get(watcher.position)
        if part is None:  # many come from one position where a server has been started again
            part = read[watcher.position] = self._log.since(watcher.position, _NEAR, here)
        if part.has_more:
            return watcher.refuse
        if part.is_ahead:  # it comes from another server, which we have not caught up with
            return self._later(watcher)
        chunk = watcher.frames.entries(part.start, part.entries, group.wants(part, []))
        chunk += watcher.frames.position(here, is_live=True, missed=part.missed)
        self._groups[kind] = group
        group.watchers.add(watcher)
        return _admitting(watcher, chunk, here)

    def _later(self, watcher: Watcher) -> _Handover:
        watcher.rounds += 1
        if watcher.rounds > _ROUNDS:
            return _failing(watcher, unknown_position(watcher.position))
        self._waiting.append(watcher)
        return lambda: None

    def _beat(self) -> None:
        """Tell each watcher from time to time how far it is: it is there, and so are we."""
        now, position = time.monotonic(), self._position
        if position is None or now < self._beat_at:
            return
        self._beat_at = now + _HEARTBEAT
        handovers: list[_Handover] = []
        for kind, group in self._groups.items():
            chunk = kind.frames.position(position, is_live=True)
            handovers.append(_showing(list(group.watchers), chunk, position))
        self._hand_over(handovers)

    def _hand_over(self, handovers: Iterable[_Handover]) -> None:
        """Have the event loop give to watchers what is theirs, and wait until it has."""
        done = threading.Event()

        def give() -> None:
            for handover in handovers:
                handover()
            done.set()

        try:
            self._loop.call_soon_threadsafe(give)
        except RuntimeError:  # the loop has ended, and with it everybody who watched
            self._stopping.set()
            return
        while not done.wait(_LOOK) and not self._stopping.is_set():
            pass


def _showing(watchers: list[Watcher], chunk: bytes, position: Position) -> _Handover:
    def show() -> None:
        for watcher in watchers:
            watcher.show(chunk, position)

    return show


def _admitting(watcher: Watcher, chunk: bytes, here: Position) -> _Handover:
    return lambda: watcher.admit(chunk, here)


def _failing(watcher: Watcher, error: MadsciError) -> _Handover:
    return lambda: watcher.fail(error)
