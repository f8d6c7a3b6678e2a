"""What follows the feed and decides who is told of what."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from madsci.common.errors import QueryTimeoutError
from madsci.common.types.alert_rules import RuleKind
from madsci.event_manager.alerts.acts import Act, acts_in
from madsci.event_manager.alerts.desk import Desk
from madsci.event_manager.alerts.kinds import KINDS
from madsci.event_manager.alerts.kinds.kind import Case, Sight
from madsci.event_manager.alerts.life import Life, Recipients
from madsci.event_manager.alerts.moment import LONGEST_GAP, Moment, WatchClock
from madsci.event_manager.alerts.records import GroupState
from madsci.event_manager.alerts.rule import Rule
from madsci.event_manager.alerts.rulebook import Rulebook, SeenEvent
from madsci.event_manager.feed.follower import Conclusion, Kept
from madsci.event_manager.model.feed import Entry
from madsci.event_manager.model.identity import group_of, key_of
from madsci.event_manager.model.matcher import matches

_logger = logging.getLogger(__name__)

_CLOCK: Final = "clock"
_MINUTE: Final = 60_000_000
_LATE: Final = 900_000_000
"""Microseconds by which an entry may have been received before others that were followed already: a
server that was cut off or killed shows its last ones late. What is older was imported."""
_TIMERS_AT_ONCE: Final = 1_000
"""Groups that are looked at in one step: each writes a document or two."""


class AlertFollower:
    """Shows each entry to the rules that may be about it, and looks at those whose time has come.

    ``rules`` returns those in force. What was received before alerts began, or long before what was
    followed already (an import), teaches rules that learn, and nobody is told of it. ``is_replay``
    where history is gone through, as if it came now.
    """

    name = "alerts"

    def __init__(
        self, rules: Callable[[Kept], Rulebook], recipients: Recipients, *, is_replay: bool = False
    ) -> None:
        self._rules = rules
        self._recipients = recipients
        self._is_replay = is_replay
        self._armed: Rulebook | None = None
        """The rules of which those that wait for a first event have been told to."""

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        """Return the alerts and notices that follow from entries, or from the time."""
        rulebook = self._rules(kept)
        step = _Step(rulebook, self._recipients, kept, now, is_replay=self._is_replay)
        if rulebook is not self._armed and not step.arm():
            self._armed = rulebook  # what was begun in an earlier step, and so was kept
        for entry in entries:
            step.see(entry)
        if not entries:
            step.go_on_to(now)
        return step.concluded()


class _Step:
    """One step: a desk, the rules, and the clock that goes on with the entries."""

    def __init__(
        self, rulebook: Rulebook, recipients: Recipients, kept: Kept, now: int, *, is_replay: bool
    ) -> None:
        self._rulebook = rulebook
        self._desk = Desk(kept)
        self._life = Life(self._desk, recipients)
        self._now = now
        clock = self._desk.text(_CLOCK)
        if clock is None:
            self._clock = WatchClock(now, 0, 0 if is_replay else now, is_replay)
        else:
            self._clock = WatchClock.parse(clock, is_continuous=is_replay)
        self._kept_at = None if clock is None else self._clock.wall
        if now < self._clock.wall - LONGEST_GAP:  # it was set back, and nothing is old for that
            self._clock.advance(now)
        late = 0 if is_replay else self._clock.wall - _LATE
        self._history_until = max(self._clock.began, late)
        self._looks = 0

    def arm(self) -> bool:
        """Have rules wait from now on that wait for anything at all; tell whether one began to."""
        has_begun = False
        for rule in self._rulebook.rules.values():
            key = f"{rule.name}/{key_of({})}"
            if rule.kind is RuleKind.ABSENCE and not rule.group_by and self._desk.state(key) is None:
                state = GroupState(rule.name, {}, seen=self._clock.watched)
                self._settle(Case(rule, key, state, self._moment(), self._desk, self._life))
                has_begun = True
        return has_begun

    def see(self, entry: Entry) -> None:
        """Show an entry to the rules."""
        event = entry.event
        is_history = event.received_at < self._history_until
        moment = self._moment() if is_history else self.go_on_to(event.received_at)
        seen = SeenEvent(event)
        for act in acts_in(event, self._desk):
            self._do(act, moment)
        for filed in self._rulebook.candidates(seen):
            try:
                if not matches(filed.rest, seen.document):
                    continue
            except QueryTimeoutError as error:
                name = filed.rule.name
                _logger.warning("The rule %s passes over an event: %s", name, error.message)
                continue
            sight = Sight(event, seen.document, is_history)
            self._show(filed.rule, sight, moment, is_end=filed.is_end)

    def go_on_to(self, wall: int) -> Moment:
        """Let time pass, and look at all whose time has come meanwhile."""
        moment = self._clock.advance(wall)
        for key, state in self._desk.due(moment.watched):
            self._look(key, state, moment)
            self._looks += 1
            if self._looks >= _TIMERS_AT_ONCE:
                break
        return moment

    def concluded(self) -> Conclusion:
        """Return what is to be kept, and when to go on."""
        moment, due = self._moment(), self._desk.next_due()
        wake_at = None
        if due is not None:
            rest = max(0, due - moment.watched)
            if not self._clock.is_continuous:  # which goes on only as long as somebody looks
                rest = min(rest, LONGEST_GAP // 2)
            wake_at = self._now + rest
        if due is not None or self._is_old():
            self._desk.keep_text(_CLOCK, self._clock.text())
        return Conclusion(self._desk.changes(), wake_at)

    def _is_old(self) -> bool:
        """Tell whether the clock is to be kept although nothing waits: to know what comes too late."""
        return self._kept_at is None or abs(self._clock.wall - self._kept_at) >= _MINUTE

    def _moment(self) -> Moment:
        return Moment(self._clock.wall, self._clock.watched)

    def _show(self, rule: Rule, sight: Sight, moment: Moment, *, is_end: bool) -> None:
        group = group_of(rule.group_by, sight.document)
        key = f"{rule.name}/{key_of(group)}"
        state = self._desk.state(key)
        is_new = state is None
        if state is None:
            if is_end:
                return  # it ends nothing that is known
            state = GroupState(rule.name, group)
        case = Case(rule, key, state, moment, self._desk, self._life)
        kind = KINDS[rule.kind]
        (kind.ends if is_end else kind.begins)(case, sight)
        self._settle(case, is_new=is_new)

    def _look(self, key: str, state: GroupState, moment: Moment) -> None:
        rule = self._rulebook.rules.get(state.rule)
        if rule is None:
            self._life.clear(state, moment, "the rule was removed")
            self._desk.forget_state(key, state)
            return
        case = Case(rule, key, state, moment, self._desk, self._life)
        KINDS[rule.kind].look(case)
        self._life.look(rule, state, moment)
        self._settle(case)

    def _settle(self, case: Case, *, is_new: bool = False) -> None:
        """Keep what is known of a group, with the time of its next look; or forget it."""
        kind, state = KINDS[case.rule.kind], case.state
        if kind.is_idle(state):
            if not is_new:
                self._desk.forget_state(case.key, state)
            return
        looks = (kind.next_look(case), self._life.next_look(case.rule, state, case.moment))
        self._desk.arm(case.key, state, min((one for one in looks if one is not None), default=None))
        self._desk.keep_state(case.key, state)

    def _do(self, act: Act, moment: Moment) -> None:
        alert = self._desk.alert(act.alert_id)
        if alert is None:
            return
        state = self._desk.state(alert.state_key)
        rule = self._rulebook.rules.get(alert.rule)
        self._life.act(act, alert, state, moment)
        if state is not None and rule is not None:
            case = Case(rule, alert.state_key, state, moment, self._desk, self._life)
            if alert.is_live:
                self._settle(case)
            else:  # whoever resolved it has it waited for from the next event on
                self._desk.forget_state(alert.state_key, state)
