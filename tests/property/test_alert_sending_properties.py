"""Whatever fails and ends: every notice is delivered or given up, and no server sends one that is done.

Two servers share a store. Its calls fail, some after a part of the changes was made; the channel fails,
as a whole or for somebody; processes stop, or are killed between sending and writing that down; steps
of the alerts are made again; the clock is set.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madsci.common.errors import DeliveryError, MadsciError, StoreUnavailableError
from madsci.event_manager.alerts.channel import Message
from madsci.event_manager.alerts.delivery import Delivery, State
from madsci.event_manager.alerts.line import Line, lease_of
from madsci.event_manager.alerts.notice import DELIVERIES, Notice
from support.alert_posts import (
    DAY,
    ClockedStore,
    Clocks,
    Post,
    decide,
    ended,
    notice,
    rendered,
    waiting,
)

PEOPLE = ("ada", "bob", "cid", "dan")


class Killed(BaseException):
    """The process ends here."""


class Link:
    """The store as one server reaches it: it may be away for this one."""

    def __init__(self, store: ClockedStore) -> None:
        self.store = store
        self.is_away = False
        self.is_cut = False
        """Whether of changes the first is made, and then the store is away."""
        self.is_dying = False
        """Whether the process is killed when it next changes something."""

    def _reached(self) -> ClockedStore:
        if self.is_away:
            raise StoreUnavailableError("The store is away.")
        return self.store

    def apply(self, changes, step=None):
        if self.is_dying:
            raise Killed
        store = self._reached()
        if self.is_cut:
            store.apply(changes[:1])
            raise StoreUnavailableError("The store was lost amid this.")
        return store.apply(changes, step)

    def read(self, table, key):
        return self._reached().read(table, key)

    def scan(self, *arguments, **named):
        return self._reached().scan(*arguments, **named)

    def hold(self, name, holder, seconds):
        return self._reached().hold(name, holder, seconds)

    def let_go(self, name, holder):
        self._reached().let_go(name, holder)


class Lab:
    """Two servers with a channel, and what they may never do."""

    def __init__(self) -> None:
        self.clocks, self.post = Clocks(), Post("post", *PEOPLE)
        self.store = ClockedStore(self.clocks)
        self.links = [Link(self.store), Link(self.store)]
        self.bad: set[str] = set()
        self.decided: list[Notice] = []
        self.takers: Counter[tuple[str, int]] = Counter()
        self.may_be_repeated: set[str] = set()
        self.wrong: list[str] = []
        self.call_takes = 0.0
        self.processes = 0
        self.lines = [self.begun(0), self.begun(1)]

    def begun(self, server: int) -> Line:
        self.processes += 1
        process, lab = self.processes, self

        class Channel(Post):
            """The channel, as one process uses it."""

            def send(self, message: Message, recipient: str) -> None:
                lab.check(process, message.key)
                lab.clocks.seconds += lab.call_takes
                lab.post.send(message, recipient)
                lab.takers[message.key, process] += 1

        def render(one: Notice) -> Message:
            if one.key in self.bad:
                raise MadsciError("The template does not fit.")
            return rendered(one)

        channel = Channel("post", *PEOPLE)
        line = Line(self.links[server], channel, render, self.clocks.wall, self.clocks.elapsed)
        line.process = process
        return line

    def check(self, process: int, key: str) -> None:
        """Note what may not be; raised here, it would be a failure of the channel."""
        (line,) = [one for one in self.lines if one.process == process]
        holder, until = self.store.clocked._held.get(lease_of("post"), ("nobody", 0.0))
        is_held = self.clocks.seconds < until
        may_be = {
            "what is done is not sent": self.store.read(DELIVERIES, key) is None,
            "no process sends anything twice": not self.takers[key, process],
            "what became of the last one is written down first": line._unwritten is None,
            "who sends has the lease": is_held and holder == line._place._holder,
        }
        self.wrong += [sentence for sentence, is_so in may_be.items() if not is_so]
        for one in self.lines:
            self.note_unwritten(one)

    def note_unwritten(self, line: Line) -> None:
        left = line._unwritten
        if isinstance(left, Delivery) and left.state is State.DELIVERED:
            self.may_be_repeated.add(left.key)

    def decide(self, recipient: str) -> None:
        one = notice(len(self.decided), recipient, at=self.clocks.wall())
        self.decided.append(one)
        decide(self.store, one)

    def again(self) -> None:
        """Make the last steps of the alerts again."""
        decide(self.store, *self.decided[-3:])

    def look(self, server: int) -> None:
        try:
            while self.lines[server].send_due():
                pass
        except StoreUnavailableError:
            link = self.links[server]
            assert link.is_away or link.is_cut
        except Killed:
            self.end(server)

    def end(self, server: int) -> None:
        """Have a process ended, whether it was told to stop or not, and another one begun."""
        self.note_unwritten(self.lines[server])
        self.links[server].is_dying = False
        self.lines[server] = self.begun(server)

    def passes(self, seconds: float, step: float) -> None:
        end = self.clocks.seconds + seconds
        while self.clocks.seconds < end:
            self.clocks.seconds += step
            for server in (0, 1):
                self.look(server)

    def calm(self) -> None:
        for link in self.links:
            link.is_away = link.is_cut = link.is_dying = False
        self.post.failure = None
        self.post.refused.clear()
        self.bad.clear()
        self.call_takes = 0.0


servers = st.sampled_from([0, 1])
people = st.sampled_from(PEOPLE)
acts = st.one_of(
    st.tuples(st.just("decide"), st.lists(people, min_size=1, max_size=4)),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 31, 1_000])),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 31, 1_000])),
    st.tuples(st.just("look"), servers),
    st.tuples(st.just("silent"), st.booleans()),
    st.tuples(st.just("refused"), people),
    st.tuples(st.just("refused for good"), people),
    st.tuples(st.just("works for"), people),
    st.tuples(st.just("unfit"), st.integers(0, 5)),
    st.tuples(st.just("away"), servers),
    st.tuples(st.just("cut"), servers),
    st.tuples(st.just("back"), servers),
    st.tuples(st.just("dying"), servers),
    st.tuples(st.just("stop"), servers),
    st.tuples(st.just("again"), st.none()),
    st.tuples(st.just("slow"), st.sampled_from([0.0, 20.0, 40.0])),
    st.tuples(st.just("set clock"), st.sampled_from([-400 * DAY, -1.0, 1.0, 400 * DAY])),
)


def happen(lab: Lab, act: str, what) -> None:  # noqa: C901, PLR0912 - the acts are what it is about
    if act == "decide":
        for person in what:
            lab.decide(person)
    elif act == "wait":
        lab.passes(what, what / 5)
    elif act == "look":
        lab.look(what)
    elif act == "silent":
        lab.post.failure = DeliveryError("It says nothing.") if what else None
    elif act == "refused":
        lab.post.refused[what] = DeliveryError("450 busy")
    elif act == "refused for good":
        lab.post.refused[what] = DeliveryError("550 unknown", is_final=True)
    elif act == "works for":
        lab.post.refused.pop(what, None)
    elif act == "unfit" and what < len(lab.decided):
        lab.bad.add(lab.decided[what].key)
    elif act == "away":
        lab.links[what].is_away = True
    elif act == "cut":
        lab.links[what].is_cut = True
    elif act == "back":
        lab.links[what].is_away = lab.links[what].is_cut = False
    elif act == "dying":
        lab.links[what].is_dying = True
    elif act == "stop":
        if not lab.links[what].is_dying:
            lab.lines[what].end()
        lab.end(what)
    elif act == "again":
        lab.again()
    elif act == "slow":
        lab.call_takes = what
    elif act == "set clock":
        lab.clocks.set_by += what


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=200)
@given(st.lists(acts, min_size=5, max_size=60))
def test_every_notice_is_sent_once_or_given_up_whatever_fails(story):
    lab = Lab()
    lab.decide("ada")
    for act, what in story:
        happen(lab, act, what)
    lab.calm()
    lab.passes(4_000, 40)
    assert lab.wrong == []
    assert waiting(lab.store) == []
    states = {one.key: one.state for one in ended(lab.store)}
    assert set(states) == {one.key for one in lab.decided}
    sent = Counter(key for key, _ in lab.post.taken)
    assert {key for key, state in states.items() if state is State.DELIVERED} <= set(sent)
    assert {key for key, number in sent.items() if number > 1} <= lab.may_be_repeated
    for person in PEOPLE:
        first = list(dict.fromkeys(lab.post.taken_by(person)))
        if not any(act in ("unfit", "away", "cut") for act, _ in story):
            assert first == sorted(first), "each hears of things in their order"
