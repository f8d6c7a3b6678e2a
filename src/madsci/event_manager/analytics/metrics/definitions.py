"""What each figure means: its name, its formula, and where the name and the formula are from."""

from __future__ import annotations

from typing import Final, NamedTuple


class Definition(NamedTuple):
    """Of one figure, or of some that belong together."""

    name: str
    formula: str
    source: str


_STATES: Final = "SEMI E10; its states as OPC UA for Machine Vision 1.00, section 11.6.1, lists them"
_RELIABILITY: Final = "SEMI E10-0422"
_AUTONOMY: Final = "Ginsburg 2023, arXiv:2310.00510"
_LAB: Final = "Volk and Abolhasani 2024, Nature Communications 15, 1378"
_OURS: Final = "convention of this program"

DEFINITIONS: Final = (
    Definition(
        "PRD, SBY, ENG, SDT, UDT, NST",
        "Each instant of a node is in the first of these that holds. PRD: it is busy. UDT: it is at "
        "fault. Unknown. SBY: it is up. UDT or SDT: it is known to be down in one of its sessions, "
        "after a fault or without one. NST: else, which is neither busy nor up outside all of its "
        "sessions. ENG: no event tells of it, so it is always 0. Nodes that never tell when they start "
        "count as up throughout their sessions.",
        _STATES,
    ),
    Definition(
        "unknown time, coverage",
        "Unknown: a node may have been up or not, or busy or not; what is still ahead. "
        "Coverage = (window - unknown) / window. Unknown time is never counted as idle.",
        _OURS,
    ),
    Definition("total time", "PRD + SBY + ENG + SDT + UDT + NST + unknown = window", _STATES),
    Definition("operations time", "PRD + SBY + ENG + SDT + UDT", _STATES),
    Definition("uptime, downtime", "PRD + SBY + ENG; SDT + UDT", _STATES),
    Definition("manufacturing time", "PRD + SBY", _STATES),
    Definition(
        "operational utilization",
        "PRD / operations time. Low: unknown time is operations time and not productive; high: all of "
        "it is productive.",
        _STATES,
    ),
    Definition(
        "total utilization",
        "PRD / (total time - unknown). Low: PRD / total time; high: (PRD + unknown) / total time.",
        _STATES,
    ),
    Definition(
        "failures",
        "Faults that nodes tell of, in the window in which they begin, and crashes: a node is started "
        "again without having been stopped, and without a fault that lasted until then.",
        _OURS,
    ),
    Definition(
        "MTBF",
        "PRD / failures. 95 % interval: PRD over the exact bounds of a Poisson count. Without a "
        "failure only the lower bound is known (>=).",
        _RELIABILITY,
    ),
    Definition(
        "MTTR",
        "UDT of the faults that were over in the window / number of these. 95 % interval: exact bounds "
        "for exponential repair times. When a node was down in a crash is unknown: crashes have none.",
        _RELIABILITY,
    ),
    Definition(
        "MTBI",
        "PRD / interrupts, which are failures and assists. Assists: experiments paused or cancelled "
        "and workflows aborted; of a node those for which it had worked in the window. What ends an "
        "interruption is not counted "
        "again. 95 % interval as of MTBF.",
        f"{_RELIABILITY} (MTBF), of interrupts; {_OURS}",
    ),
    Definition(
        "human interventions",
        "An experiment is paused, continued or cancelled; a workflow is aborted; a fault is cleared; a "
        "node is started again after a crash.",
        _OURS,
    ),
    Definition(
        "TWH",
        "Time without humans: stretches of session time between human interventions. The current one "
        "goes on at the end of what is known.",
        _AUTONOMY,
    ),
    Definition(
        "CCWH",
        "Commands completed without humans: actions that were completed in such a stretch.",
        _AUTONOMY,
    ),
    Definition(
        "demonstrated throughput",
        "Completed workflows, and actions, / hours of session time. Best hour: the most in any 60 "
        "minutes.",
        _LAB,
    ),
    Definition(
        "demonstrated unassisted lifetime",
        "The longest time without a human intervention throughout which an experiment or a workflow "
        "was under way or a node busy.",
        _LAB,
    ),
    Definition(
        "demonstrated assisted lifetime",
        "The longest session or experiment, with its interventions and pauses, within the window.",
        _LAB,
    ),
    Definition(
        "action duration",
        "End - begin of the completed actions that ended in the window. p50, p95, p99 by nearest rank: "
        "the smallest duration that at least so many percent do not exceed.",
        _OURS,
    ),
    Definition(
        "action failure rate",
        "Failed / (completed + failed), of actions that ended in the window. 95 % interval by Wilson's "
        "score.",
        _OURS,
    ),
    Definition(
        "makespan, queue, wait",
        "Of workflows that ended in the window. Makespan: end - begin. Queue: begin - queued. Wait: "
        "what of the makespan none of its steps and actions took, where all of these are known.",
        _OURS,
    ),
    Definition(
        "attribution",
        "PRD by user, experiment and campaign. Where actions overlap on a node, the time is that of "
        "the one that began first. Whose an action is says the action, else its workflow, else its "
        "experiment, else the author of the workflow, where these were under way in the window. All of "
        "it and the unattributed time are PRD.",
        _OURS,
    ),
    Definition(
        "failure Pareto",
        "Minutes lost: UDT from a fault on up to the next one, and the time of failed actions in the "
        "window, also of those that fail after it. Of crashes the time is unknown. Share: of all "
        "minutes lost.",
        _OURS,
    ),
)
