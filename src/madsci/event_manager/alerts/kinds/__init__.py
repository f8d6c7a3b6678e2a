"""The kinds of rules, a module for each, and the table of them."""

from __future__ import annotations

from typing import Final

from madsci.common.types.alert_rules import RuleKind
from madsci.event_manager.alerts.kinds.absence import Absence
from madsci.event_manager.alerts.kinds.kind import Kind
from madsci.event_manager.alerts.kinds.match import Match
from madsci.event_manager.alerts.kinds.rate import Rate
from madsci.event_manager.alerts.kinds.stuck import Stuck
from madsci.event_manager.alerts.kinds.unfinished import Unfinished

KINDS: Final[dict[RuleKind, Kind]] = {
    RuleKind.MATCH: Match(),
    RuleKind.RATE: Rate(),
    RuleKind.ABSENCE: Absence(),
    RuleKind.UNFINISHED: Unfinished(),
    RuleKind.STUCK: Stuck(),
}
