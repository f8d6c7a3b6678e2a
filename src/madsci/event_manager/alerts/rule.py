"""A rule, checked and ready to be asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from pydantic import ValidationError

from madsci.common.errors import InvalidInputError, MadsciError
from madsci.common.nearest import did_you_mean
from madsci.common.types.alert_rules import AlertRule, RuleKind
from madsci.event_manager.model.identity import Identity, identity
from madsci.event_manager.model.selector import Selector
from madsci.event_manager.model.selector_parser import parse_selector

_QUIET: Final = 900.0
"""Seconds without a further event after which a rule of single events takes it to be over."""
_TIMES: Final = 3.0
_AT_LEAST: Final = 60.0
_ALIKE: Final = ("node", "action_name")


@dataclass(frozen=True)
class Rule:
    """A rule as it is asked. Lengths of time are microseconds."""

    spec: AlertRule
    selector: Selector
    ended_by: Selector | None
    group_by: tuple[Identity, ...]
    """What its alerts are told apart by."""
    alike: tuple[Identity, ...] = ()

    @property
    def name(self) -> str:
        """Identifies it."""
        return self.spec.name

    @property
    def kind(self) -> RuleKind:
        """What has to happen for it to fire."""
        return self.spec.kind

    @property
    def within(self) -> int:
        """The time in which events are waited for, or counted; 0 where that is not said."""
        return microseconds(self.spec.within or 0.0)

    @property
    def resolve_after(self) -> int | None:
        """How long nothing has to come until it is over; ``None`` where an event says that."""
        if self.kind not in (RuleKind.MATCH, RuleKind.RATE):
            return None
        usual = self.spec.within or _QUIET
        if self.spec.resolve_after is None and self.ended_by is not None:
            return None
        return microseconds(self.spec.resolve_after or usual)

    @property
    def times(self) -> float:
        """How many times as long as usual is too long."""
        return self.spec.times or _TIMES

    @property
    def at_least(self) -> int:
        """What takes less is never too long."""
        return microseconds(self.spec.at_least or _AT_LEAST)


def microseconds(seconds: float) -> int:
    """Return a length of time in whole microseconds."""
    return round(seconds * 1_000_000)


def compiled(spec: AlertRule, zone: tzinfo | None = None) -> Rule:
    """Return a rule ready to be asked; times without an offset are read in ``zone``.

    Raises:
        InvalidInputError: a selector or a path of it cannot be used; says which, and what to do.
    """

    def told(member: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except MadsciError as error:
            raise InvalidInputError(
                f"{member} of the rule {spec.name!r} cannot be used: {error.message}"
            ) from error

    def identities(member: str, texts: Sequence[str] | None) -> tuple[Identity, ...]:
        found: tuple[Identity, ...] = told(member, lambda: tuple(map(identity, texts or ())))
        return found

    selector = told("selector", lambda: parse_selector(spec.selector, zone, is_kept=True))
    ended_by = None
    if spec.ended_by is not None:
        ended_by = told("ended_by", lambda: parse_selector(spec.ended_by, zone, is_kept=True))
    is_of_pairs = spec.same is not None
    group_by = identities(
        "same" if is_of_pairs else "group_by", spec.same if is_of_pairs else spec.group_by
    )
    alike = identities("alike", spec.alike or _ALIKE) if spec.kind is RuleKind.STUCK else ()
    return Rule(spec, selector, ended_by, group_by, alike)


def read_rule(document: Any, zone: tzinfo | None = None) -> Rule:
    """Read a rule from decoded JSON.

    Raises:
        InvalidInputError: it is none; names each member that is wrong, and what to do.
    """
    if not isinstance(document, dict):
        raise InvalidInputError(
            'A rule is a JSON object such as {"name": "errors", "selector": {"log_level": {"$gte":'
            f' "ERROR"}}}}, not {document!r:.80}.'
        )
    try:
        spec = AlertRule.model_validate(document)
    except ValidationError as error:
        problems = [
            {"loc": one["loc"], "msg": _told(one)}
            for one in error.errors(include_url=False, include_input=False)
        ]
        text = "; ".join(_sentence(one) for one in problems)
        raise InvalidInputError(f"This is no rule: {text}.", problems) from error
    return compiled(spec, zone)


def _told(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        name = str(problem["loc"][-1])
        return f"a rule has no such member.{did_you_mean(name, AlertRule.model_fields)}".rstrip("?.")
    text: str = problem["msg"]
    return text.removeprefix("Value error, ").replace("Input should", "it should", 1).rstrip(".")


def _sentence(problem: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])
