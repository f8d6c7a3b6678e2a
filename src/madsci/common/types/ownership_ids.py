"""The names of the ids that say who an event belongs to.

Apart from ``ownership``, whose model needs a library that takes as long to load as everything else
that a process for questions needs.
"""

from __future__ import annotations

from typing import Final

OWNERSHIP_IDS: Final = (
    "user_id",
    "experiment_id",
    "campaign_id",
    "project_id",
    "node_id",
    "workcell_id",
    "lab_id",
    "step_id",
    "workflow_id",
    "manager_id",
)
"""In the order in which they are members of ``OwnershipInfo``."""
