"""Whatever happens to it, the spool loses nothing, reorders nothing and invents nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from madsci.client.spool.lane_writer import SpoolSettings
from madsci.client.spool.lines import encode_line
from madsci.client.spool.spool import Spool

SMALL = SpoolSettings(segment_bytes=400, fsync="none")


class SpoolOfManyLives(RuleBasedStateMachine):
    """Processes append to one directory, die with their last line torn, and inherit from each other."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.spool = self.open()
        self.lives: list[list[bytes]] = [[]]
        """What each process has appended and nobody has acknowledged, in order."""
        self.number = 0
        self.maybe: set[bytes] = set()
        """Acknowledged by a process that died at once: it may be sent again."""

    def open(self) -> Spool:
        return Spool(Path(self.directory.name) / "server", SMALL)

    @property
    def own(self) -> list[bytes]:
        return self.lives[-1]

    @rule(padding=st.binary(max_size=120))
    def append(self, padding):
        self.number += 1
        event_id = f"e{self.number}"
        body = b'{"event_id":"%b","d":"%b"}' % (event_id.encode(), padding.hex().encode())
        self.own.append(body)
        self.spool.append(body)
        assert self.spool.waiting == len(self.own)

    @rule(count=st.integers(1, 8), size=st.integers(1, 600))
    def read(self, count, size):
        batch = self.spool.read(count, size)
        assert [event.body for event in batch] == self.own[: len(batch)]
        assert bool(batch) == bool(self.own)

    @rule(count=st.integers(1, 8), settled=st.integers(1, 8))
    def deliver(self, count, settled):
        batch = self.spool.read(count, 10_000)[:settled]
        if batch:
            assert [event.body for event in batch] == self.own[: len(batch)]
            assert all(
                event.body.startswith(b'{"event_id":"%b"' % event.event_id.encode()) for event in batch
            )
            self.spool.acknowledge(batch[-1].position)
            del self.own[: len(batch)]

    @rule(count=st.integers(1, 20))
    def deliver_what_others_left(self, count):
        lane = self.spool.backlog()
        if lane is None:
            self.spool._adopt_at = 0.0  # as if some seconds had passed
            lane = self.spool.backlog()
        if lane is None:
            assert not any(self.lives[:-1])
            return
        oldest = next((life for life in self.lives[:-1] if life), [])  # or only a torn line is left
        batch = lane.read(count, 10_000)
        bodies = [event.body for event in batch]
        while bodies and bodies[0] in self.maybe:
            self.maybe.discard(bodies.pop(0))
        assert bodies == oldest[: len(bodies)]
        if batch:
            lane.acknowledge(batch[-1].position)
            del oldest[: len(bodies)]

    @rule(torn=st.integers(0, 60), zeros=st.booleans())
    def die(self, torn, zeros):
        self.spool.abandon()
        current = self.spool._writer._current
        if current is not None and current.path.exists() and torn:
            line = encode_line(b'{"event_id":"torn"}', 10**6, 1)[:-1]
            with current.path.open("ab") as file:
                file.write(bytes(torn) if zeros else line[:torn][: len(line) - 1])
        self.begin_another_life()

    @rule()
    def fork(self):
        self.spool.abandon()  # the parent is gone at once
        self.spool.forget_parent()
        self.lives.append([])

    @rule()
    def close(self):
        self.spool.rest()
        if self.own:
            self.spool.abandon()
        self.begin_another_life()

    def begin_another_life(self) -> None:
        self.spool = self.open()
        self.lives.append([])

    @precondition(lambda self: self.own)
    @rule()
    def forget_the_cursor(self):
        """A torn cursor sends a segment again: nothing is lost by that."""
        self.spool.abandon()
        for path in self.spool.directory.glob(f"{self.spool._lane.token}*.lock"):
            path.write_bytes(b"000001 00000")
        segment = self.spool._lane.segments[0]
        sent_again = [line.body for line in segment.lines(0, segment.offset)]
        segment.close()
        self.maybe |= {body for body in sent_again if body is not None}
        self.begin_another_life()

    @invariant()
    def counts_fit(self):
        assert self.spool.last_position - self.spool.settled_position == len(self.own)
        assert self.spool.stats().lost == 0

    def teardown(self):
        self.spool._adopt_at = 0.0
        while any(self.lives[:-1]):
            self.deliver_what_others_left(20)
        while self.own:
            self.deliver(8, 8)
        assert self.spool.read(1, 1) == []
        self.spool.rest()
        heir = self.open()
        while lane := heir.backlog():
            assert lane.read(9, 10_000) == []  # only torn lines are left
        assert [path.name for path in self.spool.directory.glob("*") if path.suffix != ".ndjson"] == []
        self.directory.cleanup()


TestSpoolOfManyLives = SpoolOfManyLives.TestCase
TestSpoolOfManyLives.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
