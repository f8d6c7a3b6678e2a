"""How the server is now: from the last look at the store, from the writer, the tasks and the senders.

Two threads: one touches the store, and hangs where the disk hangs; the other tells the log when trouble
begins and ends, and never waits for a disk. Whoever asks reads what is known, which takes no time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from madsci.common.clock import now_us, parse_instant
from madsci.common.errors import StoreDamagedError, StoreUnavailableError
from madsci.common.types.health import ChannelHealth, EventManagerHealth, FollowerHealth, TaskHealth
from madsci.event_manager.alerts.alarm import Alarm
from madsci.event_manager.feed.runner import Followers
from madsci.event_manager.health.conditions import Conditions, Finding
from madsci.event_manager.health.growth import days_left
from madsci.event_manager.health.looking import PERIOD, Look, Looker
from madsci.event_manager.health.punctuality import Punctuality
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.tasks.runner import TaskRunner

_WELL: Final = "Event Manager is running normally"
_PATIENCE: Final = 0.8
"""Seconds that an answer waits for a look of its own; then the last one answers."""
_HANGING: Final = 5.0
"""Seconds after which a store that has not answered is in trouble: slow disks take less."""
_GB: Final = 1_000_000_000
_OF_ALL: Final = 10
"""Where the disk is small, it is nearly full when one of so many parts is free."""


@dataclass(frozen=True)
class Limits:
    """What is warned of: fewer bytes are free, or the room lasts for fewer days. 0 for never."""

    free_bytes: int
    days: float


class Monitor:
    """Knows how the server is. Owns two threads; asked on the event loop, or from any thread."""

    def __init__(  # noqa: PLR0913, PLR0917 - what is looked at
        self,
        store: EventStore,
        writer: Writer,
        runner: TaskRunner,
        followers: Followers,
        punctuality: Punctuality,
        alarm: Alarm,
        limits: Limits,
        version: str,
    ) -> None:
        self._store = store
        self._writer = writer
        self._runner = runner
        self._followers = followers
        self._punctuality = punctuality
        self._alarm = alarm
        self._limits = limits
        self._version = version
        self._looker = Looker(store, writer.commits)
        self._conditions = Conditions()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="health-log", daemon=True)

    def start(self) -> None:
        """Begin to look, and to tell the log."""
        self._looker.start()
        self._thread.start()

    def close(self, deadline: float) -> bool:
        """Stop; tell whether that was done in time (seconds)."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(deadline)
        return self._looker.close(deadline)

    async def asked(self) -> EventManagerHealth:
        """Return how the server is after a look that begins now; if that takes long, what is known."""
        loop = asyncio.get_running_loop()
        looked = asyncio.Event()

        def answered() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it who asked
                loop.call_soon_threadsafe(looked.set)

        self._looker.ask(answered)
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(looked.wait(), _PATIENCE)
        finally:
            self._looker.leave(answered)
        return self.state()

    def state(self) -> EventManagerHealth:
        """Return what is known; never waits."""
        look, tasks, followers = self._looker.latest, self._runner.stats(), self._followers.stats()
        channels = self._alarm.channels()
        findings = self._findings(look, tasks, followers, channels)
        troubles = [one.sentence for one in findings if one.is_trouble]
        warnings = [one.sentence for one in findings if not one.is_trouble]
        known: dict[str, Any] = {}
        if look.space is not None:
            known = {
                "free_bytes": look.space.free,
                "store_bytes": look.space.used,
                "bytes_per_day": look.bytes_per_day,
                "days_left": days_left(look.space.free, look.bytes_per_day),
            }
        return EventManagerHealth(
            healthy=not troubles,
            description=_described(troubles, warnings),
            version=self._version,
            db_connected=look.unreadable is None and not self._silent_for(look),
            total_events=look.events,
            damaged_events=look.damaged,
            queued_events=self._writer.stats.queued,
            store=self._store.engine,
            tasks=tasks,
            followers=followers or None,
            alert_channels=channels or None,
            troubles=troubles,
            warnings=warnings,
            age_seconds=round(time.monotonic() - look.at, 3),
            **known,
        )

    def _findings(
        self,
        look: Look,
        tasks: list[TaskHealth],
        followers: list[FollowerHealth],
        channels: list[ChannelHealth],
    ) -> list[Finding]:
        """Return all that is not well, the worst first."""
        found = [*self._of_store(look), *self._of_threads(), *_of_tasks(tasks)]
        found.extend(_of_followers(followers, is_well=not found))
        found.extend(_of_channels(channels))
        found.extend(
            Finding(f"store: {one}", one, is_trouble=False, is_told=True) for one in look.troubles
        )
        if look.damaged:
            found.append(self._of_damage(look.damaged))
        found.extend(self._of_space(look))
        found.extend(self._punctuality.findings())
        return found

    def _of_store(self, look: Look) -> list[Finding]:
        if silent := self._silent_for(look):
            return [
                Finding(
                    "silence",
                    f"The event store {self._store.location} has not answered for {silent:.0f} s: its"
                    " disk, or the network to it, hangs. The server goes on trying.",
                )
            ]
        found = []
        if look.unreadable is not None:
            found.append(Finding("reading", f"Database connection failed: {look.unreadable}"))
        if look.damage is not None:
            found.append(Finding("damage", look.damage, is_told=True))
        if (unwritable := self._unwritable(look)) not in (None, look.unreadable, look.damage):
            found.append(Finding("writing", unwritable))
        return found

    def _unwritable(self, look: Look) -> str | None:
        """Return why events are not taken: the last of what the writer and a probe found."""
        commits = self._writer.commits
        if max(commits.failed_at, commits.kept_at) <= look.probed_at:
            return look.unwritable
        return self._failure() if commits.failed_at > commits.kept_at else None

    def _failure(self) -> str | None:
        """Return why the writer failed last, if that was not about an event."""
        failure = self._writer.commits.failure
        is_general = isinstance(failure, (StoreUnavailableError, StoreDamagedError))
        return failure.message if failure is not None and is_general else None

    def _silent_for(self, look: Look) -> float:
        """Return for how many seconds something has waited for the store, if that is long."""
        now = time.monotonic()
        waits = (look.at if self._looker.running else None, self._writer.commits.began_at)
        longest = max((now - began for began in waits if began is not None), default=0.0)
        return longest if longest >= _HANGING else 0.0

    def _of_threads(self) -> list[Finding]:
        found = []
        if self._writer.started and not self._writer.running:
            found.append(
                Finding("writer", "The writer has stopped: no events are taken. Restart the server.")
            )
        if not self._looker.running:
            found.append(
                Finding("look", "The watch over the event store has stopped. Restart the server.")
            )
        if not self._runner.running:
            found.append(
                Finding(
                    "tasks",
                    "The tasks have stopped, such as retention and backups. Restart the server.",
                )
            )
        return found

    def _of_damage(self, number: int) -> Finding:
        return Finding(
            "damaged events",
            f"{number:,} events of {self._store.location} are damaged, and every answer leaves them"
            " out. The log names them: send them again, or look for them in a backup.",
            is_trouble=False,
            is_told=True,
        )

    def _of_space(self, look: Look) -> list[Finding]:
        if look.space is None:
            return []
        free, total = look.space.free, look.space.total
        found = {}
        if free < min(self._limits.free_bytes, total // _OF_ALL):
            found["free space"] = f"has {_size(free)} left of {_size(total)}"
        left = days_left(free, look.bytes_per_day)
        if left is not None and left < self._limits.days:
            found["days left"] = (
                f"will be full in {left:g} days: it has {_size(free)} left, and"
                f" {_size(look.bytes_per_day or 0)} come a day"
            )
        remedy = "Free space on it, or delete old events."
        return [
            Finding(topic, f"The disk of the event store {what}. {remedy}", is_trouble=False)
            for topic, what in found.items()
        ]

    def _tell(self) -> None:
        told_at = time.monotonic()
        while not self._stopping.wait(PERIOD):
            began = time.monotonic()
            findings = self._findings(
                self._looker.latest,
                self._runner.stats(),
                self._followers.stats(),
                self._alarm.channels(),
            )
            # Also what came and went between two times: somebody's events were refused.
            if self._writer.commits.failed_at > told_at and (failure := self._failure()):
                findings.append(Finding("writing", failure))
            self._conditions.update(findings)
            for finding in self._conditions.lasting():
                if not finding.is_told:  # else whoever it concerns has kept an event of it
                    self._alarm.give(finding.topic, finding.sentence)
            told_at = began


def _of_tasks(tasks: list[TaskHealth]) -> list[Finding]:
    found = []
    for task in tasks:
        topic = f"task {task.name}"
        if task.ended or task.failures:
            remedy = "Mend that and restart the server." if task.ended else "It is tried again."
            sentence = f"The task {task.name} failed: {task.detail} {remedy}"
            found.append(Finding(topic, sentence, is_told=True))
        elif task.last_outcome == "held":
            sentence = f"The task {task.name} is held back: {task.detail}"
            found.append(Finding(topic, sentence, is_trouble=False, is_told=True))
    return found


def _of_followers(followers: list[FollowerHealth], *, is_well: bool) -> list[Finding]:
    """Return those that do not go on; where that is only what the store does, it says so itself."""
    return [
        Finding(
            f"follower {one.name}",
            f"The follower {one.name} does not go on"
            + ("" if one.event_id is None else f" at the event {one.event_id}")
            + f": {one.detail} It tries again; POST /followers/skip has it pass over an event.",
        )
        for one in followers
        if one.failing_since is not None
        and (one.event_id is not None or (is_well and _has_lasted(one.failing_since)))
    ]


def _has_lasted(since: str) -> bool:
    return now_us() - parse_instant(since) >= _HANGING * 1_000_000


def _of_channels(channels: list[ChannelHealth]) -> list[Finding]:
    return [
        Finding(
            f"channel {one.name}",
            f"People are not told of alerts over {one.name}; {one.waiting:,} messages wait:"
            f" {one.detail} It is tried again.",
            is_trouble=False,
        )
        for one in channels
        if one.failing_since is not None
    ]


def _described(troubles: list[str], warnings: list[str]) -> str:
    if troubles:
        return " ".join(troubles)
    return " ".join(["Event Manager is running.", *warnings]) if warnings else _WELL


def _size(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= _GB else f"{number / 1e6:,.1f} MB"
